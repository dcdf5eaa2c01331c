package activation

import (
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"gracevisor/test/unavailable"
)

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

// TestSystemdNotify has the program that shell scripts use. It exits when its
// barrier is acknowledged.
func TestSystemdNotify(t *testing.T) {
	program, err := exec.LookPath("systemd-notify")
	switch {
	case err != nil && os.Geteuid() == 0: // test/install-deps has it installed
		unavailable.Tool(t, "systemd-notify is not installed")
	case err != nil:
		unavailable.Kernel(t, "systemd-notify is not installed")
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
