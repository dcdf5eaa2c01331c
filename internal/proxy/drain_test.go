package proxy

import (
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gracevisor/internal/wire"
)

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
