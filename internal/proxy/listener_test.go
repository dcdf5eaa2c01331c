package proxy

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"gracevisor/internal/wire"
)

// TestSharedListenerStaysNonblocking: other processes hold the same open file
// description.
func TestSharedListenerStaysNonblocking(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	f, err := l.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t, func(a *wire.App) { a.Listeners = []string{"shared"} })
	if err := r.proxy.AddFile("shared", f); err != nil {
		t.Fatal(err)
	}
	r.front = l.Addr().String()
	r.serve(gatedApp(t, "one", nil).addr)
	if got := r.dial().get("/"); got != "one" {
		t.Errorf("got %q", got)
	}
	r.proxy.Drain()
	raw, err := l.(*net.TCPListener).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	raw.Control(func(fd uintptr) {
		if flags, err := unix.FcntlInt(fd, unix.F_GETFL, 0); err != nil || flags&unix.O_NONBLOCK == 0 {
			t.Errorf("flags %x, %v", flags, err)
		}
	})
}

// TestUnixListener: clients may come over a Unix socket; they have no address.
func TestUnixListener(t *testing.T) {
	path := filepath.Join(t.TempDir(), "front")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	f, err := l.(*net.UnixListener).File()
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t, func(a *wire.App) { a.Listeners = append(a.Listeners, "unix") })
	if err := r.proxy.AddFile("unix", f); err != nil {
		t.Fatal(err)
	}
	r.serve(echoApp(t).addr)
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if got := newPeer(t, conn).get("/"); !strings.Contains(got, "X-Forwarded-For: unknown\r\n") {
		t.Errorf("the app got %q", got)
	}
}

// TestListenersOfATable: a listener works as long as a table names it, and one
// that a table names in vain is told.
func TestListenersOfATable(t *testing.T) {
	r := newRig(t, nil)
	second := r.listen("second")
	r.app().Listeners = []string{"main", "second", "third"}
	r.app().Disposition = wire.Unavailable
	if err := r.proxy.Apply(&r.table); err == nil || !strings.Contains(err.Error(), `"third"`) {
		t.Errorf("a missing listener: %v", err)
	}
	kept := r.dial()
	eventually(t, "it is accepted", func() bool { return r.proxy.Counters().Connections == 1 })
	r.front = second
	if got := r.dial().get("/"); got != "503 Service Unavailable\n" {
		t.Errorf("got %q", got)
	}
	r.app().Listeners = []string{"second"}
	r.serve(gatedApp(t, "one", nil).addr)
	if got := kept.get("/"); got != "one" {
		t.Errorf("a connection of a closed listener got %q", got)
	}
	r.front = kept.RemoteAddr().String()
	if c, err := net.Dial("tcp", r.front); err == nil {
		c.Close()
		t.Error("a listener that no app names takes connections")
	}
}

// TestAppRemoved: clients of an app that is gone are told so.
func TestAppRemoved(t *testing.T) {
	r := newRig(t, nil)
	r.serve(gatedApp(t, "one", nil).addr)
	c := r.dial()
	if got := c.get("/"); got != "one" {
		t.Errorf("got %q", got)
	}
	if err := r.proxy.Apply(&wire.Table{Revision: 9}); err != nil {
		t.Fatal(err)
	}
	r.waitDrained("demo/1")
	if got := c.get("/"); got != "503 Service Unavailable\n" {
		t.Errorf("got %q", got)
	}
}

func TestBadFiles(t *testing.T) {
	r := newRig(t, nil)
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer write.Close()
	if err := r.proxy.AddFile("bad", read); err == nil {
		t.Error("a pipe was taken for a listener")
	}
	if _, err := write.Write([]byte("x")); err == nil {
		t.Error("the file that was refused is still open")
	}
	r.app().Traffic.TrustedProxies = []string{"nonsense"}
	r.app().Instances = []wire.Instance{{ID: "demo/1", Role: wire.RoleServing, Network: "tcp", Address: "nonsense"}}
	if err := r.proxy.Apply(&r.table); err == nil || strings.Count(err.Error(), "nonsense") < 2 {
		t.Errorf("nonsense in a table: %v", err)
	}
}

// TestCloseLeavesNothing: goroutines, connections and descriptors.
func TestCloseLeavesNothing(t *testing.T) {
	before := openFiles(t)
	app := newBackend(t, func(p *peer) {
		if strings.HasPrefix(p.head(), "GET /ws ") {
			p.send(upgradeAnswer)
		}
		p.rest()
	})
	r := newRig(t, nil)
	r.serve(app.addr)
	var clients []*peer
	for _, request := range []string{"", "GET / HTTP/1.1\r\nHost: h\r\n\r\n", upgradeRequest,
		"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\nx"} {
		c := r.dial()
		c.send(request)
		clients = append(clients, c)
	}
	clients[2].head()
	eventually(t, "all have begun", func() bool { return r.counters().Instances[0].InFlight == 3 })
	r.proxy.Probe(wire.Probe{Instance: "demo/1", Path: "/", Targets: []wire.Target{target(app.addr)}, Running: true, Interval: 1})
	r.proxy.Close()
	r.proxy.Close()
	for _, c := range clients {
		io.Copy(io.Discard, c.r)
		c.Close()
	}
	app.close()
	eventually(t, "the descriptors are closed", func() bool { return openFiles(t) <= before })
}

func openFiles(t *testing.T) int {
	t.Helper()
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(files)
}

// TestNoDescriptors: while the process has no descriptor to spare clients wait in
// the backlog, and are served afterwards.
func TestNoDescriptors(t *testing.T) {
	r := newRig(t, func(a *wire.App) { a.Disposition = wire.Unavailable })
	r.apply()
	var old unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &old); err != nil {
		t.Fatal(err)
	}
	few := unix.Rlimit{Cur: uint64(openFiles(t)) + 50, Max: old.Max}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &few); err != nil {
		t.Fatal(err)
	}
	defer unix.Setrlimit(unix.RLIMIT_NOFILE, &old)
	var fillers []int
	for {
		fd, err := unix.Dup(0)
		if err != nil {
			break
		}
		fillers = append(fillers, fd)
	}
	unix.Close(fillers[0]) // for the client
	c := r.dial()
	c.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	eventually(t, "that is told", func() bool { return strings.Contains(r.log.String(), "cannot accept") })
	for _, fd := range fillers[1:] {
		unix.Close(fd)
	}
	if got := c.answer(); got != "503 Service Unavailable\n" {
		t.Errorf("got %q", got)
	}
}
