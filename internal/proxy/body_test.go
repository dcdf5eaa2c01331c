package proxy

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"gracevisor/internal/wire"
)

// TestBodySizes sends bodies of many sizes through, both ways, with and without
// their length being known, and net/http at both ends as the second opinion.
func TestBodySizes(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	app := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("the app read: %v", err)
		}
		if r.URL.Path == "/length" {
			w.Header().Set("Content-Length", itoa(len(body)))
		}
		w.Header().Set("Trailer", "Sum")
		w.Write(body)
		w.Header().Set("Sum", fmt.Sprintf("%x", sha256.Sum256(body)))
	})}
	go app.Serve(l) // ended by Close
	defer app.Close()
	r := newRig(t, nil)
	r.serve(l.Addr().String())
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: deadMan}
	source := rand.NewChaCha8([32]byte{2})
	for _, size := range []int{0, 1, 100, 4000, 8191, 8192, 16384, 65535, 65536, 65537, 100000, 1 << 20, 5 << 20} {
		body := make([]byte, size)
		source.Read(body)
		for _, path := range []string{"/length", "/chunked"} {
			var reader io.Reader = bytes.NewReader(body)
			if path == "/chunked" {
				reader = io.MultiReader(reader) // hides the length
			}
			resp, err := client.Post("http://"+r.front+path, "application/octet-stream", reader)
			if err != nil {
				t.Fatalf("%d bytes, %s: %v", size, path, err)
			}
			got, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if err != nil || !bytes.Equal(got, body) {
				t.Fatalf("%d bytes, %s: %d came back, %v", size, path, len(got), err)
			}
			if sum := resp.Trailer.Get("Sum"); path == "/chunked" && size > 0 && sum != fmt.Sprintf("%x", sha256.Sum256(body)) {
				t.Errorf("%d bytes: trailer %q", size, sum)
			}
		}
	}
	if n := r.counters(); n.Errors != 0 || n.Retries != 0 {
		t.Errorf("counted %+v", n)
	}
}

// TestKeepAliveAfterUpload: an answer that comes as soon as the app has the last
// byte of a long body leaves the connection as it was.
func TestKeepAliveAfterUpload(t *testing.T) {
	const size = 300 << 10
	app := newBackend(t, func(p *peer) {
		for p.head() != "" {
			p.take(size)
			p.send(ok0)
		}
	})
	r := newRig(t, nil)
	r.serve(app.addr)
	c := r.dial()
	body := strings.Repeat("x", size)
	for range 100 {
		c.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: " + itoa(size) + "\r\n\r\n" + body)
		if h := c.head(); h != ok0 {
			t.Fatalf("got %q", h)
		}
	}
}

// TestConversation: request and answer in chunks, each waiting for the other.
func TestConversation(t *testing.T) {
	app := newBackend(t, func(p *peer) {
		p.head()
		p.send("HTTP/1.1 200 OK\r\nDate: x\r\nTransfer-Encoding: chunked\r\n\r\n")
		for range 3 {
			p.expect("2\r\nhi\r\n")
			p.send("3\r\nyou\r\n")
		}
		p.expect("0\r\n\r\n")
		p.send("0\r\n\r\n")
		if p.head() != "" {
			p.send(ok0)
		}
	})
	r := newRig(t, nil)
	r.serve(app.addr)
	c := r.dial()
	c.send("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n")
	c.expect("HTTP/1.1 200 OK\r\nDate: x\r\nTransfer-Encoding: chunked\r\n\r\n")
	for range 3 {
		c.send("2\r\nhi\r\n")
		c.expect("3\r\nyou\r\n")
	}
	c.send("0\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n")
	c.expect("0\r\n\r\n" + ok0)
}

// TestEvents: a stream of events arrives without delay.
func TestEvents(t *testing.T) {
	next := make(chan string)
	app := newBackend(t, func(p *peer) {
		p.head()
		p.send("HTTP/1.1 200 OK\r\nDate: x\r\nContent-Type: text/event-stream\r\n\r\n")
		for s := range next {
			p.send(s)
		}
	})
	r := newRig(t, func(a *wire.App) { a.Traffic.BodyTimeout = 20 * time.Millisecond })
	r.serve(app.addr)
	c := r.dial()
	c.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	c.expect("HTTP/1.1 200 OK\r\nDate: x\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
	for range 3 {
		next <- "data: 1\n\n"
		c.expect("9\r\ndata: 1\n\n\r\n")
	}
	close(next)
	c.expect("0\r\n\r\n")
}

// TestExpect: the app's word decides whether the body is sent (RFC 9110
// §10.1.1).
func TestExpect(t *testing.T) {
	const head = "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n"
	t.Run("continue", func(t *testing.T) {
		app := newBackend(t, func(p *peer) {
			for {
				h := p.head()
				if h == "" {
					return
				}
				if !strings.Contains(h, "\r\nExpect: 100-continue\r\n") {
					t.Errorf("the app got %q", h)
				}
				p.send("HTTP/1.1 100 Continue\r\n\r\n")
				p.expect("body")
				p.send(ok0)
			}
		})
		r := newRig(t, nil)
		r.serve(app.addr)
		c := r.dial()
		for range 2 {
			c.send(head)
			c.expect("HTTP/1.1 100 Continue\r\n\r\n")
			c.send("body")
			c.expect(ok0)
		}
	})
	t.Run("final", func(t *testing.T) {
		app := newBackend(t, func(p *peer) {
			p.head()
			p.send("HTTP/1.1 417 Expectation Failed\r\nDate: x\r\nContent-Length: 0\r\n\r\n")
			p.r.ReadByte()
		})
		r := newRig(t, nil)
		r.serve(app.addr)
		c := r.dial()
		c.send(head)
		want := "HTTP/1.1 417 Expectation Failed\r\nDate: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
		if got, err := c.rest(); got != want || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
	})
	t.Run("not waited for", func(t *testing.T) {
		app := newBackend(t, func(p *peer) {
			p.head()
			p.expect("body")
			p.send(ok0)
			p.r.ReadByte()
		})
		r := newRig(t, nil)
		r.serve(app.addr)
		c := r.dial()
		c.send(head)
		c.send("body")
		c.expect(ok0)
	})
}

// TestEarlyAnswer: an app that answers before it has read the body, and closes.
// The client gets the answer though it is still sending (RFC 9112 §9.6).
func TestEarlyAnswer(t *testing.T) {
	for name, size := range map[string]int{"small": 60 << 10, "large": 8 << 20} {
		t.Run(name, func(t *testing.T) {
			app := newBackend(t, func(p *peer) {
				p.head()
				p.send("HTTP/1.1 413 Content Too Large\r\nDate: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
			})
			r := newRig(t, nil)
			r.serve(app.addr)
			c := r.dial()
			go io.WriteString(c.Conn, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: "+itoa(size)+"\r\n\r\n"+strings.Repeat("x", size))
			if h := c.head(); !strings.HasPrefix(h, "HTTP/1.1 413 ") {
				t.Errorf("got %q", h)
			}
		})
	}
}

// TestBadBody: a body that turns out to break the rules after its beginning was
// sent on ends the request on both sides.
func TestBadBody(t *testing.T) {
	cases := map[string]struct {
		head, more string
		change     func(*wire.App)
		want       string
	}{
		"bad chunk": {"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n", "x\r\n", nil, "HTTP/1.1 400 "},
		"too long": {"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n", "9\r\n012345678\r\n",
			func(a *wire.App) { a.Traffic.MaxBodyBytes = 10 }, "HTTP/1.1 413 "},
		"too slow": {"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n", "",
			func(a *wire.App) { a.Traffic.BodyTimeout = 30 * time.Millisecond }, "HTTP/1.1 408 "},
		"small and too slow": {"Content-Length: 4\r\n\r\nab", "",
			func(a *wire.App) { a.Traffic.BodyTimeout = 30 * time.Millisecond }, "HTTP/1.1 408 "},
	}
	for name, k := range cases {
		t.Run(name, func(t *testing.T) {
			app := newBackend(t, func(p *peer) {
				p.rest()
			})
			r := newRig(t, k.change)
			r.serve(app.addr)
			c := r.dial()
			c.send("POST / HTTP/1.1\r\nHost: h\r\n" + k.head)
			if !strings.Contains(name, "small") {
				eventually(t, "it has begun", func() bool { return r.counters().Instances[0].InFlight == 1 })
			}
			c.send(k.more)
			if h := c.head(); !strings.HasPrefix(h, k.want) {
				t.Errorf("got %q", h)
			}
			eventually(t, "nothing is in flight", func() bool { return r.counters().Instances[0].InFlight == 0 })
		})
	}
}
