package proxy

import (
	"crypto/sha256"
	"io"
	"math/rand/v2"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gracevisor/internal/wire"
)

const (
	upgradeRequest = "GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\n\r\n"
	upgradeAnswer  = "HTTP/1.1 101 Switching Protocols\r\nX-A: 1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
)

// upgradeApp switches the protocol and then gives the connection to talk.
func upgradeApp(t *testing.T, talk func(*peer)) *backend {
	return newBackend(t, func(p *peer) {
		if h := p.head(); !strings.Contains(h, "Connection: Upgrade\r\nUpgrade: websocket\r\n") {
			t.Errorf("the app got %q", h)
		}
		p.send(upgradeAnswer)
		talk(p)
	})
}

func echo(p *peer) {
	io.Copy(p.Conn, p.r)
	p.Conn.(interface{ CloseWrite() error }).CloseWrite()
}

// TestUpgrade: bytes that the client sends before it has the answer reach the
// app, and the connection counts as in flight until it ends.
func TestUpgrade(t *testing.T) {
	r := newRig(t, nil)
	r.serve(upgradeApp(t, echo).addr)
	c := r.dial()
	c.send(upgradeRequest + "early")
	if h := c.head(); ownDate.ReplaceAllString(h, "") != upgradeAnswer {
		t.Fatalf("got %q", h)
	}
	c.expect("early")
	c.send("GET / HTTP/1.1\r\n\r\n")
	c.expect("GET / HTTP/1.1\r\n\r\n")
	r.serve(echoApp(t).addr)
	r.notDrained()
	c.send("still here")
	c.expect("still here")
	c.Conn.(*net.TCPConn).CloseWrite()
	if got, err := c.rest(); got != "" || err != nil {
		t.Errorf("the end: %q, %v", got, err)
	}
	r.waitDrained("demo/1")
}

// TestUpgradeRefused: what the client sent early is not taken for a request
// (RFC 9931).
func TestUpgradeRefused(t *testing.T) {
	for _, early := range []string{"", "GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n"} {
		app := newBackend(t, func(p *peer) {
			p.head()
			p.send("HTTP/1.1 403 Forbidden\r\nDate: x\r\nContent-Length: 0\r\n\r\n")
			if h := p.head(); h != "" {
				t.Errorf("the app got %q", h)
			}
		})
		r := newRig(t, nil)
		r.serve(app.addr)
		c := r.dial()
		c.send(upgradeRequest + early)
		want := "HTTP/1.1 403 Forbidden\r\nDate: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
		if got, err := c.rest(); got != want || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
	}
}

// TestUpgradeNotListed: h2c is never passed on, and the request is an ordinary
// one.
func TestUpgradeNotListed(t *testing.T) {
	r := newRig(t, nil)
	r.serve(echoApp(t).addr)
	c := r.dial()
	for range 2 {
		c.send("GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\n\r\n")
		if got := c.answer(); strings.Contains(got, "pgrade") || strings.Contains(got, "HTTP2") {
			t.Errorf("the app got %q", got)
		}
	}
}

func tcpMode(a *wire.App) { a.Mode = "tcp" }

// TestTCP: a connection waits for an instance, is passed through with its
// half-closes both ways, and counts as in flight.
func TestTCP(t *testing.T) {
	r := newRig(t, tcpMode)
	r.apply()
	c := r.dial()
	c.send("hello")
	eventually(t, "it waits", func() bool { return r.counters().Holding == 1 })
	r.serve(newBackend(t, echo).addr)
	c.expect("hello")
	r.serve(newBackend(t, echo).addr)
	r.notDrained()
	c.Conn.(*net.TCPConn).CloseWrite()
	if got, err := c.rest(); got != "" || err != nil {
		t.Errorf("the end: %q, %v", got, err)
	}
	r.waitDrained("demo/1")
	if n := r.counters(); n.BytesIn != 5 || n.BytesOut != 5 || n.Held != 1 || n.Instances[0].BytesIn != 5 || n.Instances[0].BytesOut != 5 {
		t.Errorf("counted %+v", n)
	}
}

// TestHalfClosedByApp: the app ends first, and still gets what the client sends.
func TestHalfClosedByApp(t *testing.T) {
	got := make(chan string, 1)
	app := newBackend(t, func(p *peer) {
		p.send("bye")
		p.Conn.(*net.TCPConn).CloseWrite()
		s, _ := p.rest()
		got <- s
	})
	r := newRig(t, tcpMode)
	r.serve(app.addr)
	c := r.dial()
	if s, err := c.rest(); s != "bye" || err != nil {
		t.Errorf("got %q, %v", s, err)
	}
	c.send("and more")
	c.Conn.(*net.TCPConn).CloseWrite()
	if s := <-got; s != "and more" {
		t.Errorf("the app got %q", s)
	}
}

// TestTCPUnavailable: without hope the connection is closed at once.
func TestTCPUnavailable(t *testing.T) {
	r := newRig(t, func(a *wire.App) { a.Mode, a.Disposition = "tcp", wire.Unavailable })
	r.apply()
	if got, _ := r.dial().rest(); got != "" {
		t.Errorf("got %q", got)
	}
}

// TestResetIsPassedOn: a connection that breaks is not made to look complete.
func TestResetIsPassedOn(t *testing.T) {
	ready := make(chan struct{})
	app := newBackend(t, func(p *peer) {
		p.send("part")
		<-ready
		p.Conn.(*net.TCPConn).SetLinger(0)
	})
	r := newRig(t, tcpMode)
	r.serve(app.addr)
	c := r.dial()
	c.expect("part")
	close(ready)
	if got, err := c.rest(); err == nil {
		t.Errorf("a reset became an end, after %q", got)
	}
}

// TestStream: every byte arrives, both ways at once, with a slow reader that
// fills all buffers, to a TCP and to a Unix socket.
func TestStream(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) {
			address := "127.0.0.1:0"
			if network == "unix" {
				address = filepath.Join(t.TempDir(), "sock")
			}
			l, err := net.Listen(network, address)
			if err != nil {
				t.Fatal(err)
			}
			r := newRig(t, tcpMode)
			r.serve(newBackendOn(t, l, echo).addr)
			c := r.dial()
			const size = 20 << 20
			sent := make(chan [32]byte, 1)
			go func() { // ends once all is written
				h := sha256.New()
				src := io.LimitReader(rand.NewChaCha8([32]byte{1}), size)
				io.Copy(io.MultiWriter(c.Conn, h), src)
				c.Conn.(*net.TCPConn).CloseWrite()
				sent <- [32]byte(h.Sum(nil))
			}()
			eventually(t, "the buffers are full", func() bool {
				n := r.counters().BytesOut
				time.Sleep(20 * time.Millisecond)
				return n > 0 && n == r.counters().BytesOut
			})
			h := sha256.New()
			if n, err := io.Copy(h, c.r); n != size || err != nil {
				t.Fatalf("%d bytes came back, %v", n, err)
			}
			if [32]byte(h.Sum(nil)) != <-sent {
				t.Error("other bytes came back")
			}
		})
	}
}
