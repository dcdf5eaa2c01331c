package proxy

import (
	"fmt"
	"net"
	"strings"
	"testing"

	"gracevisor/internal/wire"
)

// stays fails if an answer says that its connection ends.
func (p *peer) stays(want string) {
	p.t.Helper()
	h := p.head()
	if strings.Contains(h, "Connection: close") || !strings.HasPrefix(h, "HTTP/1.1 200 ") {
		p.t.Errorf("got %q", h)
	}
	p.expect(want)
}

const getRequest = "GET / HTTP/1.1\r\nHost: h\r\n\r\n"

// TestMoveBetweenRequests: a connection that waits for a request is moved,
// whatever of one has come, and its client does not notice.
func TestMoveBetweenRequests(t *testing.T) {
	gate := make(chan struct{})
	r := newRig(t, func(a *wire.App) { a.Traffic.TrustedProxies = []string{"127.0.0.0/8"} })
	r.serve(gatedApp(t, "one", gate).addr)
	fresh, kept, part, busy, piped := r.dial(), r.dial(), r.dial(), r.dial(), r.dial()
	if got := kept.get("/"); got != "one" {
		t.Fatal(got)
	}
	part.send("GET / HTTP/1.1\r\nHo")
	busy.send("GET /wait HTTP/1.1\r\nHost: h\r\n\r\n")
	piped.send("GET /wait HTTP/1.1\r\nHost: h\r\n\r\n" + getRequest + "GET / HT")
	eventually(t, "all are in", func() bool {
		n := r.counters()
		return n.Connections == 5 && n.Instances[0].InFlight == 2
	})
	next := r.successor()
	r.moveTo(next)
	eventually(t, "those at rest are moved", func() bool { return next.counters().Connections == 3 })
	close(gate)
	busy.stays("one")
	piped.stays("one")
	piped.stays("one")
	piped.send("TP/1.1\r\nHost: h\r\n\r\n")
	piped.stays("one")
	part.send("st: h\r\n\r\n")
	part.stays("one")
	for _, c := range []*peer{fresh, kept, busy} {
		c.send(getRequest)
		c.stays("one")
	}
	r.left()
	eventually(t, "all are counted where they went", func() bool {
		n := next.proxy.Counters()
		return n.Connections == 5 && n.MovedIn == 5
	})
	if n := r.proxy.Counters(); n.MovedOut != 5 {
		t.Errorf("counted %+v", n)
	}
}

// TestMoveOfAddresses: the client's address goes along.
func TestMoveOfAddresses(t *testing.T) {
	r := newRig(t, nil)
	r.serve(echoApp(t).addr)
	c := r.dial()
	eventually(t, "it is in", func() bool { return r.counters().Connections == 1 })
	next := r.successor()
	r.moveTo(next)
	r.left()
	c.send(getRequest)
	host, _, _ := net.SplitHostPort(c.LocalAddr().String())
	if got := c.answer(); !strings.Contains(got, "X-Forwarded-For: "+host+"\r\n") {
		t.Errorf("the app got %q", got)
	}
}

// TestMoveOfManyAgainAndAgain: thousands of idle connections, through several
// proxies.
func TestMoveOfManyAgainAndAgain(t *testing.T) {
	r := newRig(t, nil)
	r.serve(gatedApp(t, "one", nil).addr)
	clients := make([]*peer, 1000)
	for i := range clients {
		clients[i] = r.dial()
	}
	eventually(t, "all are in", func() bool { return r.counters().Connections == len(clients) })
	for range 5 {
		next := r.successor()
		r.moveTo(next)
		r.left()
		r = next
	}
	for _, c := range clients {
		c.send(getRequest)
	}
	for _, c := range clients {
		c.stays("one")
	}
}

// TestMoveUnderLoad: clients that never try anything twice keep their one
// connection through many workers.
func TestMoveUnderLoad(t *testing.T) {
	r := newRig(t, nil)
	r.serve(newBackend(t, func(p *peer) {
		for p.head() != "" {
			p.send(ok0)
		}
	}).addr)
	stop, done := make(chan struct{}), make(chan error, 8)
	for range cap(done) {
		c := r.dial()
		go func() { // ends with stop
			for {
				select {
				case <-stop:
					done <- nil
					return
				default:
				}
				c.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody")
				if h := c.head(); h != ok0 {
					done <- fmt.Errorf("got %q", h)
					return
				}
			}
		}()
	}
	eventually(t, "all are in", func() bool { return r.counters().Connections == cap(done) })
	for range 30 {
		next := r.successor()
		r.moveTo(next)
		r.left()
		r = next
		eventually(t, "clients go on", func() bool { return r.counters().Requests > 100 })
	}
	close(stop)
	for range cap(done) {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// TestMoveOfTheWaiting: a TCP client that has no instance yet waits on.
func TestMoveOfTheWaiting(t *testing.T) {
	r := newRig(t, tcpMode)
	r.apply()
	c := r.dial()
	c.send("hello")
	eventually(t, "it waits", func() bool { return r.counters().Holding == 1 })
	next := r.successor()
	r.moveTo(next)
	r.left()
	eventually(t, "it waits there", func() bool { return next.counters().Holding == 1 })
	next.serve(newBackend(t, echo).addr)
	c.expect("hello")
}

// TestMoveRefused: what the other worker does not take stays, and is served.
func TestMoveRefused(t *testing.T) {
	for name, change := range map[string]func(*rig){
		"full":        func(next *rig) { next.app().Traffic.MaxConnections = 1 },
		"unknown app": func(next *rig) { next.app().Name = "other" },
		"other mode":  func(next *rig) { next.app().Mode = "tcp" },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, nil)
			r.serve(gatedApp(t, "one", nil).addr)
			clients := []*peer{r.dial(), r.dial(), r.dial()}
			eventually(t, "all are in", func() bool { return r.counters().Connections == 3 })
			next := r.successor()
			change(next)
			next.apply()
			r.moveTo(next)
			moved := 0
			if name == "full" {
				moved = 1
			}
			eventually(t, "it is decided", func() bool { return int(r.proxy.movedOut.Load()) == moved && !anyFrozen(r.proxy) })
			last := 0
			for _, c := range clients {
				c.send(getRequest)
				if strings.Contains(c.head(), "Connection: close") {
					last++
				}
				c.expect("one")
				c.Close()
			}
			if last != 3-moved {
				t.Errorf("%d clients are told to connect anew", last)
			}
			r.left()
		})
	}
}

// anyFrozen reports whether a connection is yet to be decided about.
func anyFrozen(p *Proxy) bool {
	for i := range p.sweep.shards {
		sh := &p.sweep.shards[i]
		sh.mu.Lock()
		defer sh.mu.Unlock()
		for s := range sh.socks {
			if s.owner != nil && s.owner.freeze.Load() {
				return true
			}
		}
	}
	return false
}
