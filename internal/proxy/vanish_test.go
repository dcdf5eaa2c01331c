package proxy

import (
	"net"
	"strings"
	"testing"
	"time"

	"gracevisor/internal/wire"
)

// TestVanish: clients that leave at any point leave nothing behind.
func TestVanish(t *testing.T) {
	gate := make(chan struct{})
	defer close(gate)
	app := newBackend(t, func(p *peer) {
		for {
			h := p.head()
			switch {
			case h == "":
				return
			case strings.HasPrefix(h, "GET /stream "):
				p.send("HTTP/1.1 200 OK\r\n\r\n")
				for {
					if _, err := p.Write(make([]byte, 1<<16)); err != nil {
						return
					}
				}
			case strings.HasPrefix(h, "GET /silent "), strings.HasPrefix(h, "POST "):
				p.rest()
				return
			}
			p.send(ok0)
		}
	})
	for name, request := range map[string]string{
		"in the head":      "GET / HT",
		"before a request": "",
		"in a small body":  "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nab",
		"in a large body":  "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\nab",
		"in chunks":        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nab",
		"in the answer":    "GET /stream HTTP/1.1\r\nHost: h\r\n\r\n",
		"without answer":   "GET /silent HTTP/1.1\r\nHost: h\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, nil)
			r.serve(app.addr)
			c := r.dial()
			c.send(request)
			eventually(t, "it is there", func() bool { return r.counters().Connections == 1 })
			if strings.Contains(name, "answer") || strings.Contains(name, "large") || strings.Contains(name, "chunks") {
				eventually(t, "it has begun", func() bool { return r.counters().Instances[0].InFlight == 1 })
			}
			c.Conn.(*net.TCPConn).SetLinger(0)
			c.Close()
			eventually(t, "all is gone", func() bool {
				n := r.counters()
				return n.Connections == 0 && n.Instances[0].InFlight == 0
			})
		})
	}
}

// TestHalfClosedClient: a client that sends its end with the request, in the
// same segment, is answered, and let go at once after that.
func TestHalfClosedClient(t *testing.T) {
	r := newRig(t, nil)
	r.serve(gatedApp(t, "one", nil).addr)
	for range 50 {
		c := r.dial()
		c.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
		c.Conn.(*net.TCPConn).CloseWrite()
		if got := c.answer(); got != "one" {
			t.Errorf("got %q", got)
		}
		if got, err := c.rest(); got != "" || err != nil {
			t.Errorf("the end: %q, %v", got, err)
		}
	}
}

// TestTimeouts: each of the time-outs ends what it is for.
func TestTimeouts(t *testing.T) {
	const soon = 30 * time.Millisecond
	silent := newBackend(t, func(p *peer) { p.rest() })
	for name, k := range map[string]struct {
		change  func(*wire.Traffic)
		request string
		want    string
	}{
		"no request":        {func(t *wire.Traffic) { t.HeaderTimeout = soon }, "", ""},
		"slow header":       {func(t *wire.Traffic) { t.HeaderTimeout = soon }, "GET / HTTP/1.1\r\nHo", "HTTP/1.1 408 "},
		"slow answer":       {func(t *wire.Traffic) { t.AnswerTimeout = soon }, "GET / HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 504 "},
		"slow answer, POST": {func(t *wire.Traffic) { t.AnswerTimeout = soon }, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx", "HTTP/1.1 504 "},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, func(a *wire.App) { k.change(&a.Traffic) })
			r.serve(silent.addr)
			c := r.dial()
			c.send(k.request)
			h := c.head()
			if !strings.HasPrefix(h, k.want) || k.want == "" && h != "" {
				t.Errorf("got %q", h)
			}
		})
	}
	t.Run("idle", func(t *testing.T) {
		r := newRig(t, func(a *wire.App) { a.Traffic.IdleTimeout = soon })
		r.serve(gatedApp(t, "one", nil).addr)
		c := r.dial()
		if got := c.get("/"); got != "one" {
			t.Errorf("got %q", got)
		}
		if got, err := c.rest(); got != "" || err != nil {
			t.Errorf("the end: %q, %v", got, err)
		}
	})
	t.Run("slow reader", func(t *testing.T) {
		app := newBackend(t, func(p *peer) {
			p.head()
			p.send("HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
			p.Write(make([]byte, 100000000))
		})
		r := newRig(t, func(a *wire.App) { a.Traffic.BodyTimeout = soon })
		r.serve(app.addr)
		c := r.dial()
		c.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
		eventually(t, "it has begun", func() bool { return r.counters().Requests == 1 })
		eventually(t, "it is given up", func() bool { return r.counters().Connections == 0 })
	})
}

// TestConnectionLimit: clients over the limit wait in the backlog until others
// leave.
func TestConnectionLimit(t *testing.T) {
	for name, limit := range map[string]func(*wire.Table){
		"of an app": func(t *wire.Table) { t.Apps[0].Traffic.MaxConnections = 2 },
		"in all":    func(t *wire.Table) { t.MaxConnections = 2 },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, nil)
			limit(&r.table)
			r.serve(gatedApp(t, "one", nil).addr)
			a, b, late := r.dial(), r.dial(), r.dial()
			late.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
			const rounds = 20 // time enough for it, if it were let in
			for range rounds {
				for _, c := range []*peer{a, b} {
					if got := c.get("/"); got != "one" {
						t.Errorf("got %q", got)
					}
				}
			}
			// Whom the limit keeps out is counted for a moment.
			eventually(t, "only two are in", func() bool { return r.counters().Connections == 2 })
			if n := r.counters().Requests; n != 2*rounds {
				t.Errorf("%d requests are served, over the limit", n)
			}
			a.Close()
			if got := late.answer(); got != "one" {
				t.Errorf("got %q", got)
			}
		})
	}
}

// TestSlowHeaders: many clients that are slow to say what they want do not keep
// others from being served.
func TestSlowHeaders(t *testing.T) {
	r := newRig(t, nil)
	r.serve(gatedApp(t, "one", nil).addr)
	slow := make([]*peer, 200)
	for i := range slow {
		slow[i] = r.dial()
		slow[i].send("GET / HTTP/1.1\r\nHos")
	}
	c := r.dial()
	for range 10 {
		if got := c.get("/"); got != "one" {
			t.Errorf("got %q", got)
		}
	}
	for _, s := range slow {
		s.send("t: h\r\n\r\n")
	}
	for _, s := range slow {
		if got := s.answer(); got != "one" {
			t.Errorf("got %q", got)
		}
	}
}
