package activation

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
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

func TestAppNotify(t *testing.T) {
	h := hear(t, nil)
	if want := "/notify/demo.7.notify"; !strings.HasSuffix(h.Path(), want) {
		t.Errorf("path %q, want ...%s", h.Path(), want)
	}
	h.send("RELOADING=1\nMONOTONIC_USEC=5")
	h.send("READY=1\nSTATUS=three workers")
	h.send("WATCHDOG=1\n")
	h.send("unknown to us\nX_FOO=1\nERRNO=2\n=\n\n")
	h.send("")
	h.send("STOPPING=1")
	h.want(AppEvent{Reloading: true})
	h.want(AppEvent{Ready: true, HasStatus: true, Status: "three workers"})
	h.want(AppEvent{Alive: true})
	h.want(AppEvent{Stopping: true})
	if n := h.log.count(""); n != 0 {
		t.Errorf("%d lines were logged: %s", n, &h.log.text)
	}
}

// TestAppNotifyRefuses holds that what is the daemon's to tell is told once, and
// that the rest of such a message counts.
func TestAppNotifyRefuses(t *testing.T) {
	h := hear(t, nil)
	read, write := pipe(t)
	for range 3 {
		h.send("MAINPID=1\nREADY=1")
		h.want(AppEvent{Ready: true})
		h.send("FDSTORE=1\nFDNAME=x", write)
	}
	unix.Close(write)
	closed(t, read)
	h.send("STATUS=")
	h.want(AppEvent{HasStatus: true})
	for _, name := range []string{"MAINPID", "FDSTORE"} {
		if n := h.log.count("level=WARN", "only the daemon may make", "instance=demo/7", "assignment="+name); n != 1 {
			t.Errorf("%s is told %d times: %s", name, n, &h.log.text)
		}
	}
}

func TestAppNotifyOfStrangers(t *testing.T) {
	asked := make(chan int, 10)
	own := false
	h := hear(t, func(pid int) bool { asked <- pid; return own })
	for range 3 {
		h.send("READY=1")
		if pid := <-asked; pid != os.Getpid() {
			t.Errorf("asked for process %d", pid)
		}
	}
	if n := h.log.count("not the instance's", fmt.Sprintf("pid=%d uid=%d", os.Getpid(), os.Getuid())); n > 1 {
		t.Errorf("told %d times: %s", n, &h.log.text)
	}
	h.end()
	if len(h.events) != 0 {
		t.Errorf("event %+v", h.next())
	}
	if n := h.log.count("not the instance's"); n != 1 {
		t.Errorf("told %d times: %s", n, &h.log.text)
	}
}

// TestAppNotifyBarrier holds that a barrier is acknowledged when all that came
// before it has been dealt with, and not earlier.
func TestAppNotifyBarrier(t *testing.T) {
	n, err := NewAppNotify(t.TempDir(), "demo/7", os.Geteuid(), os.Getegid(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	dealing, dealt, ended := make(chan struct{}), make(chan struct{}), make(chan struct{})
	go func() { // ends with Close
		defer close(ended)
		n.Run(func(int) bool { return true }, func(AppEvent) {
			close(dealing)
			<-dealt
		})
	}()
	read, write := pipe(t)
	if err := sendTo(n.Path(), "READY=1", 0); err != nil {
		t.Fatal(err)
	}
	if err := sendTo(n.Path(), "BARRIER=1", 0, write); err != nil {
		t.Fatal(err)
	}
	unix.Close(write)
	<-dealing
	var rest [1]byte
	raw, err := read.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var readErr error
	err = raw.Control(func(fd uintptr) { _, readErr = unix.Read(int(fd), rest[:]) })
	if err != nil || readErr != unix.EAGAIN {
		t.Errorf("the barrier was acknowledged too early: %v, %v", err, readErr)
	}
	close(dealt)
	closed(t, read)
	if err := n.Close(); err != nil {
		t.Error(err)
	}
	<-ended
}

// TestAppNotifyKeepsNoDescriptor sends as many as fit, in each message, and looks
// how many are open when a message has been received.
func TestAppNotifyKeepsNoDescriptor(t *testing.T) {
	const most = 253 // SCM_MAX_FD of the kernel
	before := descriptors(t)
	worst := 0
	h := hear(t, func(int) bool { worst = max(worst, descriptors(t)); return true })
	read, write := pipe(t)
	all := make([]int, most)
	for i := range all {
		all[i] = write
	}
	for i := range 50 {
		h.send("READY=1", all[:1+i*5]...)
		h.send("BARRIER=1", all...)
		h.send("\x00garbage", all...)
		h.send(strings.Repeat("x", 2*maxNotification), all...)
		h.want(AppEvent{Ready: true})
	}
	unix.Close(write)
	closed(t, read)
	h.end()
	if most := before + 10; worst == 0 || worst > most { // the socket, the pipe, the sender's, /proc itself
		t.Errorf("%d file descriptors were open, %d before", worst, before)
	}
	read.Close()
	if n := descriptors(t); n > before {
		t.Errorf("%d file descriptors are open, %d before", n, before)
	}
}

// TestAppNotifyWithoutDescriptors has a process that can open no more.
func TestAppNotifyWithoutDescriptors(t *testing.T) {
	h := hear(t, nil)
	read, write := pipe(t)
	sender, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(sender)
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	none := limit
	none.Cur = 3
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &none); err != nil {
		t.Fatal(err)
	}
	for range 10 {
		err = errors.Join(err, unix.Sendmsg(sender, []byte("READY=1"), unix.UnixRights(write, write), &unix.SockaddrUnix{Name: h.Path()}, 0))
		h.want(AppEvent{Ready: true})
	}
	if err := errors.Join(err, unix.Setrlimit(unix.RLIMIT_NOFILE, &limit)); err != nil {
		t.Fatal(err)
	}
	unix.Close(write)
	closed(t, read)
}

func TestAppNotifyTooLong(t *testing.T) {
	h := hear(t, nil)
	for range 2 {
		for _, size := range []int{maxNotification + 1, maxNotification + 2, 100_000} {
			h.send("READY=1\n" + strings.Repeat("x", size-len("READY=1\n")))
		}
	}
	h.send("WATCHDOG=1\n" + strings.Repeat("x", maxNotification-len("WATCHDOG=1\n")))
	h.want(AppEvent{Alive: true})
	if n := h.log.count("too long", fmt.Sprint("pid=", os.Getpid())); n != 1 {
		t.Errorf("told %d times: %s", n, &h.log.text)
	}
}

// TestAppNotifyFlood holds that an instance which sends without end is heard no
// more often than is good, and loses nothing by it.
func TestAppNotifyFlood(t *testing.T) {
	h := hear(t, nil, func(n *AppNotify) { n.burst = 10 })
	const messages = 2000
	sent := make(chan error, 1)
	go func() {
		for i := range messages {
			if err := sendTo(h.Path(), fmt.Sprint("STATUS=", i), 0); err != nil {
				sent <- err
				return
			}
		}
		sent <- nil
	}()
	for i := range messages {
		h.want(AppEvent{HasStatus: true, Status: fmt.Sprint(i)})
	}
	if err := <-sent; err != nil {
		t.Error(err)
	}
}

func TestAppNotifyWaitsAfterABurst(t *testing.T) {
	const burst = 10
	h := hear(t, nil, func(n *AppNotify) { n.burst, n.window = burst, notifyPatience })
	for range burst {
		h.send("WATCHDOG=1")
		h.want(AppEvent{Alive: true})
	}
	full := 0
	for {
		err := sendTo(h.Path(), "WATCHDOG=1", unix.MSG_DONTWAIT)
		if errors.Is(err, unix.EAGAIN) {
			break
		}
		if full++; err != nil || full > 100_000 {
			t.Fatalf("after %d messages: %v", full, err)
		}
	}
	h.end() // it does not wait for the window
	if n := len(h.events); n != 0 {
		t.Errorf("%d more events came", n)
	}
}

func TestAppNotifyClose(t *testing.T) {
	n, err := NewAppNotify(t.TempDir(), "demo/7", os.Geteuid(), os.Getegid(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	}
	n.Run(func(int) bool { return true }, func(AppEvent) { t.Error("an event") }) // returns
	if err := sendTo(n.Path(), "READY=1", 0); !errors.Is(err, unix.ENOENT) {
		t.Errorf("sending to a closed socket: %v", err)
	}
}

// TestAppNotifyReplaces has what another daemon left behind.
func TestAppNotifyReplaces(t *testing.T) {
	dir := t.TempDir()
	log := slog.New(slog.DiscardHandler)
	old, err := NewAppNotify(dir, "demo/7", os.Geteuid(), os.Getegid(), log)
	if err != nil {
		t.Fatal(err)
	}
	defer old.Close()
	n, err := NewAppNotify(dir, "demo/7", os.Geteuid(), os.Getegid(), log)
	if err != nil {
		t.Fatal(err)
	}
	events := make(chan AppEvent, 1)
	ended := make(chan struct{})
	go func() { // ends with Close
		defer close(ended)
		n.Run(func(int) bool { return true }, func(e AppEvent) { events <- e })
	}()
	if err := sendTo(old.Path(), "READY=1", 0); err != nil {
		t.Fatal(err)
	}
	if e := <-events; !e.Ready {
		t.Errorf("event %+v", e)
	}
	if err := n.Close(); err != nil {
		t.Error(err)
	}
	<-ended
}

func TestAppNotifyThatCannotBeMade(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "demo.7.notify", "x"), 0o755); err != nil {
		t.Fatal(err)
	}
	before := descriptors(t)
	for what, c := range map[string][2]string{
		"a folder in its place": {dir, "demo/7"},
		"no folder for it":      {filepath.Join(dir, "a", "b"), "demo/8"},
		"a long name":           {dir, strings.Repeat("x", 108) + "/1"},
	} {
		if n, err := NewAppNotify(c[0], c[1], os.Geteuid(), os.Getegid(), slog.New(slog.DiscardHandler)); err == nil {
			n.Close()
			t.Errorf("%s: %s is made", what, n.Path())
		} else if !strings.Contains(err.Error(), "make notify socket of "+c[1]) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if n := descriptors(t); n > before {
		t.Errorf("%d file descriptors are open, %d before", n, before)
	}
}

// TestAppNotifyRights holds that only the app's user can send.
func TestAppNotifyRights(t *testing.T) {
	defer unix.Umask(unix.Umask(0))
	for _, mask := range []int{0, 0o077, 0o022} {
		unix.Umask(mask)
		dir := filepath.Join(t.TempDir(), "notify")
		n, err := NewAppNotify(dir, "demo/7", os.Geteuid(), os.Getegid(), slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		for path, want := range map[string]os.FileMode{dir: os.ModeDir | 0o711, n.Path(): os.ModeSocket | 0o600} {
			if info, err := os.Lstat(path); err != nil || info.Mode() != want {
				t.Errorf("umask %03o: %s has mode %v, want %v, %v", mask, path, info.Mode(), want, err)
			}
		}
		n.Close()
	}
}

func TestAppNotifyOfAnotherUser(t *testing.T) {
	const user, other = 65534, 65533
	if os.Geteuid() != 0 {
		_, err := NewAppNotify(t.TempDir(), "demo/7", os.Geteuid()+1, user, slog.New(slog.DiscardHandler))
		if !errors.Is(err, unix.EPERM) {
			t.Errorf("a socket for another user: %v", err)
		}
		t.Skip("SKIPPED: sending as another user needs root")
	}
	dir, err := os.MkdirTemp("/tmp", "notify") // where everybody can go
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	n, err := NewAppNotify(filepath.Join(dir, "notify"), "demo/7", user, user, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	for uid, want := range map[int]error{user: nil, other: unix.EACCES, 0: nil} {
		if err := sendAs(uid, n.Path()); !errors.Is(err, want) {
			t.Errorf("sending as user %d: %v, want %v", uid, err, want)
		}
	}
}

// sendAs sends from a thread with another user's rights to files (setfsuid(2)).
func sendAs(uid int, path string) error {
	sent := make(chan error)
	go func() {
		runtime.LockOSThread() // the thread ends with the goroutine
		if err := unix.Setfsuid(uid); err != nil {
			sent <- err
			return
		}
		sent <- sendTo(path, "READY=1", 0)
	}()
	return <-sent
}

// TestSystemdNotify has the program that shell scripts use. It exits when its
// barrier is acknowledged.
func TestSystemdNotify(t *testing.T) {
	program, err := exec.LookPath("systemd-notify")
	if err != nil {
		t.Skip("SKIPPED: there is no systemd-notify")
	}
	var mu sync.Mutex
	pids := map[int]bool{os.Getpid(): true} // as root it speaks for its parent
	h := hear(t, func(pid int) bool {
		mu.Lock()
		defer mu.Unlock()
		return pids[pid]
	})
	cmd := exec.Command(program, "--ready", "--status=all is well")
	cmd.Env = []string{"NOTIFY_SOCKET=" + h.Path()}
	mu.Lock()
	err = cmd.Start()
	if err == nil {
		pids[cmd.Process.Pid] = true
	}
	mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	e := h.next()
	if e.PID = 0; e != (AppEvent{Ready: true, HasStatus: true, Status: "all is well"}) {
		t.Errorf("event %+v", e)
	}
}
