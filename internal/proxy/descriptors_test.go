package proxy

import (
	"net"
	"strings"
	"testing"

	"gracevisor/internal/wire"
)

// front has the worker serve an app, and returns where its clients arrive.
func (w *workerProcess) front(t *testing.T, back string) net.Listener {
	t.Helper()
	l := listenHere(t)
	f, err := l.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	if err := w.AddFile("main", f); err != nil {
		t.Fatal(err)
	}
	err = w.Apply(&wire.Table{Revision: 1, Apps: []wire.App{{
		Name: "demo", Listeners: []string{"main"}, Mode: "http", Disposition: wire.Serving, Traffic: defaultTraffic(),
		Instances: []wire.Instance{{ID: "demo/1", Role: wire.RoleServing, Network: "tcp", Address: back}},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// dialAll connects so many clients.
func dialAll(t *testing.T, l net.Listener, n int) []*peer {
	t.Helper()
	s := &stage{front: l.Addr().String()}
	clients := make([]*peer, n)
	for i := range clients {
		clients[i] = s.dial(t)
	}
	return clients
}

// TestFullOfClients: with more clients than the process has descriptors for,
// those that are in are served, however idle the others are, and the rest waits
// in the backlog until there is room.
func TestFullOfClients(t *testing.T) {
	w := startWorkerWith(t, "64")
	l := w.front(t, gatedApp(t, "one", nil).addr)
	clients := dialAll(t, l, 100)
	for i, c := range clients {
		for range 2 {
			if got := c.get("/"); got != "one" {
				t.Fatalf("client %d got %q", i, got)
			}
		}
		if i >= 30 { // 48 are in at most, and those after it wait for room
			clients[i-30].Close()
		}
	}
	if log := w.log.String(); strings.Contains(log, "cannot accept") {
		t.Errorf("the worker has tried to take in more than it can: %s", log)
	}
}

// TestOutOfDescriptors: when the system refuses to accept, as all clients are
// being served at once, the worker waits ever longer before it tries again, and
// says so; all are served in the end.
func TestOutOfDescriptors(t *testing.T) {
	gate, asked := make(chan struct{}), make(chan struct{}, 100)
	app := newBackend(t, func(p *peer) {
		if p.head() == "" {
			return
		}
		asked <- struct{}{}
		select {
		case <-gate:
		case <-t.Context().Done(): // the test has failed
		}
		p.send(ok0)
	})
	w := startWorkerWith(t, "64")
	l := w.front(t, app.addr)
	var clients []*peer
	for i := range 50 {
		c := dialAll(t, l, 1)[0]
		c.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
		clients = append(clients, c)
		if i < 20 {
			<-asked // each takes a second one, to the app
		}
	}
	refused := func() int { return strings.Count(w.log.String(), "cannot accept, clients wait") }
	eventually(t, "accepting is tried again", func() bool { return refused() >= 4 })
	close(gate)
	for i, c := range clients {
		if got := c.head(); got != ok0 {
			t.Fatalf("client %d got %q", i, got)
		}
		c.Close()
	}
	if n := refused(); n > 15 { // 5 ms, doubled each time up to 1 s
		t.Errorf("accepting was tried %d times", n)
	}
}
