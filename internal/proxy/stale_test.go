package proxy

import (
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"gracevisor/internal/wire"
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

// TestKeptBody: a request that an instance took, and died of, is sent to the next
// one with its body, if that was kept.
func TestKeptBody(t *testing.T) {
	for size, want := range map[int]string{0: "200", 64 << 10: "200", 64<<10 + 1: "502"} {
		t.Run(itoa(size), func(t *testing.T) {
			var conns atomic.Int64
			app := newBackend(t, func(p *peer) {
				if p.head() == "" {
					return
				}
				if p.take(size); conns.Add(1) > 1 {
					p.send(ok0)
				}
			})
			r := newRig(t, nil)
			r.serve(app.addr)
			c := r.dial()
			c.send("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: " + itoa(size) + "\r\n\r\n" + strings.Repeat("x", size))
			if h := c.head(); !strings.HasPrefix(h, "HTTP/1.1 "+want) {
				t.Errorf("got %q", h)
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

// TestResetBodies: a body that is kept is sent again with its request, and what
// has a longer one goes where it meets no stale connection.
func TestResetBodies(t *testing.T) {
	chunks := "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
	for name, request := range map[string]string{
		"PUT of 64 KiB":        "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 65536\r\n\r\n" + strings.Repeat("x", 65536),
		"PUT of more":          "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 65537\r\n\r\n" + strings.Repeat("x", 65537),
		"POST of more":         "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 65537\r\n\r\n" + strings.Repeat("x", 65537),
		"PUT in chunks":        strings.Replace(chunks, "POST", "PUT", 1) + "3\r\nabc\r\n0\r\n\r\n",
		"POST in later chunks": chunks,
	} {
		t.Run(name, func(t *testing.T) {
			var read atomic.Int64
			app := newBackend(t, func(p *peer) {
				r, err := http.ReadRequest(p.r)
				if err != nil {
					return
				}
				if _, err := io.Copy(io.Discard, r.Body); err != nil {
					t.Errorf("read body: %v", err)
				}
				read.Add(1)
				p.send(ok0)
				p.r.Peek(1)
				p.Conn.(*net.TCPConn).SetLinger(0)
			})
			r := newRig(t, nil)
			r.serve(app.addr)
			c := r.dial()
			const times = 30
			for i := range times {
				c.send(request)
				if request == chunks {
					eventually(t, "it has begun", func() bool { return r.counters().Instances[0].Requests == uint64(i+1) })
					c.send("3\r\nabc\r\n0\r\n\r\n")
				}
				if h := c.head(); h != ok0 {
					t.Fatalf("got %q", h)
				}
			}
			if n := read.Load(); n != times {
				t.Errorf("the app read %d requests", n)
			}
		})
	}
}

// TestAgedConnections: an idle connection that may be about to be closed is not
// used for what may not be sent twice, and after a while for nothing. Then it is
// closed.
func TestAgedConnections(t *testing.T) {
	ended := make(chan int, 10)
	var conns atomic.Int64
	app := newBackend(t, func(p *peer) {
		n := int(conns.Add(1))
		for p.head() != "" {
			p.send("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n" + itoa(n))
		}
		ended <- n
	})
	r := newRig(t, nil)
	r.serve(app.addr)
	pool := &r.proxy.instances["demo/1"].pool
	// age has all of them be idle for so long, and for no longer however slow
	// the test is.
	age := func(by time.Duration) {
		eventually(t, "all are at rest", func() bool { return r.counters().Instances[0].InFlight == 0 })
		pool.mu.Lock()
		defer pool.mu.Unlock()
		for _, u := range pool.idle {
			u.since = monotime() - int64(by)
			u.expires = u.since + int64(idleLife)
			if by < idleLife {
				u.expires += int64(deadMan)
			}
			if by == 0 {
				u.since += int64(deadMan)
			}
		}
	}
	c := r.dial()
	for _, step := range []struct {
		age    time.Duration
		method string
		conn   string // that it comes to
	}{
		{0, "GET", "1"},
		{0, "POST", "1"},
		{freshEnough, "POST", "2"},
		{0, "POST", "2"},
		{freshEnough, "DELETE", "2"},
		{idleLife, "GET", "3"},
	} {
		age(step.age)
		c.send(step.method + " / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n")
		if got := c.answer(); got != step.conn {
			t.Fatalf("%s after %v came to connection %s, not %s", step.method, step.age, got, step.conn)
		}
	}
	for range 2 { // by the sweeper, in any order
		if got := <-ended; got > 2 {
			t.Errorf("connection %d was closed", got)
		}
	}
}

// TestConnectTimeout: an instance that lets no connection come about is given up
// in time, and the request goes to the one that comes in its place.
func TestConnectTimeout(t *testing.T) {
	fd, full := boundSocket(t)
	defer unix.Close(fd)
	if err := unix.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	first, err := net.Dial("tcp", full)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	eventually(t, "the queue is full", func() bool {
		info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
		return err == nil && info.Unacked > info.Sacked // of one that listens: how many wait, and may
	})
	r := newRig(t, func(a *wire.App) { a.Traffic.ConnectTimeout = 20 * time.Millisecond })
	r.serve(full)
	c := r.dial()
	c.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n")
	eventually(t, "it is tried again", func() bool { return r.counters().Retries > 1 })
	r.serve(gatedApp(t, "two", nil).addr)
	if got := c.answer(); got != "two" {
		t.Errorf("got %q", got)
	}
}
