package proxy

import (
	"net"
	"strings"
	"sync/atomic"
	"testing"
)

// resetApp answers the first request of a connection and resets it as the next
// one arrives, without reading it. It counts what it has read.
func resetApp(t *testing.T, read *atomic.Int64) *backend {
	return newBackend(t, func(p *peer) {
		h := p.head()
		if h == "" {
			return
		}
		read.Add(1)
		if i := strings.Index(h, "Content-Length: "); i >= 0 && h[i+16] == '2' {
			p.take(2)
		}
		p.send(ok0)
		p.r.Peek(1)
		p.Conn.(*net.TCPConn).SetLinger(0)
	})
}

// TestReset: an app that resets kept-alive connections as the next request
// arrives. What may be sent twice never fails; what may not is never sent
// twice.
func TestReset(t *testing.T) {
	for _, request := range []string{
		"GET / HTTP/1.1\r\nHost: h\r\n\r\n",
		"OPTIONS / HTTP/1.1\r\nHost: h\r\n\r\n",
		"DELETE / HTTP/1.1\r\nHost: h\r\n\r\n",
		"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nab",
	} {
		t.Run(request[:4], func(t *testing.T) {
			var read atomic.Int64
			r := newRig(t, nil)
			r.serve(resetApp(t, &read).addr)
			c := r.dial()
			for range 100 {
				c.send(request)
				if h := c.head(); h != ok0 {
					t.Fatalf("got %q", h)
				}
			}
			if n := read.Load(); n != 100 {
				t.Errorf("the app read %d requests", n)
			}
		})
	}
	t.Run("POST", func(t *testing.T) {
		var read atomic.Int64
		r := newRig(t, nil)
		r.serve(resetApp(t, &read).addr)
		c := r.dial()
		var ok int64
		for range 100 {
			c.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nab")
			h := c.head()
			if h == ok0 {
				ok++
			} else {
				c.take(len("502 Bad Gateway\n"))
			}
		}
		if n := read.Load(); n != ok {
			t.Errorf("%d of 100 were answered, the app read %d", ok, n)
		}
	})
}

// TestCloseWhileIdle: a connection that the app has closed, or spoken on, while
// it was idle is used for nothing, whatever the method.
func TestCloseWhileIdle(t *testing.T) {
	for name, farewell := range map[string]string{
		"closed":        "",
		"spoke unasked": "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			closed := make(chan struct{}, 1)
			app := newBackend(t, func(p *peer) {
				p.head()
				p.send(ok0 + farewell)
				p.Close()
				closed <- struct{}{}
			})
			r := newRig(t, nil)
			r.serve(app.addr)
			c := r.dial()
			for range 20 {
				c.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n")
				if h := c.head(); h != ok0 {
					t.Fatalf("got %q", h)
				}
				<-closed
			}
		})
	}
}

// TestSilentApp: a request that was sent in full and not answered is sent once
// more if its method permits, and never a third time.
func TestSilentApp(t *testing.T) {
	for method, want := range map[string]int64{"GET": 2, "POST": 1} {
		t.Run(method, func(t *testing.T) {
			var read atomic.Int64
			app := newBackend(t, func(p *peer) {
				if p.head() != "" {
					read.Add(1)
				}
			})
			r := newRig(t, nil)
			r.serve(app.addr)
			c := r.dial()
			c.send(method + " / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n")
			if h := c.head(); !strings.HasPrefix(h, "HTTP/1.1 502 ") {
				t.Errorf("got %q", h)
			}
			if n := read.Load(); n != want {
				t.Errorf("sent %d times, not %d", n, want)
			}
		})
	}
}

// TestShortLife: a connection whose app says that it closes soon is not kept.
func TestShortLife(t *testing.T) {
	var conns atomic.Int64
	app := newBackend(t, func(p *peer) {
		conns.Add(1)
		for p.head() != "" {
			p.send(strings.Replace(ok0, "\r\n\r\n", "\r\nKeep-Alive: timeout=1\r\n\r\n", 1))
		}
	})
	r := newRig(t, nil)
	r.serve(app.addr)
	c := r.dial()
	for range 3 {
		c.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
		if h := c.head(); h != ok0 {
			t.Fatalf("got %q", h)
		}
	}
	if n := conns.Load(); n != 3 {
		t.Errorf("%d connections for 3 requests", n)
	}
}
