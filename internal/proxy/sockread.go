package proxy

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// inward is the call under way that waits to read. The callbacks are made once
// per socket, and what they work on lies here, so that a call allocates nothing.
type inward struct {
	ready  func(uintptr) bool
	op     operation
	p      []byte // read into
	send   []byte // written before, by exchange
	sent   int
	lender lender
	want   int // of a splice
	pipe   *pipe
	hold   *waiter
	atRest bool // the wait may be ended by freeze
	n      int
	err    error
}

type operation uint8

const (
	opRead     operation = iota // into p
	opExchange                  // send, then opRead
	opIdle                      // into what the lender lends
	opSplice                    // into pipe
	opHold                      // until woken, or the peer leaves
	opAwait                     // until there is something to read
)

// read waits for bytes and reads them; 0 means the end of the stream.
func (s *sock) read(p []byte) (int, error) {
	s.in.p = p
	return s.wait(opRead)
}

// await waits until read would not wait.
func (s *sock) await() error {
	_, err := s.wait(opAwait)
	return err
}

// readIdle is read into a buffer that is lent only as long as there is
// something to read.
func (s *sock) readIdle(l lender) (int, error) {
	s.in.lender = l
	return s.wait(opIdle)
}

// exchange writes p and reads the answer's first bytes into q: in one callback,
// which saves the read that would only find that the answer is not there yet.
// Before it writes it looks whether the socket is still good for that, else the
// error is errStale. sent is what has been written; n and err are those of the
// read, or of the write if it failed.
func (s *sock) exchange(p, q []byte) (sent, n int, err error) {
	s.in.send, s.in.sent, s.in.p = p, 0, q
	n, err = s.wait(opExchange)
	sent, s.in.send = s.in.sent, nil
	switch {
	case err == nil && n < 0: // the socket took only a part
		if err = s.write(p[sent:]); err != nil {
			n, err = s.lastWords(q, err)
			return sent, n, err
		}
		n, err = s.read(q)
		return len(p), n, err
	case s.in.op == opExchange && err != nil && err != errStale:
		n, err = s.lastWords(q, err)
	}
	return sent, n, err
}

// lastWords looks after a write that failed for an answer that came before: an
// app that refuses a request may close before it has read all of it.
func (s *sock) lastWords(q []byte, fault error) (int, error) {
	if fault != unix.EPIPE && fault != unix.ECONNRESET {
		return 0, fault
	}
	if n, err := s.read(q); err == nil && n > 0 {
		return n, nil
	}
	return 0, fault
}

// wait performs an operation that may have to wait for the peer to speak.
func (s *sock) wait(op operation) (int, error) {
	s.in.op, s.in.n, s.in.err = op, 0, nil
	if s.hub.closing.Load() {
		return 0, errClosing
	}
	for {
		err := s.raw.Read(s.in.ready)
		if err == nil {
			return s.in.n, s.in.err
		}
		err = s.readWoken(err)
		switch {
		case err == nil:
			continue
		case err == errTimeout && s.in.op != opExchange && s.readable(0):
			// What came in time is not thrown away because we look late:
			// the whole process may have been stopped.
			return s.in.n, s.in.err
		}
		return 0, err
	}
}

// readWoken looks why a wait was ended: nil means to wait on.
func (s *sock) readWoken(err error) error {
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	s.file.SetReadDeadline(time.Time{})
	return s.reason(s.readCancel, s.readBy.Load(), s.in.atRest)
}

// readable is the callback of everything that waits to read. It returns false
// to be called again once the socket is readable.
func (s *sock) readable(uintptr) bool {
	switch s.in.op {
	case opRead:
		return s.readOnce(s.in.p)
	case opExchange:
		return s.sendOnce()
	case opIdle:
		return s.readLent()
	case opSplice:
		return s.spliceOnce()
	case opHold:
		return s.in.hold.done(s.fd)
	}
	var b [1]byte
	_, errno := recv(s.fd, b[:], unix.MSG_PEEK)
	return !again(errno)
}

func (s *sock) readOnce(p []byte) bool {
	n, errno := recv(s.fd, p, 0)
	if again(errno) {
		return false
	}
	if s.in.n = n; errno != 0 {
		s.in.err = errno
	}
	return true
}

// sendOnce is the first half of exchange. After it has written everything the
// read is not tried: nothing that answers what was just sent can be missed,
// because the poller was reset before.
func (s *sock) sendOnce() bool {
	var b [1]byte
	if _, errno := recv(s.fd, b[:], unix.MSG_PEEK); !again(errno) {
		s.in.err = errStale
		return true
	}
	n, errno := send(s.fd, s.in.send)
	s.in.sent = n
	switch {
	case errno != 0 && !again(errno):
		s.in.err = errno
		return true
	case n < len(s.in.send):
		s.in.n = -1
		return true
	}
	s.in.op = opRead
	return false
}

func (s *sock) readLent() bool {
	if s.readOnce(s.in.lender.lend()) {
		return true
	}
	s.in.lender.giveBack()
	return false
}
