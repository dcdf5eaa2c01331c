package proxy

import (
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"gracevisor/internal/wire"
)

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

// TestHoldOrder: those who waited reach the app in the order in which they came,
// though some have left meanwhile, and each of two tables lets some go.
func TestHoldOrder(t *testing.T) {
	for _, mode := range []string{"http", "tcp"} {
		t.Run(mode, func(t *testing.T) {
			r := newRig(t, func(a *wire.App) { a.Mode = mode })
			r.apply()
			app := listenHere(t)
			const n = 60
			var clients []*peer
			for i := range n {
				c := r.dial()
				c.send("GET /" + itoa(i) + " HTTP/1.1\r\nHost: h\r\n\r\n")
				eventually(t, "it waits", func() bool { return r.counters().Holding == i+1 })
				clients = append(clients, c)
			}
			for i, c := range clients {
				if i%10 == 5 {
					c.Conn.(*net.TCPConn).SetLinger(0)
					c.Close()
				}
			}
			eventually(t, "some have left", func() bool { return r.counters().Holding == n-n/10 })
			r.serve(app.Addr().String())
			r.apply()
			for i := range n {
				if i%10 == 5 {
					continue
				}
				c, err := app.Accept()
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				if h := newPeer(t, c).head(); !strings.HasPrefix(h, "GET /"+itoa(i)+" ") {
					t.Fatalf("after %d came %.20q", i-1, h)
				}
			}
		})
	}
}

// TestHoldHalfClosed: who has said all that it has to say before there is an
// instance waits on in TCP mode, where that is no sign of having left.
func TestHoldHalfClosed(t *testing.T) {
	r := newRig(t, tcpMode)
	r.apply()
	clients := make([]*peer, 20)
	for i := range clients {
		clients[i] = r.dial()
		clients[i].send("hello")
		eventually(t, "it waits", func() bool { return r.counters().Holding == i+1 })
		clients[i].Conn.(*net.TCPConn).CloseWrite()
	}
	r.serve(newBackend(t, echo).addr)
	for _, c := range clients {
		if got, err := c.rest(); got != "hello" || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
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

// freeAddress is one that refuses connections, and that nobody else gets as long
// as the test runs.
func freeAddress(t *testing.T) string {
	t.Helper()
	fd, address := boundSocket(t)
	t.Cleanup(func() { unix.Close(fd) })
	return address
}

// boundSocket has an address of its own, and does not listen.
func boundSocket(t *testing.T) (fd int, address string) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	name, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	return fd, net.JoinHostPort("127.0.0.1", itoa(name.(*unix.SockaddrInet4).Port))
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

// TestCrashInFlight: an instance dies with requests in flight. Those that may be
// sent again are answered by the one that comes after it; the others fail, but
// none is sent twice.
func TestCrashInFlight(t *testing.T) {
	one := newBackend(t, func(p *peer) {
		p.head()
		p.rest()
	})
	two := gatedApp(t, "two", nil)
	r := newRig(t, nil)
	r.serve(one.addr)
	get, post := r.dial(), r.dial()
	get.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	post.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx")
	eventually(t, "both are in flight", func() bool { return r.counters().Instances[0].InFlight == 2 })
	one.close()
	if h := post.head(); !strings.HasPrefix(h, "HTTP/1.1 502 ") {
		t.Errorf("POST got %q", h)
	}
	eventually(t, "GET waits", func() bool { return r.counters().Held == 1 })
	r.serve(two.addr)
	if got := get.answer(); got != "two" {
		t.Errorf("GET got %q", got)
	}
}
