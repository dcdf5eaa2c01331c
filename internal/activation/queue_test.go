package activation

import (
	"fmt"
	"net"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestQueue: connections that nobody has accepted are counted, and what the
// queue may hold is told.
func TestQueue(t *testing.T) {
	port := freePort(t)
	l := bindHost(t, "127.0.0.1", port).Listeners[0]
	waiting, backlog, err := l.Queue()
	if err != nil || waiting != 0 || backlog < 1 || backlog > Backlog {
		t.Fatalf("%d of %d wait, %v", waiting, backlog, err)
	}
	for n := range 5 {
		c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		queued(t, l, n+1)
	}
	for n := range 5 {
		fd, _, err := unix.Accept4(descriptor(t, l.File), unix.SOCK_CLOEXEC)
		if err != nil {
			t.Fatal(err)
		}
		unix.Close(fd)
		queued(t, l, 4-n)
	}
	if _, _, err := unix.Accept4(descriptor(t, l.File), unix.SOCK_CLOEXEC); err != unix.EAGAIN {
		t.Errorf("an empty queue gives %v", err)
	}
}

// TestQueueOfAUnixSocket: it is told of those as well.
func TestQueueOfAUnixSocket(t *testing.T) {
	l, err := BindUnix(filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for n := range 3 {
		waiting, backlog, err := l.Queue()
		if err != nil || waiting != n || backlog < 1 || backlog > Backlog {
			t.Fatalf("%d of %d wait, not %d, %v", waiting, backlog, n, err)
		}
		c, err := net.Dial("unix", l.Path)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
}

// queued waits until so many connections wait: a client may know of its
// connection before the listener does.
func queued(t *testing.T, l *Listener, want int) {
	t.Helper()
	for deadline := time.Now().Add(bindPatience); ; time.Sleep(time.Millisecond) {
		waiting, _, err := l.Queue()
		if err != nil {
			t.Fatal(err)
		}
		if waiting == want {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d wait, not %d", waiting, want)
		}
	}
}

func TestQueueOfAClosedListener(t *testing.T) {
	l := bindHost(t, "127.0.0.1", freePort(t)).Listeners[0]
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := l.Queue(); err == nil {
		t.Error("a closed listener has a queue")
	}
}

// TestDup: another descriptor of the same socket, which does not change how that
// behaves for all who share it.
func TestDup(t *testing.T) {
	port := freePort(t)
	l := bindHost(t, "127.0.0.1", port).Listeners[0]
	dup, err := Dup(l.File)
	if err != nil {
		t.Fatal(err)
	}
	for name, fd := range map[string]int{"the original": descriptor(t, l.File), "the duplicate": descriptor(t, dup)} {
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
			t.Errorf("%s is not closed on exec: %#x, %v", name, flags, err)
		}
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0); err != nil || flags&unix.O_NONBLOCK == 0 {
			t.Errorf("%s blocks: %#x, %v", name, flags, err)
		}
	}
	if descriptor(t, l.File) == descriptor(t, dup) {
		t.Error("it is the same descriptor")
	}
	// The socket listens as long as one of the two is open.
	l.Close()
	if !connects(t, "127.0.0.1", port) {
		t.Error("the duplicate does not listen")
	}
	dup.Close()
	if connects(t, "127.0.0.1", port) {
		t.Error("somebody listens still")
	}
	if _, err := Dup(dup); err == nil {
		t.Error("a closed file has a duplicate")
	}
}
