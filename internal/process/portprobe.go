package process

import (
	"errors"
	"fmt"
	"math"
	"net/netip"

	"golang.org/x/sys/unix"
)

// probeAddresses are where an app may want to listen. A listener on one of them
// or on any other address of the machine is in the way of one bind at least.
var probeAddresses = []netip.Addr{
	netip.AddrFrom4([4]byte{127, 0, 0, 1}),
	netip.IPv6Loopback(),
	netip.IPv4Unspecified(),
	netip.IPv6Unspecified(),
}

// ProbePort binds a TCP port on both loopback addresses and both wildcards, one
// after the other, and returns nil if it is free on all that the machine has.
// EADDRINUSE says that it is not; another error that it cannot be known.
func ProbePort(port int) error {
	if port < 1 || port > math.MaxUint16 {
		return fmt.Errorf("probe port %d: there is no such port", port)
	}
	for _, addr := range probeAddresses {
		err := bind(netip.AddrPortFrom(addr, uint16(port)))
		switch {
		case err == nil:
		case errors.Is(err, unix.EAFNOSUPPORT), errors.Is(err, unix.EADDRNOTAVAIL):
			// No IPv6 here, or no loopback interface: nobody listens there.
		default:
			return fmt.Errorf("bind %s port %d: %w", addr, port, err)
		}
	}
	return nil
}

// bind binds and lets go. SO_REUSEADDR is what nearly all servers set: with it
// connections in TIME_WAIT are no hindrance, as they will not be for the app,
// and a listening socket is one all the same (socket(7)). It does not listen,
// so no client can reach the probe.
func bind(addr netip.AddrPort) error {
	family := unix.AF_INET
	if addr.Addr().Is6() {
		family = unix.AF_INET6
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, unix.IPPROTO_TCP)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
		return err
	}
	if family == unix.AF_INET {
		return unix.Bind(fd, &unix.SockaddrInet4{Port: int(addr.Port()), Addr: addr.Addr().As4()})
	}
	// A dual-stack wildcard, whatever net.ipv6.bindv6only says, sees most.
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 0); err != nil {
		return err
	}
	return unix.Bind(fd, &unix.SockaddrInet6{Port: int(addr.Port()), Addr: addr.Addr().As16()})
}
