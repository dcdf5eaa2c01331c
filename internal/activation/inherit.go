package activation

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// takePassed takes the files that the service manager has passed: sockets, and
// what an earlier daemon had put into its store, by name.
func takePassed(log *slog.Logger) (sockets []*os.File, kept map[string]*os.File) {
	kept = make(map[string]*os.File)
	for _, file := range passedFiles(log) {
		name, ok := strings.CutPrefix(file.Name(), keptPrefix)
		switch {
		case !ok:
			sockets = append(sockets, file)
		case kept[name] != nil:
			log.Warn("the service manager has a file twice in its store", "name", name)
			file.Close()
		default:
			kept[name] = file
		}
	}
	return sockets, kept
}

// listenersOf makes listeners of what the service manager passed. What is no
// listening stream socket is told and closed.
func listenersOf(log *slog.Logger, sockets []*os.File) []*Listener {
	var taken []*Listener
	seen := make(map[string]bool)
	for _, file := range sockets {
		name := file.Name()
		l, err := inherit(file, SourceSystemd)
		if err != nil {
			log.Error("cannot use a socket from the service manager", "name", name, "error", err)
			file.Close()
			continue
		}
		if seen[l.Name()] {
			log.Warn("the service manager passed a socket twice", "address", l.Name())
			l.File.Close()
			continue
		}
		seen[l.Name()] = true
		taken = append(taken, l)
	}
	return taken
}

// inherit makes a Listener of a file that was passed. The file description is
// shared with the service manager; it is made non-blocking, as all its users
// want it.
func inherit(file *os.File, source Source) (*Listener, error) {
	dup, err := Dup(file) // without Fd, and with a name of our own
	if err != nil {
		return nil, err
	}
	l := &Listener{File: dup, Source: source, FDName: file.Name()}
	if err := l.describe(); err != nil {
		dup.Close()
		return nil, err
	}
	return l, file.Close()
}

// describe finds out what the socket is.
func (l *Listener) describe() error {
	raw, err := l.File.SyscallConn()
	if err != nil {
		return err
	}
	var inner error
	err = raw.Control(func(fd uintptr) { inner = l.describeFD(int(fd)) })
	return errors.Join(err, inner)
}

func (l *Listener) describeFD(fd int) error {
	if err := unix.SetNonblock(fd, true); err != nil {
		return fmt.Errorf("make it non-blocking: %w", err)
	}
	kind, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
	if err != nil {
		return fmt.Errorf("it is not a socket: %w", err)
	}
	listening, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
	if err != nil {
		return fmt.Errorf("look whether it listens: %w", err)
	}
	if kind != unix.SOCK_STREAM || listening == 0 {
		return errors.New("it is not a listening stream socket: use ListenStream= and Accept=no")
	}
	name, err := unix.Getsockname(fd)
	if err != nil {
		return fmt.Errorf("read its address: %w", err)
	}
	switch name := name.(type) {
	case *unix.SockaddrInet4:
		l.Address = netip.AddrPortFrom(netip.AddrFrom4(name.Addr), uint16(name.Port))
	case *unix.SockaddrInet6:
		l.Address = netip.AddrPortFrom(netip.AddrFrom16(name.Addr).WithZone(zoneName(name.ZoneId)), uint16(name.Port))
	case *unix.SockaddrUnix:
		l.Path = name.Name
	default:
		return fmt.Errorf("its address family %T is not supported", name)
	}
	return nil
}
