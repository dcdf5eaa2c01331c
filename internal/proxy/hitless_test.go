package proxy

import (
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gracevisor/internal/wire"
)

// gatedApp answers "/wait" when gate is closed, and everything else at once.
// Its answers name it.
func gatedApp(t *testing.T, name string, gate <-chan struct{}) *backend {
	return newBackend(t, func(p *peer) {
		for {
			h := p.head()
			if h == "" {
				return
			}
			if strings.HasPrefix(h, "GET /wait ") {
				<-gate
			}
			p.send("HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: " + itoa(len(name)) + "\r\n\r\n" + name)
		}
	})
}

func (p *peer) get(path string) string {
	p.t.Helper()
	p.send("GET " + path + " HTTP/1.1\r\nHost: h\r\n\r\n")
	return p.answer()
}

// answer reads one answer and returns its body.
func (p *peer) answer() string {
	p.t.Helper()
	h := p.head()
	var n int
	if _, s, ok := strings.Cut(h, "Content-Length: "); ok {
		fmt.Sscan(s, &n)
	} else {
		p.t.Fatalf("no answer with a length: %q", h)
	}
	return p.take(n)
}

// TestRetirement: requests begun on an instance end there, none begins after
// Apply, and the end is reported once for each retirement.
func TestRetirement(t *testing.T) {
	gate := make(chan struct{})
	one, two := gatedApp(t, "one", gate), gatedApp(t, "two", nil)
	r := newRig(t, nil)
	r.serve(one.addr)
	slow, idle := r.dial(), r.dial()
	slow.send("GET /wait HTTP/1.1\r\nHost: h\r\n\r\n")
	if got := idle.get("/"); got != "one" {
		t.Fatalf("before: %s", got)
	}
	eventually(t, "both have begun", func() bool { return r.counters().Instances[0].Requests == 2 })
	r.serve(two.addr)
	if got := idle.get("/"); got != "two" {
		t.Errorf("a request after Apply went to %s", got)
	}
	r.apply()
	r.notDrained()
	close(gate)
	if got := slow.answer(); got != "one" {
		t.Errorf("the request in flight was answered by %s", got)
	}
	r.waitDrained("demo/1")
	r.apply()
	r.notDrained()

	// Back, and away again.
	r.serve(one.addr)
	r.waitDrained("demo/2")
	if got := idle.get("/"); got != "one" {
		t.Errorf("after the roll-back: %s", got)
	}
	r.serve(two.addr)
	r.waitDrained("demo/1")
	r.app().Instances = r.app().Instances[1:]
	r.apply()
	r.notDrained()
	if n := len(r.counters().Instances); n != 1 {
		t.Errorf("%d instances are left", n)
	}
}

// TestRetirementUnderLoad: with clients on it all the while, an instance that is
// retired gets no request after Apply has returned, and none is lost.
func TestRetirementUnderLoad(t *testing.T) {
	var retired [2]atomic.Bool
	var late atomic.Int64
	instance := func(i int) *backend {
		return newBackend(t, func(p *peer) {
			for p.head() != "" {
				// What began before Apply may still come in, but not
				// after the report.
				if retired[i].Load() {
					late.Add(1)
				}
				p.send(ok0)
			}
		})
	}
	apps := [2]*backend{instance(0), instance(1)}
	r := newRig(t, nil)
	r.serve(apps[0].addr)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 8 {
		c := r.dial()
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				c.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n")
				if h := c.head(); h != ok0 {
					t.Errorf("got %q", h)
					return
				}
			}
		})
	}
	for i := range 50 {
		next := (i + 1) % 2
		retired[next].Store(false)
		r.serve(apps[next].addr)
		r.waitDrained("demo/" + itoa(i%2+1))
		retired[i%2].Store(true)
	}
	close(stop)
	wg.Wait()
	if n := late.Load(); n > 0 {
		t.Errorf("%d requests reached an instance that was reported as drained", n)
	}
}

// TestHold: requests wait in order for an instance, up to a number and a time,
// and as long as the client does.
func TestHold(t *testing.T) {
	app := gatedApp(t, "one", nil)
	r := newRig(t, func(a *wire.App) { a.Traffic.HoldMax = 3 })
	r.apply()
	clients := []*peer{r.dial(), r.dial(), r.dial()}
	for i, c := range clients {
		c.send("POST /" + itoa(i) + " HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n")
		eventually(t, "it waits", func() bool { return r.counters().Holding == i+1 })
	}
	full := r.dial()
	full.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	if h := full.head(); !strings.HasPrefix(h, "HTTP/1.1 503 ") || !strings.Contains(h, "\r\nRetry-After: 1\r\n") {
		t.Errorf("one too many got %q", h)
	}
	clients[2].Close()
	eventually(t, "the place is free", func() bool { return r.counters().Holding == 2 })
	r.apply() // the same again: they wait on
	last := r.dial()
	last.send("GET /x HTTP/1.1\r\nHost: h\r\n\r\n")
	eventually(t, "it waits", func() bool { return r.counters().Holding == 3 })
	r.serve(app.addr)
	for _, c := range append(clients[:2], last) {
		if got := c.answer(); got != "one" {
			t.Errorf("got %q", got)
		}
	}
	if n := r.counters(); n.Held != 5 || n.Holding != 0 || n.Errors != 1 {
		t.Errorf("counted %+v", n)
	}
}

func TestHoldTimeout(t *testing.T) {
	r := newRig(t, func(a *wire.App) { a.Traffic.HoldTimeout = 30 * time.Millisecond })
	r.apply()
	c := r.dial()
	for range 2 { // and the connection goes on
		c.send("GET / HTTP/1.1\r\nHost: h\r\nAccept: text/html\r\n\r\n")
		if h := c.head(); !strings.HasPrefix(h, "HTTP/1.1 503 ") {
			t.Errorf("got %q", h)
		}
		c.expect("<!doctype html><title>503 Service Unavailable</title><h1>503 Service Unavailable</h1>\n")
	}
}

func TestUnavailable(t *testing.T) {
	r := newRig(t, func(a *wire.App) { a.Disposition = wire.Unavailable })
	r.apply()
	c := r.dial()
	c.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	if got := c.answer(); got != "503 Service Unavailable\n" {
		t.Errorf("got %q", got)
	}
}

// freeAddress is one that refuses connections.
func freeAddress(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// TestCrash: while the instance that serves refuses connections, requests wait
// until the table names another.
func TestCrash(t *testing.T) {
	app := gatedApp(t, "two", nil)
	r := newRig(t, nil)
	r.serve(freeAddress(t))
	c := r.dial()
	c.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n")
	eventually(t, "it is retried", func() bool { return r.counters().Retries > 3 })
	r.serve(app.addr)
	if got := c.answer(); got != "two" {
		t.Errorf("got %q", got)
	}
	r.waitDrained("demo/1")
}

// TestRefusedElsewhere: of two instances the one that refuses is passed over.
func TestRefusedElsewhere(t *testing.T) {
	r := newRig(t, nil)
	r.serve(freeAddress(t), gatedApp(t, "two", nil).addr)
	c := r.dial()
	for range 10 {
		if got := c.get("/"); got != "two" {
			t.Errorf("got %q", got)
		}
	}
	if n := r.counters(); n.Held != 0 {
		t.Errorf("%d requests had to wait", n.Held)
	}
}

// TestBalance: several instances share the load.
func TestBalance(t *testing.T) {
	r := newRig(t, nil)
	r.serve(gatedApp(t, "a", nil).addr, gatedApp(t, "b", nil).addr, gatedApp(t, "c", nil).addr)
	c := r.dial()
	got := map[string]int{}
	for range 30 {
		got[c.get("/")]++
	}
	if got["a"] != 10 || got["b"] != 10 || got["c"] != 10 {
		t.Errorf("shared as %v", got)
	}
}

// TestDrain: the order is the feature. Nothing is accepted any more when answers
// begin to end their connections, and those that were accepted before are
// served.
func TestDrain(t *testing.T) {
	gate := make(chan struct{})
	r := newRig(t, nil)
	other, err := net.Listen("tcp", "127.0.0.1:0") // the worker that takes over
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	f, err := other.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	if err := r.proxy.AddFile("shared", f); err != nil {
		t.Fatal(err)
	}
	r.front = other.Addr().String()
	r.app().Listeners = []string{"shared"}
	r.serve(gatedApp(t, "one", gate).addr)

	busy, idle, fresh := r.dial(), r.dial(), r.dial()
	if got := idle.get("/"); got != "one" {
		t.Fatal(got)
	}
	busy.send("GET /wait HTTP/1.1\r\nHost: h\r\n\r\n")
	eventually(t, "all are in", func() bool { return r.counters().Connections == 3 && r.counters().Instances[0].InFlight == 1 })
	r.proxy.Drain()
	select {
	case <-r.proxy.Drained():
		t.Fatal("drained too early")
	default:
	}
	late := r.dial() // stays in the backlog, for the other worker
	late.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	for i, c := range []*peer{idle, fresh, busy} {
		if c == busy {
			close(gate)
		} else {
			c.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
		}
		if h := c.head(); !strings.Contains(h, "\r\nConnection: close\r\n") {
			t.Errorf("client %d was not told: %q", i, h)
		}
		if got, err := c.rest(); got != "one" || err != nil {
			t.Errorf("client %d got %q, %v", i, got, err)
		}
		c.Close()
	}
	select {
	case <-r.proxy.Drained():
	case <-time.After(deadMan):
		t.Fatal("not drained")
	}
	c, err := other.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if h := newPeer(t, c).head(); !strings.HasPrefix(h, "GET / ") {
		t.Errorf("the other worker got %q", h)
	}
}

// TestHandOverUnderLoad hands one listener from proxy to proxy, again and again,
// with clients on it that never try anything twice.
func TestHandOverUnderLoad(t *testing.T) {
	app := newBackend(t, func(p *peer) {
		for p.head() != "" {
			p.send(ok0)
		}
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	worker := func() *Proxy {
		f, err := l.(*net.TCPListener).File()
		if err != nil {
			t.Fatal(err)
		}
		p := New(Options{})
		t.Cleanup(p.Close)
		if err := p.AddFile("main", f); err != nil {
			t.Fatal(err)
		}
		err = p.Apply(&wire.Table{Apps: []wire.App{{
			Name: "demo", Listeners: []string{"main"}, Mode: "http", Disposition: wire.Serving, Traffic: defaultTraffic(),
			Instances: []wire.Instance{{ID: "demo/1", Role: wire.RoleServing, Network: "tcp", Address: app.addr}},
		}}})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	current := worker()
	stop := make(chan struct{})
	var served atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() { loadClient(t, l.Addr().String(), stop, &served) })
	}
	for range 30 {
		seen := served.Load()
		next := worker()
		current.Drain()
		current = next
		eventually(t, "clients have gone on", func() bool { return served.Load() > seen+50 })
	}
	close(stop)
	wg.Wait()
}

// loadClient sends requests that may not be sent twice on connections that it
// keeps as long as it may.
func loadClient(t *testing.T, addr string, stop <-chan struct{}, served *atomic.Int64) {
	var c *peer
	defer func() {
		if c != nil {
			c.Close()
		}
	}()
	for {
		select {
		case <-stop:
			return
		default:
		}
		if c == nil {
			conn, err := net.Dial("tcp", addr)
			if err != nil {
				t.Errorf("connect: %v", err)
				return
			}
			c = newPeer(t, conn)
		}
		c.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n")
		h := c.head()
		if !strings.HasPrefix(h, "HTTP/1.1 200 ") {
			t.Errorf("got %q", h)
			return
		}
		served.Add(1)
		if strings.Contains(h, "Connection: close") {
			c.Close()
			c = nil
		}
	}
}
