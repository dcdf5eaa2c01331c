package logs

import (
	"context"
	"fmt"
	"time"
)

// startMaintaining starts looking after the age of files. s.mu is held.
func (s *Store) startMaintaining() {
	if s.maintained == nil {
		s.maintained = make(chan struct{})
		go s.maintain(s.maintained) // ends by Close
	}
}

func (s *Store) maintain(end <-chan struct{}) {
	tick := time.NewTicker(maintainEvery)
	defer tick.Stop()
	for {
		select {
		case <-end:
			return
		case <-tick.C:
			s.maintainAll()
		}
	}
}

// maintainAll rotates and removes files of an age, also of apps that are silent.
// Those of an app that does not run are looked after when it runs again.
func (s *Store) maintainAll() {
	for _, w := range s.allWriters() {
		w.maintain()
	}
}

// Close waits until all sources have come to end of file. When ctx ends before
// that, it detaches those that are left and gives them a moment to write what is
// in their pipes, and journald the same moment to take what is meant for it. All
// files are closed when it returns nil. With a ctx that has ended already it is
// the way to stop reading before an exec: what is read is written, what is not is
// still in the pipe.
func (s *Store) Close(ctx context.Context) error {
	if s.beginClose() {
		close(s.idle)
	}
	select {
	case <-s.idle:
	case <-ctx.Done():
		s.detachAll()
	}
	defer s.endFollowers()
	grace, cancel := context.WithTimeout(context.Background(), closeGrace)
	defer cancel()
	defer s.journal.close(grace)
	select {
	case <-s.idle:
		return nil
	case <-grace.Done():
		left := s.sourcesOf(func(*source) bool { return true })
		return fmt.Errorf("close log files: %d sources are still being written", len(left))
	}
}

// beginClose reports whether there is nothing to wait for and nobody who will
// say so.
func (s *Store) beginClose() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.closed = true
	if s.maintained != nil {
		close(s.maintained)
	}
	return len(s.sources) == 0
}

func (s *Store) detachAll() {
	for _, a := range s.sourcesOf(func(*source) bool { return true }) {
		a.detach()
	}
}

func (s *Store) endFollowers() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range s.buffers {
		b.end()
	}
}
