package logs

import (
	"context"
	"time"

	"golang.org/x/sys/unix"
)

// longAgo is a deadline that has passed: setting it interrupts a source that
// waits, or is about to.
var longAgo = time.Unix(1, 0)

// interrupted does what waiting was interrupted for. It returns false if the
// source is detached.
func (s *source) interrupted() bool {
	s.mu.Lock()
	detached, waiting := s.detached, s.waiting
	s.waiting = nil
	if !detached {
		s.file.SetReadDeadline(time.Time{})
	}
	s.mu.Unlock()

	if detached || len(waiting) > 0 {
		s.drain()
		s.writeCarry()
	} else if len(s.carry) > 0 || s.filled > 0 {
		s.holdOver()
	}
	for _, w := range waiting {
		close(w)
	}
	return !detached
}

// holdOver writes the beginning of a line that was held long enough. The
// deadline may have been that of an earlier one.
func (s *source) holdOver() {
	if time.Now().Before(s.holdUntil) {
		s.setDeadline(s.holdUntil)
		return
	}
	s.writeCarry()
}

// drain reads what is in the pipe now, without waiting for more. What comes
// meanwhile is left, or a busy writer could keep us here for ever.
func (s *source) drain() {
	left := s.pending()
	for left > 0 {
		s.takeChunk()
		err := s.raw.Control(s.look)
		if err != nil || s.err != nil || s.read == 0 {
			return
		}
		left -= s.read
		s.got(s.read)
	}
}

// pending is how many bytes are in the pipe (FIONREAD, which is TIOCINQ on
// Linux).
func (s *source) pending() int {
	n := 0
	// Without an answer there is nothing that could be read without waiting.
	_ = s.raw.Control(func(fd uintptr) {
		if in, err := unix.IoctlGetInt(int(fd), unix.TIOCINQ); err == nil {
			n = in
		}
	})
	return n
}

// detach makes the source end after what is in the pipe now.
func (s *source) detach() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.detached {
		return
	}
	s.detached = true
	s.file.SetReadDeadline(longAgo) // fails for what never makes us wait
}

// settle waits until what is in the pipe now has been written, the source has
// ended, or ctx is done.
func (s *source) settle(ctx context.Context) error {
	written := make(chan struct{})
	s.mu.Lock()
	if s.detached {
		written = s.done
	} else {
		s.waiting = append(s.waiting, written)
		s.file.SetReadDeadline(longAgo)
	}
	s.mu.Unlock()
	select {
	case <-written:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
