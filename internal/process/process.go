package process

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// Process is the main process of an instance together with what it started:
// its process group, and strays (orphans of the instance outside the group).
// Its methods may be called from any goroutine.
type Process struct {
	// PID is the pid of the main process, which is also the number of its
	// session and process group.
	PID int
	// Name is that of the Spec.
	Name string

	reaper *Reaper
	pidfd  *os.File
	// leaf is the cgroup that holds all of the instance, or nil.
	leaf *Leaf
	// launch is nil unless the process came through the launch role of this
	// daemon's own making.
	launch *launch

	wait sync.Once
	// exit is set before done is closed.
	exit Exit
	done chan struct{}

	// Guarded by reaper.mu.

	// reaped: the main process has gone and its pid may be another's.
	reaped bool
	// waited: Wait is done with the pidfd.
	waited bool
	// gone: so have group and strays; nothing may be signalled any more.
	gone bool
	// killed: whatever turns up of this instance is killed too.
	killed bool
}

// launch is the supervisor's side of a launch.
type launch struct {
	goWrite *os.File

	read   sync.Once
	status *os.File
	// said is what the launcher wrote, or err why that is not known.
	said []byte
	err  error
}

// Adopt takes over a process that an earlier daemon started by Start; pidfd is
// its identity, and becomes Adopt's to close. The process may be a child of ours
// (after an exec in place) or not (after a crash). Adopt all before Run, which
// would otherwise take an adopted child that has ended for an orphan.
//
// leaf is the cgroup that it was started in, or nil.
func (r *Reaper) Adopt(pid int, pidfd *os.File, name string, leaf *Leaf) (*Process, error) {
	// A file that came from elsewhere may not be in the poller.
	fd := -1
	var dupErr error
	err := withDescriptors([]*os.File{pidfd}, nil, func(fds []uintptr) error {
		fd, dupErr = unix.FcntlInt(fds[0], unix.F_DUPFD_CLOEXEC, 0)
		return dupErr
	})
	pidfd.Close()
	if err != nil {
		return nil, fmt.Errorf("adopt %s: %w", name, err)
	}
	file, err := pollable(fd)
	if err != nil {
		return nil, fmt.Errorf("adopt %s: %w", name, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.register(pid, file, name)
	p.leaf = leaf
	return p, nil
}

// PIDFD is the process's identity. It stays the Process's: it is closed when
// nothing of the instance is left.
func (p *Process) PIDFD() *os.File { return p.pidfd }

// Go lets the launcher exec the app. It fails if the launcher has ended or Go
// was called before; why it ended is Launched's to tell.
func (p *Process) Go() error {
	if p.launch == nil {
		return nil
	}
	_, err := p.launch.goWrite.Write([]byte{1})
	p.launch.goWrite.Close()
	if err != nil {
		return fmt.Errorf("start %s: let the launcher go: %w", p.Name, err)
	}
	return nil
}

// Launched blocks until the app has been executed (nil) or cannot be (why, in
// the launcher's words). It is at once nil for a process without launcher. A
// process that could not be launched ends by itself and wants its Wait too.
func (p *Process) Launched() error {
	if p.launch == nil {
		return nil
	}
	said, err := p.launch.outcome()
	switch {
	case err != nil:
		return fmt.Errorf("start %s: hear from the launcher: %w", p.Name, err)
	case len(said) == 0:
		return fmt.Errorf("start %s: the launcher ended without a word: %s", p.Name, p.Wait())
	case said[0] != statusExec:
		return fmt.Errorf("start %s: %s", p.Name, said)
	case len(said) > 1:
		return fmt.Errorf("start %s: %s", p.Name, said[1:])
	}
	return nil
}

// outcome reads the status pipe to its end, once, and closes it.
func (l *launch) outcome() ([]byte, error) {
	l.read.Do(func() {
		l.said, l.err = io.ReadAll(io.LimitReader(l.status, 2*maxStatus))
		l.status.Close()
	})
	return l.said, l.err
}

// Wait blocks, parked in the runtime poller, until the main process has ended,
// reaps it and returns how it ended. It must be called for every Process, or a
// zombie remains that also keeps the reaper from others.
func (p *Process) Wait() Exit {
	p.wait.Do(p.await)
	return p.exit
}

func (p *Process) await() {
	var child bool
	conn, err := p.pidfd.SyscallConn()
	if err == nil {
		err = conn.Read(func(fd uintptr) bool {
			var ended bool
			ended, child = p.collect(int(fd))
			return ended
		})
	}
	if err == nil && !child {
		err = conn.Control(func(fd uintptr) { p.exit = exitOfStranger(int(fd)) })
	}
	if err != nil {
		p.reaper.log.Error("pidfd cannot be waited for", "instance", p.Name, "pid", p.PID, "error", err)
	}
	if p.launch != nil {
		// Neither can block now, and nothing may be left open.
		p.launch.goWrite.Close()
		_, _ = p.launch.outcome()
	}
	if p.leaf != nil {
		p.exit.OutOfMemory = p.leaf.Usage().OOMKills > 0
	}
	p.reaper.ended(p)
	close(p.done)
}

// collect reaps the main process if it has ended, and says whether it was ours
// to reap. The lock makes the end of the pid's validity one event with reaped.
func (p *Process) collect(pidfd int) (ended, child bool) {
	p.reaper.mu.Lock()
	defer p.reaper.mu.Unlock()
	info, err := waitid(unix.P_PIDFD, pidfd, unix.WEXITED|unix.WNOHANG)
	switch {
	case err == nil && info.pid != 0:
		p.exit, p.reaped = info.exit(), true
		return true, true
	case errors.Is(err, unix.ECHILD):
		p.reaped = readable(pidfd)
		return p.reaped, false
	default:
		// Not yet: no child (pid 0), or EAGAIN as the pidfd is non-blocking.
		return false, true
	}
}

// readable reports whether a pidfd's process has ended, whosever child it is.
func readable(pidfd int) bool {
	fds := []unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}
	n, err := unix.Poll(fds, 0)
	return err == nil && n == 1
}
