package process

import (
	"context"
	"errors"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestSocketDirAwaitsTheSocket(t *testing.T) {
	d := makeSocketDir(t, "demo/7")
	done := make(chan error, 1)
	go func() { done <- d.Await(t.Context()) }()
	if err := os.WriteFile(filepath.Join(filepath.Dir(d.Path()), "other"), nil, 0o600); err != nil {
		t.Fatal(err) // something else that appears is no socket
	}
	l, err := net.Listen("unix", d.Path())
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if err := d.Await(t.Context()); err != nil {
		t.Errorf("a socket that is there already: %v", err)
	}
	if os.Geteuid() != 0 {
		return
	}
	var st unix.Stat_t
	if err := unix.Stat(d.Path(), &st); err != nil {
		t.Fatal(err)
	}
	if st.Mode&0o777 != 0o660 || int(st.Gid) != d.group {
		t.Errorf("socket has mode %o and group %d, want 660 and %d", st.Mode&0o777, st.Gid, d.group)
	}
}

func TestSocketDirEndsWithItsContext(t *testing.T) {
	d := makeSocketDir(t, "demo/7")
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := d.Await(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Await = %v", err)
	}
}

func TestSocketDirIsNotFooled(t *testing.T) {
	for name, put := range map[string]func(path string) error{
		"a file":                     func(path string) error { return os.WriteFile(path, nil, 0o600) },
		"a link to another's socket": func(path string) error { return os.Symlink("/dev/null", path) },
		"a folder":                   func(path string) error { return os.Mkdir(path, 0o700) },
		"a pipe":                     func(path string) error { return unix.Mkfifo(path, 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			d := makeSocketDir(t, "demo/7")
			if err := put(d.Path()); err != nil {
				t.Fatal(err)
			}
			if err := d.Await(t.Context()); err == nil || !strings.Contains(err.Error(), "not a socket") {
				t.Errorf("Await = %v", err)
			}
		})
	}
}

func TestSocketDirStartsAfresh(t *testing.T) {
	base := t.TempDir()
	first, err := MakeSocketDir(base, "demo/7", "", -1)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(first.Path(), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	second, err := MakeSocketDir(base, "demo/7", "", -1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(second.Path()); !os.IsNotExist(err) {
		t.Errorf("the old file is still there: %v", err)
	}
	if err := second.Remove(); err != nil {
		t.Fatal(err)
	}
	if left, _ := os.ReadDir(base); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestSocketDirRefuses(t *testing.T) {
	if _, err := MakeSocketDir(t.TempDir(), "demo/7", "no-such-user-here", -1); err == nil {
		t.Error("an unknown user is accepted")
	}
	if _, err := MakeSocketDir(filepath.Join(t.TempDir(), strings.Repeat("x", 100)), "demo/7", "", -1); err == nil {
		t.Error("a path that is too long is accepted")
	}
}

// makeSocketDir makes one for the app's user that a socket of this process can
// stand for, open to the group of nobody where that is possible.
func makeSocketDir(t *testing.T, instance string) *SocketDir {
	t.Helper()
	group := -1
	if nobody, err := user.Lookup("nobody"); err == nil {
		group, _ = strconv.Atoi(nobody.Gid)
	}
	d, err := MakeSocketDir(t.TempDir(), instance, "", group)
	if err != nil {
		t.Fatal(err)
	}
	return d
}
