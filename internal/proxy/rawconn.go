package proxy

import (
	"errors"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// What ends a wait for a socket, beside errors of the system.
var (
	errTimeout   = errors.New("wait for socket: time-out")
	errCancelled = errors.New("wait for socket: nobody needs it any more")
	errClosing   = errors.New("wait for socket: the proxy closes")
	errStale     = errors.New("use idle connection: it has been closed, or spoke unasked")
)

// A sock is a stream socket in the runtime's poller: the fast stream.
//
// It belongs to one goroutine for each direction. Others may only wake it: a
// wait that was woken looks why (its deadline, its cancel flag, the proxy's
// end) and goes on if there is no reason, so that waking the wrong one, which
// happens when a connection went back to its pool meanwhile, does no harm.
//
// The poller is edge-triggered, and RawConn.Read forgets on entry what it has
// seen. So a callback always tries the call before it lets itself be parked;
// the only exception is a send in the same callback, after which an answer can
// only come as a new edge (see exchange).
type sock struct {
	file *os.File
	raw  syscall.RawConn
	fd   int
	hub  *sweeper

	// readBy and writeBy are deadlines in monotime, 0 for none.
	readBy, writeBy atomic.Int64
	// readCancel and writeCancel, if set, end waits once they are true.
	readCancel, writeCancel *atomic.Bool
	// owner is told by each sweep; nil for a connection to an app.
	owner *conn
	shard uint8

	in  inward
	out outward
}

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
	n      int
	err    error
}

// outward is the call under way that waits to write.
type outward struct {
	ready      func(uintptr) bool
	pipe       *pipe
	connecting bool
	patience   time.Duration // see writeWithin
	p          []byte
	err        error
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

// newSock takes over a socket, which must be nonblocking.
func (w *sweeper) newSock(s *sock, fd int) error {
	s.file = os.NewFile(uintptr(fd), "socket")
	raw, err := s.file.SyscallConn()
	if err != nil {
		s.file.Close()
		return err
	}
	s.raw, s.fd, s.hub = raw, fd, w
	s.in.ready, s.out.ready = s.readable, s.writable
	w.add(s)
	return nil
}

// wake ends the waits under way, if there is a reason.
func (s *sock) wake() { s.file.SetDeadline(past) }

// close closes the socket. Only its owner may.
func (s *sock) close() {
	s.hub.remove(s)
	s.file.Close()
}

// closeWrite sends the end of the stream.
func (s *sock) closeWrite() error { return unix.Shutdown(s.fd, unix.SHUT_WR) }

// deadline is the time after d for readBy and writeBy.
func (s *sock) deadline(d time.Duration) int64 { return s.hub.deadline(d) }

// socket is s, for the streams above it.
func (s *sock) socket() *sock { return s }

// reset makes close break the connection (RST) instead of ending it (FIN), so
// that the peer does not take what it got for the whole.
func (s *sock) reset() {
	unix.SetsockoptLinger(s.fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
}

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
	if _, broken := fault.(unix.Errno); !broken {
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
		if err = s.readWoken(err); err != nil {
			return 0, err
		}
	}
}

// readWoken looks why a wait was ended: nil means to wait on.
func (s *sock) readWoken(err error) error {
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	s.file.SetReadDeadline(time.Time{})
	return s.reason(s.readCancel, s.readBy.Load())
}

func (s *sock) reason(cancel *atomic.Bool, by int64) error {
	switch {
	case cancel != nil && cancel.Load():
		return errCancelled
	case s.hub.closing.Load():
		return errClosing
	case by != 0 && monotime() >= by:
		return errTimeout
	}
	return nil
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
		if err = s.reason(s.writeCancel, s.writeBy.Load()); err != nil {
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
	s.writeBy.Store(s.deadline(d))
}

// progress puts the deadline of writeWithin off, as n bytes were written.
func (s *sock) progress(n int) {
	if n > 0 && s.out.patience > 0 {
		s.writeBy.Store(s.deadline(s.out.patience))
	}
}
