package activation

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

// Backlog is the length asked for of the queue of connections that no worker
// has accepted yet; the kernel takes net.core.somaxconn if that is less
// (listen(2)).
const Backlog = 4096

// Source is where a listener came from.
type Source string

// The sources of listeners.
const (
	// SourceBound: the daemon bound it itself.
	SourceBound Source = "bound"
	// SourceSystemd: the service manager passed it (LISTEN_FDS, sd_listen_fds(3)).
	SourceSystemd Source = "systemd"
)

// A Listener is a listening socket.
type Listener struct {
	// Address is its local address, unless it is a Unix socket.
	Address netip.AddrPort
	// Path is that of a Unix socket.
	Path string
	// File is the socket. It stays open as long as the Listener is in use.
	File   *os.File
	Source Source
	// FDName is the FileDescriptorName= of a socket from the service manager.
	FDName string

	// Kept is the name that it is kept by, if it is.
	Kept string

	// onClose is told that the socket is closed.
	onClose func()
	// giveBack keeps a socket that is not the daemon's to close.
	giveBack func(*Listener)
}

// Name is the listener's name towards the workers, and for people.
func (l *Listener) Name() string {
	if l.Path != "" {
		return l.Path
	}
	return l.Address.String()
}

// OnClose has f called when Close really closes the socket.
func (l *Listener) OnClose(f func()) { l.onClose = f }

// Close ends the use of the socket. One that the daemon has bound is closed, and
// a Unix socket's file removed; one of the service manager's is left alone.
func (l *Listener) Close() error {
	if l.giveBack != nil {
		l.giveBack(l)
		return nil
	}
	if l.Path != "" {
		_ = os.Remove(l.Path) // nobody can connect to it any more
	}
	if l.onClose != nil {
		l.onClose()
	}
	return l.File.Close()
}

// Queue tells how many connections wait to be accepted and how many may. For a
// listening socket that is what TCP_INFO holds in unacked and sacked (tcp(7),
// and the kernel's tcp_get_info); of a Unix socket sock_diag(7) tells it.
func (l *Listener) Queue() (waiting, backlog int, err error) {
	read := tcpQueue
	if l.Path != "" {
		read = unixQueue
	}
	raw, err := l.File.SyscallConn()
	if err != nil {
		return 0, 0, fmt.Errorf("read queue of %s: %w", l.Name(), err)
	}
	var queueErr error
	err = raw.Control(func(fd uintptr) { waiting, backlog, queueErr = read(int(fd)) })
	if err := errors.Join(err, queueErr); err != nil {
		return 0, 0, fmt.Errorf("read queue of %s: %w", l.Name(), err)
	}
	return waiting, backlog, nil
}

func tcpQueue(fd int) (waiting, backlog int, err error) {
	info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
	if err != nil {
		return 0, 0, err
	}
	return int(info.Unacked), int(info.Sacked), nil
}

// Resolve finds the addresses that a host stands for. An empty host and "*"
// are every address of the machine, by one dual-stack socket.
func Resolve(ctx context.Context, host string, port int) ([]netip.AddrPort, error) {
	switch host {
	case "", "*":
		return []netip.AddrPort{netip.AddrPortFrom(netip.IPv6Unspecified(), uint16(port))}, nil
	case "localhost":
		return []netip.AddrPort{
			netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), uint16(port)),
			netip.AddrPortFrom(netip.IPv6Loopback(), uint16(port)),
		}, nil
	}
	if addr, err := netip.ParseAddr(host); err == nil {
		// The net package would find 0.0.0.0 beside "::", for those who dial.
		return []netip.AddrPort{netip.AddrPortFrom(addr.Unmap(), uint16(port))}, nil
	}
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, fmt.Errorf("resolve %q: %w", host, err)
	}
	var found []netip.AddrPort
	seen := make(map[netip.Addr]bool)
	for _, a := range addrs {
		if a = a.Unmap(); !seen[a] {
			seen[a] = true
			found = append(found, netip.AddrPortFrom(a, uint16(port)))
		}
	}
	return found, nil
}

// ErrNoAddress is the error of Bind for an address that the machine does not
// have.
var ErrNoAddress = errors.New("the machine does not have this address")

// Bind makes a listener. An IPv6 wildcard also takes IPv4 connections; on a
// machine without IPv6 it becomes the IPv4 wildcard.
func Bind(address netip.AddrPort) (*Listener, error) {
	fd, err := listen(address)
	if errors.Is(err, unix.EAFNOSUPPORT) && address.Addr() == netip.IPv6Unspecified() {
		address = netip.AddrPortFrom(netip.IPv4Unspecified(), address.Port())
		fd, err = listen(address)
	}
	switch {
	case errors.Is(err, unix.EADDRNOTAVAIL), errors.Is(err, unix.EAFNOSUPPORT):
		return nil, fmt.Errorf("listen on %s: %w", address, ErrNoAddress)
	case errors.Is(err, unix.EADDRINUSE):
		return nil, fmt.Errorf("listen on %s: the address is in use by another process (%w)", address, err)
	case errors.Is(err, unix.EACCES):
		return nil, fmt.Errorf("listen on %s: ports below 1024 need root or CAP_NET_BIND_SERVICE (%w)", address, err)
	case err != nil:
		return nil, fmt.Errorf("listen on %s: %w", address, err)
	}
	file, err := unpolled(fd, "listener:"+address.String())
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", address, err)
	}
	return &Listener{Address: address, File: file, Source: SourceBound}, nil
}

// unpolled makes a File of a blocking socket, which is non-blocking afterwards.
// In this order the runtime's poller does not get it: the supervisor never
// accepts, and would be woken for each client that connects.
func unpolled(fd int, name string) (*os.File, error) {
	file := os.NewFile(uintptr(fd), name)
	if err := unix.SetNonblock(fd, true); err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}

// listen makes the socket with plain system calls: Go's net would put it into
// the poller.
func listen(address netip.AddrPort) (int, error) {
	family, sockaddr := sockaddrOf(address)
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
	if err == nil && family == unix.AF_INET6 {
		only := 1
		if address.Addr().IsUnspecified() {
			only = 0
		}
		err = unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, only)
	}
	if err == nil {
		err = unix.Bind(fd, sockaddr)
	}
	if err == nil {
		err = unix.Listen(fd, Backlog)
	}
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

func sockaddrOf(address netip.AddrPort) (int, unix.Sockaddr) {
	addr := address.Addr()
	if addr.Is4() {
		return unix.AF_INET, &unix.SockaddrInet4{Port: int(address.Port()), Addr: addr.As4()}
	}
	return unix.AF_INET6, &unix.SockaddrInet6{Port: int(address.Port()), Addr: addr.As16(), ZoneId: zoneID(addr)}
}
