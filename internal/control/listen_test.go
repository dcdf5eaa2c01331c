package control

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func TestListenUnixSetsModeAndOwner(t *testing.T) {
	path := filepath.Join(t.TempDir(), SocketFile)
	group := "root"
	if _, exists := lookUpGroup("daemon"); exists {
		group = "daemon"
	}
	l, err := ListenUnix(path, group)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode() != os.ModeSocket|0o660 {
		t.Errorf("mode %v", info.Mode())
	}
	stat := info.Sys().(*syscall.Stat_t)
	want := os.Getegid()
	if os.Geteuid() == 0 {
		gid, _ := lookUpGroup(group)
		want = int(gid)
	}
	if int(stat.Uid) != os.Geteuid() || int(stat.Gid) != want {
		t.Errorf("owner %d, group %d", stat.Uid, stat.Gid)
	}
	l.Close()
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is left: %v", err)
	}
}

// TestSocketIsBornClosed: there is no moment at which others could connect.
func TestSocketIsBornClosed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	config := net.ListenConfig{Control: bindClosed}
	l, err := config.Listen(context.Background(), "unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode().Perm(); got&0o077 != 0 {
		t.Errorf("mode %04o", got)
	}
}

func TestStaleSocketIsReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), SocketFile)
	dead, err := ListenUnix(path, Group)
	if err != nil {
		t.Fatal(err)
	}
	dead.(*net.UnixListener).SetUnlinkOnClose(false)
	dead.Close()
	if _, err := os.Lstat(path); err != nil {
		t.Fatalf("no stale socket to try with: %v", err)
	}
	l, err := ListenUnix(path, Group)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
}

func TestSocketOfALivingDaemonIsLeftAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), SocketFile)
	l, err := ListenUnix(path, Group)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, err = ListenUnix(path, Group)
	running, ok := errors.AsType[*RunningError](err)
	if !ok || running.PID != os.Getpid() || running.Path != path {
		t.Fatalf("got %v", err)
	}
	if !strings.Contains(err.Error(), "another gracevisord is running (pid ") {
		t.Errorf("says %q", err)
	}
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatalf("the living one was disturbed: %v", err)
	}
	c.Close()
}

// TestBusyDaemonIsNotTakenForDead: its backlog is full and it accepts nobody.
func TestBusyDaemonIsNotTakenForDead(t *testing.T) {
	path := filepath.Join(t.TempDir(), SocketFile)
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := errors.Join(unix.Bind(fd, &unix.SockaddrUnix{Name: path}), unix.Listen(fd, 0)); err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, err = ListenUnix(path, Group)
	if _, ok := errors.AsType[*RunningError](err); !ok {
		t.Errorf("got %v", err)
	}
}

func TestListenUnixRefuses(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	for path, says := range map[string]string{
		file:                     "no socket",
		link:                     "no socket",
		dir:                      "no socket",
		"control.sock":           "not absolute",
		"@gracevisor":            "not absolute",
		dir + "/none/s":          "no such file",
		filepath.Join(file, "s"): "not a directory",
		dir + "/" + strings.Repeat("x", maxSocketPath): "longer than",
	} {
		l, err := ListenUnix(path, Group)
		if err == nil {
			l.Close()
			t.Errorf("%s: listens", path)
		} else if !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q", path, err, says)
		}
	}
	if text, err := os.ReadFile(file); err != nil || string(text) != "precious" {
		t.Errorf("the file was touched: %q, %v", text, err)
	}
}

func TestLockRuntimeIsForOne(t *testing.T) {
	dir := t.TempDir()
	held, err := LockRuntime(dir)
	if err != nil {
		t.Fatal(err)
	}
	_, err = LockRuntime(dir)
	running, ok := errors.AsType[*RunningError](err)
	if !ok || running.PID != os.Getpid() {
		t.Fatalf("second: %v", err)
	}
	held.Close()
	again, err := LockRuntime(dir)
	if err != nil {
		t.Fatalf("after the first has gone: %v", err)
	}
	again.Close()
}

func TestLockOfAnUnknownHolder(t *testing.T) {
	dir := t.TempDir()
	held, err := LockRuntime(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	if err := held.Truncate(0); err != nil {
		t.Fatal(err)
	}
	_, err = LockRuntime(dir)
	if running, ok := errors.AsType[*RunningError](err); !ok || running.PID != 0 || strings.Contains(err.Error(), "pid") {
		t.Errorf("got %v", err)
	}
}

func TestLockFollowsNoLink(t *testing.T) {
	dir := t.TempDir()
	if err := os.Symlink("/dev/null", filepath.Join(dir, lockFile)); err != nil {
		t.Fatal(err)
	}
	if f, err := LockRuntime(dir); err == nil {
		f.Close()
		t.Error("locked through a symbolic link")
	}
}

// TestListenTCPOnLocalhost finds a port that is free on both loopback
// addresses.
func TestListenTCPOnLocalhost(t *testing.T) {
	want := 1
	if l, err := net.Listen("tcp", "[::1]:0"); err == nil {
		l.Close()
		want = 2
	}
	for range 20 {
		free, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		port := free.Addr().(*net.TCPAddr).Port
		free.Close()
		listeners, err := ListenTCP("localhost", port)
		if errors.Is(err, unix.EADDRINUSE) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range listeners {
			defer l.Close()
		}
		if len(listeners) != want {
			t.Errorf("%d listeners, want %d", len(listeners), want)
		}
		// The port is in use now, and nothing is left open on the way out.
		if _, err := ListenTCP("localhost", port); !errors.Is(err, unix.EADDRINUSE) {
			t.Errorf("second: %v", err)
		}
		return
	}
	t.Fatal("found no free port")
}

func TestListenTCPRefuses(t *testing.T) {
	for _, host := range []string{"no-such-host.invalid", "192.0.2.1"} {
		if l, err := ListenTCP(host, 0); err == nil {
			l[0].Close()
			t.Errorf("%s: listens", host)
		}
	}
}
