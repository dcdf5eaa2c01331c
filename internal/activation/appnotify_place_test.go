package activation

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

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
