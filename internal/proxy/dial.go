package proxy

import (
	"fmt"
	"net/netip"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"gracevisor/internal/wire"
)

// An endpoint is an address of the table, read.
type endpoint struct {
	path string // of a Unix socket
	ip   netip.AddrPort
}

func readEndpoint(t wire.Target) (e endpoint, err error) {
	switch t.Network {
	case "unix":
		return endpoint{path: t.Address}, nil
	case "tcp":
	default:
		return e, fmt.Errorf("read address: unknown network %q", t.Network)
	}
	if e.ip, err = netip.ParseAddrPort(t.Address); err != nil {
		return e, fmt.Errorf("read address %q: %w", t.Address, err)
	}
	e.ip = netip.AddrPortFrom(e.ip.Addr().Unmap(), e.ip.Port())
	return e, nil
}

// family is the address family of the endpoint.
func (e *endpoint) family() int {
	switch {
	case e.path != "":
		return unix.AF_UNIX
	case e.ip.Addr().Is4():
		return unix.AF_INET
	}
	return unix.AF_INET6
}

// sockaddr is the endpoint for one connect(2), which writes to it.
func (e *endpoint) sockaddr() unix.Sockaddr {
	switch {
	case e.path != "":
		return &unix.SockaddrUnix{Name: e.path}
	case e.ip.Addr().Is4():
		return &unix.SockaddrInet4{Port: int(e.ip.Port()), Addr: e.ip.Addr().As4()}
	}
	return &unix.SockaddrInet6{Port: int(e.ip.Port()), Addr: e.ip.Addr().As16()}
}

// dial makes a connection. by is the deadline in monotime, 0 for none; cancel
// ends the wait when it becomes true and the socket is woken, for which started
// is told of it first.
func (w *sweeper) dial(to *endpoint, by int64, cancel *atomic.Bool, started func(*upstream)) (*upstream, error) {
	family := to.family()
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("make socket: %w", err)
	}
	if family != unix.AF_UNIX {
		unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	}
	// On the same machine connect succeeds at once nearly always. Before it
	// the poller must not see the socket: it would report a hang-up.
	err = unix.Connect(fd, to.sockaddr())
	if err != nil && err != unix.EINPROGRESS && err != unix.EINTR {
		unix.Close(fd)
		return nil, fmt.Errorf("connect: %w", err)
	}
	u := new(upstream)
	if e := w.newSock(&u.sock, fd); e != nil {
		return nil, fmt.Errorf("connect: %w", e)
	}
	if started != nil {
		started(u)
	}
	if err != nil {
		if err = u.connected(by, cancel); err != nil {
			u.close()
			return nil, fmt.Errorf("connect: %w", err)
		}
	}
	return u, nil
}

// connected waits until the connection stands.
func (u *upstream) connected(by int64, cancel *atomic.Bool) error {
	u.writeBy.Store(by)
	u.writeCancel = cancel
	u.out.connecting, u.out.patience = true, 0
	err := u.waitWrite()
	u.out.connecting = false
	u.writeBy.Store(0)
	return err
}

// connectedYet is the callback of connected.
func connectedYet(fd int, err *error) bool {
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}
	if n, _ := unix.Poll(fds, 0); n == 0 {
		return false
	}
	code, e := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
	switch {
	case e != nil:
		*err = e
	case code != 0:
		*err = unix.Errno(code)
	}
	return true
}
