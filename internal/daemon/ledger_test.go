package daemon

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// TestLedger: what was entered the next one finds, and with the last entry the
// file goes.
func TestLedger(t *testing.T) {
	path := filepath.Join(t.TempDir(), ledgerFile)
	l, err := openLedger(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, owner := range []string{"demo/1", "+worker/1"} {
		if err := l.add(owner, os.Getpid()); err != nil {
			t.Fatal(err)
		}
	}
	next, err := openLedger(path)
	if err != nil {
		t.Fatal(err)
	}
	birth := next.list()["demo/1"]
	if len(next.list()) != 2 || birth.PID != os.Getpid() {
		t.Fatalf("entries: %+v", next.list())
	}
	pidfd, err := birth.Open()
	if err != nil {
		t.Fatal(err)
	}
	if err := pidfd.Close(); err != nil {
		t.Fatal(err)
	}
	for _, owner := range []string{"demo/1", "demo/1", "+worker/1"} {
		if err := next.drop(owner); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the file is still there: %v", err)
	}
}

// TestLedgerThatIsDamaged is told, and begun anew.
func TestLedgerThatIsDamaged(t *testing.T) {
	path := filepath.Join(t.TempDir(), ledgerFile)
	if err := os.WriteFile(path, []byte(`{"demo/1": {"pid": `), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := openLedger(path)
	if err == nil || len(l.list()) > 0 {
		t.Errorf("entries %v, error %v", l.list(), err)
	}
	if err := l.add("demo/2", os.Getpid()); err != nil {
		t.Fatal(err)
	}
	if next, err := openLedger(path); err != nil || len(next.list()) != 1 {
		t.Errorf("entries %v, error %v", next.list(), err)
	}
}
