package control

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRuntimeDirectory(t *testing.T) {
	for _, c := range []struct {
		given, xdg string
		uid        int
		want       string
	}{
		{"", "", 0, "/run/gracevisor"},
		{"", "/run/user/0", 0, "/run/gracevisor"},
		{"/srv/x", "", 0, "/srv/x"},
		{"/srv/x", "/run/user/5", 5, "/srv/x"},
		{"/run/other:/run/gracevisor", "", 0, "/run/gracevisor"},
		{"/run/a:/run/b", "", 0, "/run/a"},
		{"relative", "", 0, "/run/gracevisor"},
		{"", "/run/user/5", 5, "/run/user/5/gracevisor"},
		{"", "relative", 5, "/tmp/gracevisor-5"},
		{"", "", 5, "/tmp/gracevisor-5"},
	} {
		got := runtimeDirectory(environment("RUNTIME_DIRECTORY", c.given, "XDG_RUNTIME_DIR", c.xdg), c.uid)
		if got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}

func environment(pairs ...string) func(string) string {
	return func(name string) string {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1]
			}
		}
		return ""
	}
}

func TestDefaultSocket(t *testing.T) {
	uid := os.Geteuid()
	if uid == 0 {
		// Root has its directories checked as any other user here: what root
		// owns is trusted by all.
		uid = 5
	}
	mine, empty, open := t.TempDir(), t.TempDir(), t.TempDir()
	for dir, mode := range map[string]os.FileMode{mine: 0o700, open: 0o777} {
		sub := filepath.Join(dir, "gracevisor")
		if err := os.Mkdir(sub, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(sub, SocketFile), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(sub, mode); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name, given, xdg string
		uid              int
		want             string
	}{
		{"root", "", mine, 0, "/run/gracevisor/control.sock"},
		{"given", "/srv/x", mine, uid, "/srv/x/control.sock"},
		{"own daemon", "", mine, uid, mine + "/gracevisor/control.sock"},
		{"no own daemon", "", empty, uid, "/run/gracevisor/control.sock"},
		{"a directory that all can write to", "", open, uid, "/run/gracevisor/control.sock"},
	} {
		got := defaultSocket(environment("RUNTIME_DIRECTORY", c.given, "XDG_RUNTIME_DIR", c.xdg), c.uid)
		if got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

func TestPrepareRuntimeDirectory(t *testing.T) {
	base := t.TempDir()
	fresh := filepath.Join(base, "a", "b")
	for range 2 {
		if err := PrepareRuntimeDirectory(fresh); err != nil {
			t.Fatal(err)
		}
	}
	info, err := os.Lstat(fresh)
	if err != nil || info.Mode().Perm()&0o022 != 0 {
		t.Errorf("made %v, %v", info, err)
	}
	link, file, open := filepath.Join(base, "link"), filepath.Join(base, "file"), filepath.Join(base, "open")
	if err := os.Symlink(fresh, link); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(open, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(open, 0o777); err != nil {
		t.Fatal(err)
	}
	for path, says := range map[string]string{link: "no directory", file: "not a directory", open: "everybody can write"} {
		if err := PrepareRuntimeDirectory(path); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q", path, err, says)
		}
	}
}

// TestFallbackDirectoryMustBeOurs: its name is known to everybody.
func TestFallbackDirectoryMustBeOurs(t *testing.T) {
	const uid = 2_000_000_001
	dir := fallbackDirectory(uid)
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Remove(dir) })
	if err := checkDirectory(dir, uid); err == nil {
		t.Error("another user's directory was taken")
	}
}
