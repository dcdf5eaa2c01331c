package rig

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

// newWorld opens a World beside those of other tests and of benchmarks.
func newWorld(t *testing.T) *World {
	t.Helper()
	// Children get a signal when their parent's thread ends: it has to be
	// that of the test, to its end.
	runtime.LockOSThread()
	t.Cleanup(runtime.UnlockOSThread)
	w, err := OpenBeside(fmt.Sprintf("@gracevisor-bench-%d-%s", os.Getpid(), t.Name()))
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// closed waits for the close of a channel.
func closed[T any](t *testing.T, what string, ch <-chan T) {
	t.Helper()
	select {
	case <-ch:
	case <-time.After(time.Minute):
		t.Fatalf("%s: nothing for a minute", what)
	}
}

func TestOnlyOneWorld(t *testing.T) {
	w := newWorld(t)
	name := w.lock.Addr().String()
	if other, err := OpenBeside(name); err == nil {
		other.Close()
		t.Error("a second one could be opened")
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := OpenBeside(name)
	if err != nil {
		t.Fatalf("open after Close: %v", err)
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
}

func TestCloseEndsEverything(t *testing.T) {
	w := newWorld(t)
	child, err := w.Start("cat", nil, "sleep", "1000")
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Check(); err != nil {
		t.Errorf("nothing has exited: %v", err)
	}
	released, err := HoldLeash(w.Leash())
	if err != nil {
		t.Fatal(err)
	}
	select {
	case <-released:
		t.Error("the leash was let go too early")
	default:
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	closed(t, "exit of the child", child.exited)
	closed(t, "end of the leash", released)
	if _, err := os.Stat(w.Dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the folder is still there: %v", err)
	}
}

func TestChildThatExits(t *testing.T) {
	w := newWorld(t)
	child, err := w.Start("sh", []string{"WORD=last words"}, "sh", "-c", "echo $WORD; exit 7")
	if err != nil {
		t.Fatal(err)
	}
	closed(t, "exit of the child", child.exited)
	err = w.Check()
	if err == nil || !strings.Contains(err.Error(), "last words") || !strings.Contains(err.Error(), "exit status 7") {
		t.Errorf("check says %v", err)
	}
	if err := w.Close(); err != nil {
		t.Errorf("it was told before: %v", err)
	}
}

func TestHoldLeashOfNobody(t *testing.T) {
	if _, err := HoldLeash(t.TempDir() + "/leash"); err == nil {
		t.Error("there is no leash")
	}
}

func TestTakePorts(t *testing.T) {
	w := newWorld(t)
	defer w.Close()
	first, err := w.TakePorts(3)
	if err != nil {
		t.Fatal(err)
	}
	taken, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", first+5))
	if err != nil {
		t.Skipf("somebody was faster: %v", err)
	}
	defer taken.Close()
	second, err := w.TakePorts(4)
	if err != nil {
		t.Fatal(err)
	}
	if second <= first+5 {
		t.Errorf("ports from %d to %d, though %d is taken", second, second+3, first+5)
	}
	if _, err := w.TakePorts(endPort); err == nil {
		t.Error("more ports than there are")
	}
}
