package logs

import (
	"fmt"
	"path/filepath"
)

// MoveDaemonLog has the daemon's log, which the Store looks after, go on in t:
// with other limits, in another file, or as it is. A file that can not be opened
// is an error, and changes nothing. It waits for the disk.
func (s *Store) MoveDaemonLog(d *DaemonLog, t Target) error {
	if path, err := filepath.Abs(t.Path); err == nil {
		t.Path = path
	}
	d.moving.Lock()
	defer d.moving.Unlock()
	old := d.writer.Load()
	if t.Path == old.path {
		old.limits.Store(&t)
		return nil
	}
	w, err := s.takeForDaemon(old, t)
	if err != nil {
		return err
	}
	w.mu.Lock()
	if !w.file.isOpen() {
		err = w.open()
	}
	w.mu.Unlock()
	unused := old
	if err == nil {
		d.writer.Store(w)
	} else {
		unused, err = w, fmt.Errorf("open log file %s: %w", t.Path, err)
	}
	s.mu.Lock()
	last := s.give(daemonShare, unused)
	s.mu.Unlock()
	if last {
		unused.retire()
	}
	return err
}

// takeForDaemon returns the writer of a path for the daemon's log. One that is
// new tells where old does what goes wrong: not in the log that it writes.
func (s *Store) takeForDaemon(old *writer, t Target) (*writer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, errClosed
	}
	if s.writers[t.Path] == nil {
		s.writers[t.Path] = &share{writer: newWriter(t, s.clock, old.log), apps: make(map[string]int), owner: daemonShare}
	}
	return s.take(daemonShare, t), nil
}

// retire closes the writer for good: whoever is about to write to it looks for
// another.
func (w *writer) retire() {
	w.mu.Lock()
	w.retired = true
	w.mu.Unlock()
	w.close()
}
