package control

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestTokenIsMadeAndKept(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, TokenFile)
	first, err := LoadToken(dir, Group)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	stat := info.Sys().(*syscall.Stat_t)
	if info.Mode() != 0o640 || int(stat.Uid) != os.Geteuid() || int(stat.Gid) != groupOfFiles(Group) {
		t.Errorf("mode %v, owner %d, group %d", info.Mode(), stat.Uid, stat.Gid)
	}
	second, err := LoadToken(dir, Group)
	if err != nil || second != first {
		t.Errorf("another token after a restart: %v", err)
	}
	read, err := ReadToken(path)
	if err != nil || read != first {
		t.Errorf("a client reads another one: %v", err)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 {
		t.Errorf("left in the directory: %v, %v", left, err)
	}
}

func TestTokensDiffer(t *testing.T) {
	a, errA := LoadToken(t.TempDir(), Group)
	b, errB := LoadToken(t.TempDir(), Group)
	if err := errors.Join(errA, errB); err != nil || a == b {
		t.Errorf("%q and %q, %v", a, b, err)
	}
}

var oldToken = strings.Repeat("old", 10)

// layToken makes a function that lays a token at a path.
func layToken(text string, mode os.FileMode) func(*testing.T, string) {
	return func(t *testing.T, path string) {
		if err := errors.Join(os.WriteFile(path, []byte(text), 0o600), os.Chmod(path, mode)); err != nil {
			t.Fatal(err)
		}
	}
}

// unreliable are ways in which a token may be found that is not to be used.
var unreliable = map[string]func(*testing.T, string){
	"world readable":   layToken(oldToken, 0o644),
	"group writable":   layToken(oldToken, 0o660),
	"executable":       layToken(oldToken, 0o740),
	"empty":            layToken("", 0o600),
	"short":            layToken("old", 0o600),
	"long":             layToken(strings.Repeat("old", 100), 0o600),
	"huge":             layToken(strings.Repeat("old", 1<<20), 0o600),
	"of several lines": layToken(oldToken+"\n"+oldToken, 0o600),
	"symbolic link": func(t *testing.T, path string) {
		target := filepath.Join(t.TempDir(), "other")
		layToken(oldToken, 0o600)(t, target)
		if err := os.Symlink(target, path); err != nil {
			t.Fatal(err)
		}
	},
	"pipe": func(t *testing.T, path string) {
		if err := syscall.Mkfifo(path, 0o600); err != nil {
			t.Fatal(err)
		}
	},
	"another user's": func(t *testing.T, path string) {
		if os.Geteuid() != 0 {
			t.Skip("needs root, to give a file away")
		}
		layToken(oldToken, 0o600)(t, path)
		if err := os.Chown(path, nobody, nobody); err != nil {
			t.Fatal(err)
		}
	},
	"another group's": func(t *testing.T, path string) {
		if os.Geteuid() != 0 {
			t.Skip("needs root, to give a file away")
		}
		layToken(oldToken, 0o640)(t, path)
		if err := os.Chown(path, -1, nobody); err != nil {
			t.Fatal(err)
		}
	},
}

func TestTokenThatCannotBeReliedOnIsReplaced(t *testing.T) {
	for name, lay := range unreliable {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, TokenFile)
			lay(t, path)
			token, err := LoadToken(dir, Group)
			if err != nil || strings.Contains(token, "old") {
				t.Fatalf("got %q, %v", token, err)
			}
			info, err := os.Lstat(path)
			if err != nil || info.Mode() != 0o640 {
				t.Errorf("left %v, %v", info, err)
			}
		})
	}
	t.Run("good", func(t *testing.T) {
		dir := t.TempDir()
		layToken(oldToken+"\n", 0o600)(t, filepath.Join(dir, TokenFile))
		if token, err := LoadToken(dir, Group); err != nil || token != oldToken {
			t.Errorf("got %q, %v", token, err)
		}
	})
}

func TestTokenCannotBeWritten(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, TokenFile, "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadToken(dir, Group); err == nil {
		t.Error("a directory was replaced")
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 {
		t.Errorf("left in the directory: %v, %v", left, err)
	}
}

func TestReadTokenDoesNotShowIt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(path, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadToken(path); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("got %v", err)
	}
	if _, err := ReadToken(path + "x"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}
