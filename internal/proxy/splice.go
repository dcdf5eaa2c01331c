package proxy

import (
	"errors"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// pipeSize is asked for, F_SETPIPE_SZ of fcntl(2): as much as anybody gets by
// default (fs.pipe-max-size), so that a body of 1 MiB goes through at once. Where
// the user's share of pipe memory is used up (pipe(7), 64 MiB by default) a pipe
// stays as it is made, or is of no use.
const pipeSize = 1 << 20

// errNoPipe says that the system has no pipe to give.
var errNoPipe = errors.New("make pipe: none to be had")

// A pipe takes bytes from one socket to another without copying them into the
// process (splice(2)). It is our own and not that of io.Copy, whose pipe is
// lost with what it holds when a write is interrupted.
type pipe struct {
	r, w int // w is -1 if it came with bytes from another process, and is not filled again
	size int
	held int // bytes in it
}

// pipes holds idle pipes, as a pipe costs four system calls to make and close.
var pipes pipePool

type pipePool struct {
	mu    sync.Mutex
	idle  []*pipe
	spare int   // how many were not needed since shrink looked last
	next  int64 // when it looks again, in monotime
}

// maxIdlePipes bounds what idle pipes cost: two descriptors each.
const maxIdlePipes = 32

// take lends a pipe, or nil if the system has none to give.
func (l *pipePool) take() *pipe {
	l.mu.Lock()
	if n := len(l.idle); n > 0 {
		p := l.idle[n-1]
		l.idle = l.idle[:n-1]
		l.spare = min(l.spare, n-1)
		l.mu.Unlock()
		return p
	}
	l.mu.Unlock()
	return newPipe()
}

func newPipe() *pipe {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return nil
	}
	p := &pipe{r: fds[0], w: fds[1]}
	size, err := unix.FcntlInt(uintptr(p.w), unix.F_SETPIPE_SZ, pipeSize)
	if err != nil {
		size, err = unix.FcntlInt(uintptr(p.w), unix.F_GETPIPE_SZ, 0)
	}
	if err != nil || size < spliceFrom {
		p.close()
		return nil
	}
	p.size = size
	return p
}

// put takes a pipe back. One that holds bytes is of no use to anybody else.
func (l *pipePool) put(p *pipe) {
	l.mu.Lock()
	if p.held == 0 && p.w >= 0 && len(l.idle) < maxIdlePipes {
		l.idle = append(l.idle, p)
		p = nil
	}
	l.mu.Unlock()
	if p != nil {
		p.close()
	}
}

// shrinkPause is the time in which a pipe has to be needed once to be kept.
const shrinkPause = int64(5 * time.Second)

// shrink closes the pipes that nobody has needed for a while: the descriptors
// are worth more elsewhere.
func (l *pipePool) shrink(now int64) {
	l.mu.Lock()
	if now < l.next {
		l.mu.Unlock()
		return
	}
	l.next = now + shrinkPause
	old := slices.Clone(l.idle[:l.spare])
	l.idle = slices.Delete(l.idle, 0, l.spare)
	l.spare = len(l.idle)
	l.mu.Unlock()
	for _, p := range old {
		p.close()
	}
}

// trim closes the idle pipes.
func (l *pipePool) trim() {
	l.mu.Lock()
	idle := l.idle
	l.idle, l.spare = nil, 0
	l.mu.Unlock()
	for _, p := range idle {
		p.close()
	}
}

func (p *pipe) close() {
	unix.Close(p.r)
	if p.w >= 0 {
		unix.Close(p.w)
	}
}

// fill takes bytes from a socket into the empty pipe; -1 means that none are
// there yet, 0 that the stream has ended.
func (p *pipe) fill(fd, want int) (int, error) {
	n, errno := splice(fd, p.w, min(want, p.size))
	switch {
	case again(errno):
		return -1, nil
	case errno != 0:
		return 0, errno
	}
	p.held = n
	return n, nil
}

// drain moves what the pipe holds into a socket, and reports whether the wait
// is over: all moved, or an error.
func (p *pipe) drain(fd int) (over bool, err error) {
	for p.held > 0 {
		n, errno := splice(p.r, fd, p.held)
		if again(errno) {
			return false, nil
		}
		if errno != 0 {
			return true, errno
		}
		p.held -= n
	}
	return true, nil
}

// spliceIn waits for bytes and takes up to want of them, or any number if want
// is negative, into a pipe, which the caller puts back. No bytes, and no pipe,
// mean the end of the stream. While there is nothing to take no pipe is held.
func (s *sock) spliceIn(want int64) (*pipe, int, error) {
	if want < 0 || want > pipeSize {
		want = pipeSize
	}
	s.in.want = int(want)
	n, err := s.wait(opSplice)
	p := s.in.pipe
	s.in.pipe = nil
	return p, n, err
}

// spliceOnce is the callback of spliceIn.
func (s *sock) spliceOnce() bool {
	p := pipes.take()
	if p == nil {
		s.in.err = errNoPipe
		return true
	}
	n, err := p.fill(s.fd, s.in.want)
	if n > 0 {
		s.in.pipe, s.in.n = p, n
		return true
	}
	pipes.put(p)
	s.in.n, s.in.err = 0, err
	return n == 0
}

// spliceOut moves what p holds into the socket.
func (s *sock) spliceOut(p *pipe) error {
	over, err := p.drain(s.fd)
	if over {
		return err
	}
	s.out.pipe = p
	err = s.waitWrite()
	s.out.pipe = nil
	return err
}
