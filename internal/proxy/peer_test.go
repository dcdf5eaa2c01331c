package proxy

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// A backend is an app made of a function that is given each connection.
type backend struct {
	t     testing.TB
	l     net.Listener
	addr  string
	mu    sync.Mutex
	conns map[net.Conn]bool
	wg    sync.WaitGroup
}

// newBackend listens on loopback TCP; handle owns the connection until it
// returns.
func newBackend(t testing.TB, handle func(*peer)) *backend {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return newBackendOn(t, l, handle)
}

func newBackendOn(t testing.TB, l net.Listener, handle func(*peer)) *backend {
	b := &backend{t: t, l: l, addr: l.Addr().String(), conns: make(map[net.Conn]bool)}
	t.Cleanup(b.close)
	b.wg.Go(func() { // ended by close
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			b.mu.Lock()
			b.conns[c] = true
			b.mu.Unlock()
			b.wg.Go(func() { // ended by close at the latest
				defer func() {
					b.mu.Lock()
					delete(b.conns, c)
					b.mu.Unlock()
					c.Close()
				}()
				handle(newPeer(t, c))
			})
		}
	})
	return b
}

// close ends the backend with all its connections.
func (b *backend) close() {
	b.l.Close()
	b.mu.Lock()
	for c := range b.conns {
		c.Close()
	}
	b.mu.Unlock()
	b.wg.Wait()
}

// A peer is one end of a connection in a test.
type peer struct {
	net.Conn
	t testing.TB
	r *bufio.Reader
}

func newPeer(t testing.TB, c net.Conn) *peer {
	c.SetDeadline(time.Now().Add(deadMan))
	return &peer{c, t, bufio.NewReader(c)}
}

// dial connects to the proxy.
func (r *rig) dial() *peer {
	r.t.Helper()
	c, err := net.Dial("tcp", r.front)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { c.Close() })
	return newPeer(r.t, c)
}

// send writes.
func (p *peer) send(s string) {
	p.t.Helper()
	if _, err := io.WriteString(p.Conn, s); err != nil {
		p.t.Errorf("send: %v", err)
	}
}

// head reads up to and with an empty line; "" at the end of the stream.
func (p *peer) head() string {
	var b strings.Builder
	for {
		line, err := p.r.ReadString('\n')
		b.WriteString(line)
		if err != nil {
			return ""
		}
		if line == "\r\n" {
			return b.String()
		}
	}
}

// take reads n bytes.
func (p *peer) take(n int) string {
	p.t.Helper()
	b := make([]byte, n)
	if m, err := io.ReadFull(p.r, b); err != nil {
		p.t.Errorf("read %d bytes: %v after %q", n, err, b[:m])
	}
	return string(b)
}

// rest reads up to the end of the stream, and returns how it ended.
func (p *peer) rest() (string, error) {
	b, err := io.ReadAll(p.r)
	return string(b), err
}

// expect reads exactly want.
func (p *peer) expect(want string) {
	p.t.Helper()
	b := make([]byte, len(want))
	n, err := io.ReadFull(p.r, b)
	if got := string(b[:n]); got != want {
		p.t.Errorf("got %q (%v), want %q", got, err, want)
	}
}

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
				select {
				case <-gate:
				case <-t.Context().Done(): // the test has failed
				}
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
