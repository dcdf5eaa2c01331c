package proxy

import (
	"net"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// fdConn makes a net.Conn of a descriptor.
func fdConn(t *testing.T, fd int) net.Conn {
	t.Helper()
	f := os.NewFile(uintptr(fd), "pair")
	defer f.Close()
	c, err := net.FileConn(f)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// sendWithFin sends s and the end of the stream in one segment, which wakes the
// receiver once for both.
func (p *peer) sendWithFin(s string) {
	p.t.Helper()
	c := p.Conn.(*net.TCPConn)
	raw, err := c.SyscallConn()
	if err != nil {
		p.t.Fatal(err)
	}
	raw.Control(func(fd uintptr) { unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_CORK, 1) })
	p.send(s)
	c.CloseWrite()
}

// TestFinWithData: an end that comes in the segment of the last bytes is seen, on
// both sides, with HTTP and without.
func TestFinWithData(t *testing.T) {
	app := newBackend(t, func(p *peer) {
		if h := p.head(); strings.HasPrefix(h, "GET /until-close ") {
			p.sendWithFin("HTTP/1.1 200 OK\r\nDate: x\r\n\r\nabc")
		} else if h != "" {
			p.sendWithFin("HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: 3\r\n\r\nabc")
		}
		p.rest()
	})
	for _, mode := range []string{"http", "tcp"} {
		r := newRig(t, nil)
		r.app().Mode = mode
		r.serve(app.addr)
		for range 50 {
			for _, path := range []string{"/until-close", "/length"} {
				c := r.dial()
				c.sendWithFin("GET " + path + " HTTP/1.1\r\nHost: h\r\n\r\n")
				if got, err := c.rest(); !strings.Contains(got, "abc") || err != nil {
					t.Fatalf("%s %s: got %q, %v", mode, path, got, err)
				}
				c.Close()
			}
		}
	}
}
