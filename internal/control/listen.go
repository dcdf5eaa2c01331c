package control

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// maxSocketPath is what sun_path holds beside its final NUL, unix(7).
const maxSocketPath = 107

// ListenUnix listens on the control socket at path, an absolute one: mode 0660,
// owned by us and, where we are root and it exists, by group. A socket there
// that nobody listens on is replaced; one that answers is another daemon's, and
// the error a *RunningError. The caller holds the lock of LockRuntime, without
// which two daemons could take the same socket for a stale one.
//
// What it returns is a *net.UnixListener, of which Close removes the socket
// (SetUnlinkOnClose(false) keeps it for a process that the listener was handed
// to). It serves nothing by itself.
func ListenUnix(path, group string) (net.Listener, error) {
	if !filepath.IsAbs(path) {
		return nil, fmt.Errorf("listen on %q: the path is not absolute", path)
	}
	if len(path) > maxSocketPath {
		return nil, fmt.Errorf("listen on %q: the path is longer than the %d bytes that a socket's may have", path, maxSocketPath)
	}
	if err := clearStaleSocket(path); err != nil {
		return nil, err
	}
	config := net.ListenConfig{Control: bindClosed}
	l, err := config.Listen(context.Background(), "unix", path)
	if err != nil {
		return nil, fmt.Errorf("listen on the control socket: %w", err)
	}
	if err := openSocket(path, group); err != nil {
		l.Close()
		return nil, fmt.Errorf("listen on the control socket: %w", err)
	}
	return l, nil
}

// clearStaleSocket makes room at path, where nobody listens any more.
func clearStaleSocket(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look at the control socket: %w", err)
	}
	if info.Mode().Type() != os.ModeSocket {
		return fmt.Errorf("listen on %s: there is something that is no socket", path)
	}
	c, err := net.DialTimeout("unix", path, 5*time.Second)
	switch {
	case err == nil:
		defer c.Close()
		running := &RunningError{Path: path}
		if cred, err := peerCredentials(c.(*net.UnixConn)); err == nil {
			running.PID = int(cred.Pid)
		}
		return running
	case errors.Is(err, unix.EAGAIN):
		// Its backlog is full: it lives, but cannot say who it is.
		return &RunningError{Path: path}
	case errors.Is(err, unix.ECONNREFUSED):
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("remove the stale control socket: %w", err)
		}
		return nil
	case errors.Is(err, os.ErrNotExist):
		return nil
	}
	return fmt.Errorf("ask who listens on the control socket: %w", err)
}

// bindClosed sets the mode that the socket's file will be made with, so that it
// is never open to more users than it shall be: bind takes the mode of the
// socket's inode, less the umask.
func bindClosed(_, _ string, c syscall.RawConn) error {
	var modeErr error
	err := c.Control(func(fd uintptr) { modeErr = unix.Fchmod(int(fd), 0o600) })
	if err == nil {
		err = modeErr
	}
	return err
}

// openSocket lets the group in.
func openSocket(path, group string) error {
	if err := os.Lchown(path, -1, groupOfFiles(group)); err != nil {
		return err
	}
	return os.Chmod(path, 0o660)
}

// groupOfFiles is the group that files for the group's members belong to: only
// root may give them away.
func groupOfFiles(group string) int {
	if os.Geteuid() == 0 {
		if gid, exists := lookUpGroup(group); exists {
			return int(gid)
		}
	}
	return os.Getegid()
}

// ListenTCP listens on every address of host, as the proxy does for an app:
// localhost is 127.0.0.1 and, where present, ::1. Addresses that this machine
// does not have are left out, as long as one is left.
func ListenTCP(host string, port int) ([]net.Listener, error) {
	addresses, err := addressesOf(host)
	if err != nil {
		return nil, fmt.Errorf("listen for rpc on %q: %w", host, err)
	}
	var listeners []net.Listener
	var missing error
	for _, a := range addresses {
		l, err := net.Listen("tcp", net.JoinHostPort(a, strconv.Itoa(port)))
		if errors.Is(err, unix.EADDRNOTAVAIL) || errors.Is(err, unix.EAFNOSUPPORT) {
			missing = err
			continue
		}
		if err != nil {
			for _, l := range listeners {
				l.Close()
			}
			return nil, fmt.Errorf("listen for rpc: %w", err)
		}
		listeners = append(listeners, l)
	}
	if len(listeners) == 0 {
		return nil, fmt.Errorf("listen for rpc: %w", missing)
	}
	return listeners, nil
}

// addressesOf resolves host. What localhost is does not depend on /etc/hosts.
func addressesOf(host string) ([]string, error) {
	if host == "localhost" {
		return []string{"127.0.0.1", "::1"}, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	addresses, err := net.DefaultResolver.LookupHost(ctx, host)
	return withoutRepeats(addresses), err
}
