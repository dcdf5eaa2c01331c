package proxy

import (
	"errors"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// The pauses after accept(2) failed for want of something (descriptors,
// memory): clients wait in the backlog meanwhile.
const (
	minAcceptPause = 5 * time.Millisecond
	maxAcceptPause = time.Second
)

// A listener is a socket on which clients arrive. Other processes hold the same
// open file description, so nothing is done to it that they would notice: it
// stays nonblocking, and it is not shut down.
type listener struct {
	proxy *Proxy
	name  string
	file  *os.File
	raw   syscall.RawConn
	tcp   bool
	// app is whose clients arrive. A connection asks for each request, so
	// that it follows a listener to another app.
	app atomic.Pointer[app]

	closed atomic.Bool // set by close
	begin  sync.Once
	ended  chan struct{} // closed when accepting has ended
	quit   chan struct{} // closed by close
}

// duplicate makes a nonblocking descriptor of our own for what f holds, without
// File.Fd, which would make the open file description blocking for everybody.
func duplicate(f *os.File) (fd int, err error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return -1, err
	}
	if e := raw.Control(func(old uintptr) {
		fd, err = unix.FcntlInt(old, unix.F_DUPFD_CLOEXEC, 0)
	}); e != nil {
		return -1, e
	}
	if err != nil {
		return -1, err
	}
	if err = unix.SetNonblock(fd, true); err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// newListener takes over a listening socket.
func newListener(p *Proxy, name string, fd int) (*listener, error) {
	if on, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN); err != nil || on == 0 {
		unix.Close(fd)
		return nil, errors.New("use socket: it does not listen")
	}
	domain, _ := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN)
	l := &listener{proxy: p, name: name, tcp: domain != unix.AF_UNIX,
		ended: make(chan struct{}), quit: make(chan struct{})}
	if l.tcp {
		// Inherited by the connections that are accepted, which saves two
		// calls for each.
		unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1)
		unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, 60)
		unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, 15)
	}
	l.file = os.NewFile(uintptr(fd), name)
	raw, err := l.file.SyscallConn()
	if err != nil {
		l.file.Close()
		return nil, err
	}
	l.raw = raw
	return l, nil
}

// serve gives the listener to an app, and begins to accept.
func (l *listener) serve(a *app) {
	l.app.Store(a)
	l.begin.Do(func() {
		l.proxy.wg.Go(l.run) // ended by close
	})
}

// close stops accepting, and returns when that has happened. What was accepted
// is served on; what waits in the backlog is for the other holders.
func (l *listener) close() {
	if !l.closed.Swap(true) {
		close(l.quit)
	}
	l.begin.Do(func() { close(l.ended) })
	l.file.SetReadDeadline(past)
	<-l.ended
	l.file.Close()
}

// run accepts until close.
func (l *listener) run() {
	defer close(l.ended)
	pause := minAcceptPause
	for {
		var fault error
		full := (*gate)(nil)
		err := l.raw.Read(func(fd uintptr) bool {
			full, fault = l.acceptAll(int(fd))
			return full != nil || fault != nil
		})
		switch {
		case err != nil:
			return // closed
		case full != nil:
			if !full.wait(l.quit) {
				return
			}
		case fault != nil:
			l.proxy.log.Warn("cannot accept, clients wait", "listener", l.name, "error", fault)
			if !l.pause(pause) {
				return
			}
			pause = min(2*pause, maxAcceptPause)
			continue
		}
		pause = minAcceptPause
	}
}

// pause waits, and reports whether to go on.
func (l *listener) pause(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-l.quit:
		return false
	}
}

// acceptAll accepts until nobody waits, or a limit is reached, whose gate it
// returns, or the system refuses.
func (l *listener) acceptAll(fd int) (full *gate, fault error) {
	for !l.closed.Load() {
		a := l.app.Load()
		if full = l.proxy.enter(a); full != nil {
			return full, nil
		}
		nfd, sa, err := unix.Accept4(fd, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
		if err == nil {
			l.proxy.begin(l, a, nfd, peerOf(sa))
			continue
		}
		l.proxy.leave(a)
		switch err {
		case unix.EAGAIN:
			return nil, nil
		case unix.EINTR, unix.ECONNABORTED, unix.EPROTO, unix.EPERM:
			// The client is gone, or a firewall wants it so.
		default:
			return nil, err
		}
	}
	return nil, nil
}

// peerOf is the address of a client; it is not valid for a Unix socket.
func peerOf(sa unix.Sockaddr) netip.AddrPort {
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port))
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(sa.Addr).Unmap(), uint16(sa.Port))
	}
	return netip.AddrPort{}
}
