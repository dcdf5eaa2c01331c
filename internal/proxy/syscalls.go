package proxy

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// The calls of the hot path. They go around the scheduler's bookkeeping
// (RawSyscall), which a call that never blocks does not need: 55 ns each, of
// which a request makes five. MSG_DONTWAIT keeps them from blocking whatever
// became of the descriptor's own flag, MSG_NOSIGNAL keeps SIGPIPE away.

// recv reads from a socket, recv(2).
func recv(fd int, p []byte, flags int) (int, unix.Errno) {
	n, _, errno := unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd),
		uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), uintptr(flags|unix.MSG_DONTWAIT), 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}

// send writes to a socket, send(2).
func send(fd int, p []byte) (int, unix.Errno) {
	n, _, errno := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fd),
		uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}

// splice moves bytes between a pipe and a socket, splice(2).
func splice(from, to, n int) (int, unix.Errno) {
	m, _, errno := unix.RawSyscall6(unix.SYS_SPLICE, uintptr(from), 0, uintptr(to), 0, uintptr(n),
		unix.SPLICE_F_MOVE|unix.SPLICE_F_NONBLOCK)
	if errno != 0 {
		return 0, errno
	}
	return int(m), 0
}

// again reports whether a call has to be made again once the socket is ready.
func again(errno unix.Errno) bool { return errno == unix.EAGAIN || errno == unix.EINTR }

// pending looks at a socket without taking anything: whether bytes or the end
// wait to be read, and whether the peer has sent its end (hup) or broken the
// connection (dead).
func pending(fd int) (hup, dead bool) {
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}}
	if n, err := unix.Poll(fds, 0); err != nil || n == 0 {
		return false, false
	}
	got := fds[0].Revents
	return got&unix.POLLRDHUP != 0, got&(unix.POLLERR|unix.POLLHUP|unix.POLLNVAL) != 0
}
