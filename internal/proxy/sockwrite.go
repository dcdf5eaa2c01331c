package proxy

import (
	"errors"
	"os"
	"time"
)

// outward is the call under way that waits to write.
type outward struct {
	ready      func(uintptr) bool
	pipe       *pipe
	connecting bool
	atRest     bool          // the wait may be ended by freeze
	patience   time.Duration // see writeWithin
	p          []byte
	err        error
}

// write writes all of p.
func (s *sock) write(p []byte) error {
	n, errno := send(s.fd, p)
	if n == len(p) {
		return nil
	}
	if errno != 0 && !again(errno) {
		return errno
	}
	s.out.p = p[n:]
	return s.waitWrite()
}

func (s *sock) waitWrite() error {
	s.out.err = nil
	if s.hub.closing.Load() {
		return errClosing
	}
	for {
		err := s.raw.Write(s.out.ready)
		if err == nil {
			return s.out.err
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
		s.file.SetWriteDeadline(time.Time{})
		if err = s.reason(s.writeCancel, s.writeBy.Load(), s.out.atRest); err != nil {
			return err
		}
	}
}

// writable is the callback of everything that waits to write.
func (s *sock) writable(uintptr) bool {
	if s.out.connecting {
		return connectedYet(s.fd, &s.out.err)
	}
	if s.out.pipe != nil {
		held := s.out.pipe.held
		over, err := s.out.pipe.drain(s.fd)
		s.out.err = err
		s.progress(held - s.out.pipe.held)
		return over
	}
	for len(s.out.p) > 0 {
		n, errno := send(s.fd, s.out.p)
		if again(errno) {
			return false
		}
		if errno != 0 {
			s.out.err = errno
			return true
		}
		s.out.p = s.out.p[n:]
		s.progress(n)
	}
	return true
}

// writeWithin bounds the time for which the writes that follow may make no
// progress; 0 means no bound.
func (s *sock) writeWithin(d time.Duration) {
	s.out.patience = d
	s.writeBy.Store(deadline(d))
}

// progress puts the deadline of writeWithin off, as n bytes were written.
func (s *sock) progress(n int) {
	if n > 0 && s.out.patience > 0 {
		s.writeBy.Store(deadline(s.out.patience))
	}
}
