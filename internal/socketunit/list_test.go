package socketunit

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestSaveAndLoad(t *testing.T) {
	for _, list := range [][]string{nil, {"80"}, {"127.0.0.1:80", "[::1]:80", "/run/100%.sock"}} {
		dir := t.TempDir()
		if err := Save(dir, []string{"1234"}); err != nil { // is replaced
			t.Fatal(err)
		}
		if err := Save(dir, list); err != nil {
			t.Fatal(err)
		}
		got, err := Load(dir)
		if err != nil || !slices.Equal(got, list) {
			t.Errorf("saved %q, loaded %q: %v", list, got, err)
		}
		if entries, _ := os.ReadDir(dir); len(entries) != 1 {
			t.Errorf("saving left %v", entries)
		}
	}
}

func TestSavedListIsClosedToOthers(t *testing.T) {
	dir := t.TempDir()
	if err := Save(dir, []string{"80"}); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(dir, ListFile))
	if err != nil || info.Mode() != 0o644 {
		t.Errorf("mode %v: %v", info.Mode(), err)
	}
}

// TestSaveLeavesAnEqualListAlone: the file stays the same one.
func TestSaveLeavesAnEqualListAlone(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, ListFile)
	stat := func() fs.FileInfo {
		if err := Save(dir, []string{"80"}); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return info
	}
	if first, second := stat(), stat(); !os.SameFile(first, second) {
		t.Error("the file was replaced")
	}
}

func TestSaveFailsAndLeavesNothing(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing")
	if err := Save(missing, nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing directory: %v", err)
	}
	taken := t.TempDir()
	if err := os.Mkdir(filepath.Join(taken, ListFile), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := Save(taken, []string{"80"}); err == nil {
		t.Error("a directory was replaced")
	}
	if entries, _ := os.ReadDir(taken); len(entries) != 1 {
		t.Errorf("saving left %v", entries)
	}
}

func TestLoadRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"garbage":    "80\nExecStart=/bin/sh\n",
		"half":       heading + "80\n127.0.0.1:",
		"empty line": "80\n\n81\n",
		"long line":  "/" + strings.Repeat("a", 70_000) + "\n",
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, ListFile), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := Load(dir); err == nil || got != nil {
			t.Errorf("%s: loaded %.80q", name, got)
		}
	}
}

func TestLoadOpensOnlyFiles(t *testing.T) {
	dir := t.TempDir()
	if _, err := Load(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	if err := os.Symlink("/etc/hostname", filepath.Join(dir, ListFile)); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(dir); err == nil {
		t.Error("a symbolic link was followed")
	}
}
