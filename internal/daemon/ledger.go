package daemon

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"sync"

	"gracevisor/internal/process"
)

// ledgerFile is its name in the runtime directory.
const ledgerFile = "processes.json"

// ledger is a file that lists the processes of instances and workers, by the
// names of their owners ("demo/7", "+worker/1"). A daemon that has died without a
// service manager leaves them behind, and with them nothing but this. It holds
// no more than it takes to find them. Its methods may be called from any
// goroutine.
type ledger struct {
	path string

	mu      sync.Mutex
	entries map[string]process.Birth
}

// openLedger reads what a daemon before this one has left in the file.
func openLedger(path string) (*ledger, error) {
	l := &ledger{path: path, entries: make(map[string]process.Birth)}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return l, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &l.entries)
	}
	if err != nil {
		l.entries = make(map[string]process.Birth)
		return l, fmt.Errorf("read list of processes: %w", err)
	}
	return l, nil
}

// list is what it holds.
func (l *ledger) list() map[string]process.Birth {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.entries)
}

// add enters a process. It has been written when add returns.
func (l *ledger) add(owner string, pid int) error {
	birth, err := process.BirthOf(pid)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.entries[owner] == birth {
		return nil
	}
	l.entries[owner] = birth
	return l.write()
}

// drop strikes a process out. Whether that is written does not matter much: it
// would not be found any more.
func (l *ledger) drop(owner string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, ok := l.entries[owner]; !ok {
		return nil
	}
	delete(l.entries, owner)
	return l.write()
}

// write replaces the file, or removes it if there is nothing to write. The lock
// is held.
func (l *ledger) write() error {
	if len(l.entries) == 0 {
		return os.Remove(l.path)
	}
	text, err := json.Marshal(l.entries)
	if err != nil {
		return fmt.Errorf("write list of processes: %w", err)
	}
	next := l.path + ".new"
	if err := os.WriteFile(next, text, 0o600); err != nil {
		return fmt.Errorf("write list of processes: %w", err)
	}
	if err := os.Rename(next, l.path); err != nil {
		return fmt.Errorf("write list of processes: %w", err)
	}
	return nil
}
