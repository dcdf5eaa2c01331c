package logs

import (
	"errors"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// A pipe is not read until what is in it has been written: it is copied by
// tee(2), which leaves it where it is, and thrown away when it is in the file. A
// daemon that is killed in between loses nothing; its successor finds it in the
// pipe. What was just written and not yet thrown away is then written again.

// scratch is where copies go on their way into memory, and null where what was
// written goes. There is one of each for all sources, as a copy takes some
// microseconds.
var scratch struct {
	mu          sync.Mutex
	read, write int
	null        int
	made        bool
}

// prepareScratch makes them, if that has not been done. The lock is held.
func prepareScratch() error {
	if scratch.made {
		return nil
	}
	var ends [2]int
	if err := unix.Pipe2(ends[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return os.NewSyscallError("pipe2", err)
	}
	null, err := unix.Open(os.DevNull, unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return errors.Join(os.NewSyscallError("open", err), unix.Close(ends[0]), unix.Close(ends[1]))
	}
	scratch.read, scratch.write, scratch.null, scratch.made = ends[0], ends[1], null, true
	return nil
}

// dropScratch closes the pipe with whatever an error has left in it. The lock is
// held.
func dropScratch() {
	if scratch.made {
		unix.Close(scratch.read)
		unix.Close(scratch.write)
		unix.Close(scratch.null)
		scratch.made = false
	}
}

// peek copies what is in a pipe into p without taking it out. Its error is EAGAIN
// if the pipe is empty, and EINVAL for what is no pipe; n is 0 without one at the
// end of file.
func peek(fd uintptr, p []byte) (n int, err error) {
	scratch.mu.Lock()
	defer scratch.mu.Unlock()
	if err := prepareScratch(); err != nil {
		return 0, err
	}
	for {
		copied, err := unix.Tee(int(fd), scratch.write, len(p), unix.SPLICE_F_NONBLOCK)
		if err == unix.EINTR {
			continue
		}
		if err != nil || copied == 0 {
			return 0, err
		}
		n = int(copied)
		break
	}
	for have := 0; have < n; {
		m, err := unix.Read(scratch.read, p[have:n])
		if err == unix.EINTR {
			continue
		}
		if err != nil || m == 0 {
			dropScratch()
			return 0, os.NewSyscallError("read", errors.Join(err, errors.New("the copy of a pipe is incomplete")))
		}
		have += m
	}
	return n, nil
}

// writerTime is what a writer that was waiting for room gets to go on.
const writerTime = 100 * time.Microsecond

// letWrite lets who was waiting for room in a pipe write.
func letWrite() { time.Sleep(writerTime) }

// discard takes n bytes that were peeked at out of a pipe.
func discard(fd uintptr, n int) error {
	scratch.mu.Lock()
	defer scratch.mu.Unlock()
	for n > 0 {
		taken, err := unix.Splice(int(fd), nil, scratch.null, nil, n, unix.SPLICE_F_NONBLOCK)
		if err == unix.EINTR {
			continue
		}
		if err != nil || taken == 0 {
			return os.NewSyscallError("splice", errors.Join(err, errors.New("what was written is not in the pipe any more")))
		}
		n -= int(taken)
	}
	return nil
}

// hungUp reports whether nobody writes into a pipe any more.
func hungUp(fd uintptr) bool {
	fds := []unix.PollFd{{Fd: int32(fd)}}
	n, err := unix.Poll(fds, 0)
	return err == nil && n == 1 && fds[0].Revents&unix.POLLHUP != 0
}
