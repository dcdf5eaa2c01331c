package proxy

import (
	"log/slog"
	"net"
	"os"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"gracevisor/internal/proxy/handoff"
)

// linkPair is a socketpair as the supervisor makes it.
func linkPair(t testing.TB) (a, b *os.File) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	return os.NewFile(uintptr(fds[0]), "a"), os.NewFile(uintptr(fds[1]), "b")
}

// successor is a rig whose proxy goes by the same table as r's, and to which
// nobody connects.
func (r *rig) successor() *rig {
	r.t.Helper()
	next := &rig{t: r.t, events: newRecorder(), log: &logBuffer{}, table: r.table}
	next.table.Apps = slices.Clone(r.table.Apps)
	next.app().Instances = slices.Clone(r.app().Instances)
	next.proxy = New(Options{Log: slog.New(slog.NewTextHandler(next.log, nil)), Events: next.events, Generation: 2})
	r.t.Cleanup(next.proxy.Close)
	next.front = next.listen("main")
	next.apply()
	return next
}

// moveTo makes r's proxy leave and give its connections to next's.
func (r *rig) moveTo(next *rig) {
	r.t.Helper()
	r.handOut(next)
	r.proxy.Drain()
}

// handOut gives both proxies the ends of a socketpair.
func (r *rig) handOut(next *rig) {
	r.t.Helper()
	from, to := linkPair(r.t)
	if err := next.proxy.TakeOver(to); err != nil {
		r.t.Fatal(err)
	}
	if err := r.proxy.MoveTo(from); err != nil {
		r.t.Fatal(err)
	}
}

// left waits until the proxy has nothing left, and ends it.
func (r *rig) left() {
	r.t.Helper()
	select {
	case <-r.proxy.Drained():
	case <-time.After(deadMan):
		r.t.Fatalf("%d connections were not moved; log: %s", r.proxy.gate.n.Load(), r.log.String())
	}
	r.proxy.Close()
}

// A worker is the other side of a proxy, played by the test.
type otherWorker struct {
	*handoff.Conn
	t *testing.T
}

// giveTo makes the test the one that gives connections to r's proxy.
func (r *rig) giveTo(t *testing.T) *otherWorker {
	t.Helper()
	a, b := linkPair(t)
	if err := r.proxy.TakeOver(b); err != nil {
		t.Fatal(err)
	}
	return play(t, a)
}

// takeFrom makes the test the one that r's proxy gives its connections to.
func (r *rig) takeFrom(t *testing.T) *otherWorker {
	t.Helper()
	a, b := linkPair(t)
	if err := r.proxy.MoveTo(b); err != nil {
		t.Fatal(err)
	}
	return play(t, a)
}

func play(t *testing.T, f *os.File) *otherWorker {
	t.Helper()
	link, err := handoff.NewConn(f)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { link.Close() })
	return &otherWorker{link, t}
}

// offered waits for an offer.
func (w *otherWorker) offered() *handoff.Offer {
	w.t.Helper()
	said, err := w.Receive()
	if err != nil {
		w.t.Fatal(err)
	}
	o, ok := said.(*handoff.Offer)
	if !ok {
		w.t.Fatalf("got %T, not an offer", said)
	}
	return o
}

// socketPair is a connection whose other end is served by nobody yet.
func socketPair(t *testing.T) (client *peer, fd int) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	s, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	f, err := s.(*net.TCPConn).File()
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	t.Cleanup(func() { f.Close() })
	fd = int(f.Fd())
	if err := unix.SetNonblock(fd, true); err != nil {
		t.Fatal(err)
	}
	return newPeer(t, c), fd
}
