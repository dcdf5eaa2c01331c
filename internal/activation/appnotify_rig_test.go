package activation

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// notifyPatience is how long a test waits for what must come; it only bounds a
// test that has failed.
const notifyPatience = time.Minute

// logText is a place for log lines, which tests look at.
type logText struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logText) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// count is how many lines hold all of the texts.
func (l *logText) count(texts ...string) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.Lines(l.text.String()) {
		all := true
		for _, text := range texts {
			all = all && strings.Contains(line, text)
		}
		if all {
			n++
		}
	}
	return n
}

// A hearing is a socket that is listened to.
type hearing struct {
	*AppNotify
	t      *testing.T
	log    *logText
	events chan AppEvent
	ended  chan struct{}
}

// hear listens to a new socket for instance demo/7; owns may be nil.
func hear(t *testing.T, owns func(int) bool, change ...func(*AppNotify)) *hearing {
	t.Helper()
	h := &hearing{t: t, log: &logText{}, events: make(chan AppEvent, 10_000), ended: make(chan struct{})}
	n, err := NewAppNotify(filepath.Join(t.TempDir(), "notify"), "demo/7", os.Geteuid(), os.Getegid(), slog.New(slog.NewTextHandler(h.log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	n.window = time.Millisecond
	for _, c := range change {
		c(n)
	}
	h.AppNotify = n
	if owns == nil {
		owns = func(pid int) bool { return pid == os.Getpid() }
	}
	go func() { // ends with Close
		defer close(h.ended)
		n.Run(owns, func(e AppEvent) { h.events <- e })
	}()
	t.Cleanup(h.end)
	return h
}

// end closes the socket, and waits until nobody listens.
func (h *hearing) end() {
	h.t.Helper()
	if err := h.Close(); err != nil {
		h.t.Error(err)
	}
	select {
	case <-h.ended:
	case <-time.After(notifyPatience):
		h.t.Fatal("Run does not return")
	}
}

// next waits for an event.
func (h *hearing) next() AppEvent {
	h.t.Helper()
	select {
	case e := <-h.events:
		return e
	case <-time.After(notifyPatience):
		h.t.Fatal("no event comes")
		return AppEvent{}
	}
}

// want waits for an event of this process.
func (h *hearing) want(e AppEvent) {
	h.t.Helper()
	e.PID = os.Getpid()
	if got := h.next(); got != e {
		h.t.Errorf("event %+v, want %+v", got, e)
	}
}

// send sends a message with file descriptors.
func (h *hearing) send(text string, fds ...int) {
	h.t.Helper()
	if err := sendTo(h.Path(), text, 0, fds...); err != nil {
		h.t.Fatal(err)
	}
}

func sendTo(path, text string, flags int, fds ...int) error {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	var control []byte
	if len(fds) > 0 {
		control = unix.UnixRights(fds...)
	}
	return unix.Sendmsg(fd, []byte(text), control, &unix.SockaddrUnix{Name: path}, flags)
}

// pipe returns the ends of a pipe; the first is a file that does not block.
func pipe(t *testing.T) (read *os.File, write int) {
	t.Helper()
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		t.Fatal(err)
	}
	read = os.NewFile(uintptr(fds[0]), "pipe")
	t.Cleanup(func() { read.Close() })
	return read, fds[1]
}

// closed waits until nobody has the other end of a pipe.
func closed(t *testing.T, read *os.File) {
	t.Helper()
	if err := read.SetReadDeadline(time.Now().Add(notifyPatience)); err != nil {
		t.Fatal(err)
	}
	if n, err := read.Read(make([]byte, 1)); n != 0 || err == nil || os.IsTimeout(err) {
		t.Fatalf("the other end was not closed: %d bytes, %v", n, err)
	}
}

func descriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}
