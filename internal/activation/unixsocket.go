package activation

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// openPath finds or makes the listener of a Unix socket.
func openPath(path string, held []*Listener) Set {
	for _, l := range held {
		if l.Path == path {
			return Set{Listeners: []*Listener{l}}
		}
	}
	l, err := BindUnix(path)
	if err != nil {
		return Set{Err: err}
	}
	return Set{Listeners: []*Listener{l}}
}

// BindUnix makes a listener on a Unix socket. A socket file that nobody listens
// on any more is replaced. Everybody may connect, as to a TCP port on loopback:
// who may reach the socket is up to the rights of its folder.
func BindUnix(path string) (*Listener, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	err = unix.Bind(fd, &unix.SockaddrUnix{Name: path})
	if errors.Is(err, unix.EADDRINUSE) && isStale(path) {
		if err = os.Remove(path); err == nil || errors.Is(err, fs.ErrNotExist) {
			err = unix.Bind(fd, &unix.SockaddrUnix{Name: path})
		}
	}
	if errors.Is(err, unix.EADDRINUSE) {
		err = fmt.Errorf("another process listens on it, or it is no socket (%w)", err)
	}
	if err == nil {
		err = os.Chmod(path, 0o666)
	}
	if err == nil {
		err = unix.Listen(fd, Backlog)
	}
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	file, err := unpolled(fd, "listener:"+path)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	return &Listener{Path: path, File: file, Source: SourceBound}, nil
}

// isStale reports whether path is a socket on which nobody listens.
func isStale(path string) bool {
	info, err := os.Lstat(path)
	if err != nil || info.Mode().Type() != fs.ModeSocket {
		return false
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	return errors.Is(unix.Connect(fd, &unix.SockaddrUnix{Name: path}), unix.ECONNREFUSED)
}
