package proxy

import (
	"errors"
	"os"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
)

// What ends a wait for a socket, beside errors of the system.
var (
	errTimeout   = errors.New("wait for socket: time-out")
	errCancelled = errors.New("wait for socket: nobody needs it any more")
	errClosing   = errors.New("wait for socket: the proxy closes")
	errFrozen    = errors.New("wait for socket: its connection is to be moved")
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
	// freeze, if set, ends the waits of those who can be stopped, once it is
	// true.
	freeze *atomic.Bool
	// owner is told by each sweep; nil for a connection to an app.
	owner *conn
	shard uint8

	in  inward
	out outward
}

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

// socket is s, for the streams above it.
func (s *sock) socket() *sock { return s }

// reset makes close break the connection (RST) instead of ending it (FIN), so
// that the peer does not take what it got for the whole.
func (s *sock) reset() {
	unix.SetsockoptLinger(s.fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
}

// reason is why a wait was woken, or nil if it was not meant.
func (s *sock) reason(cancel *atomic.Bool, by int64, atRest bool) error {
	switch {
	case cancel != nil && cancel.Load():
		return errCancelled
	case s.hub.closing.Load():
		return errClosing
	case by != 0 && monotime() >= by:
		return errTimeout
	case atRest && s.freeze.Load():
		return errFrozen
	}
	return nil
}
