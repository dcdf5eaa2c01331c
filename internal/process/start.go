package process

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// selfExe is the running binary itself, also after the file on disk has been
// replaced or removed: the launcher then still speaks our version of the order.
const selfExe = "/proc/self/exe"

// Start starts a launcher for spec and returns with it waiting: nothing of the
// app has run yet, and its pid and pidfd are final. Go lets it continue,
// Launched tells what came of it, and Wait, which somebody must call, reaps it.
func (r *Reaper) Start(spec Spec) (*Process, error) {
	if err := spec.check(); err != nil {
		return nil, err
	}
	memfd, err := writeOrder(newOrder(&spec))
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", spec.Name, err)
	}
	defer memfd.Close()
	pipes, err := newLaunchPipes()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", spec.Name, err)
	}
	p, err := r.Spawn(Child{
		Name:  spec.Name,
		Path:  r.launcher,
		Argv:  []string{"gracevisord", LaunchRole, spec.Name},
		Env:   launcherEnvironment(),
		Files: []*os.File{nil, spec.Stdout, spec.Stderr, memfd, pipes.goRead, pipes.statusWrite},
		Leaf:  spec.Leaf,
	})
	pipes.closeChildEnds()
	if err != nil {
		pipes.closeOwnEnds()
		return nil, err
	}
	p.launch = &launch{goWrite: pipes.goWrite, status: pipes.statusRead}
	return p, nil
}

// Child is a process that is started as it is, without the launch role: one of
// our own binary, such as the proxy worker.
type Child struct {
	// Name is for errors, and the key to the child's strays.
	Name string
	// Path is executed; a trailing " (deleted)", as links in /proc end when
	// the file was replaced, is not part of it. Empty means this very binary.
	Path string
	Argv []string
	// Env is its whole environment.
	Env []string
	// Files become 0, 1, 2, …; nil is /dev/null. They stay the caller's.
	Files []*os.File
	// Leaf is the cgroup that it is cloned into (CLONE_INTO_CGROUP, clone(2)),
	// or nil for that of this process.
	Leaf *Leaf
}

// Spawn starts c as the leader of a new session. Every child of this process
// must be started by Start or Spawn: what the reaper does not know it takes for
// an orphan, and takes its exit status away.
func (r *Reaper) Spawn(c Child) (*Process, error) {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", c.Name, err)
	}
	defer null.Close()
	files := make([]*os.File, len(c.Files))
	for i, f := range c.Files {
		if files[i] = f; f == nil {
			files[i] = null
		}
	}
	var p *Process
	attr := &syscall.SysProcAttr{Setsid: true}
	if c.Leaf != nil {
		dir, err := c.Leaf.Open()
		if err != nil {
			return nil, fmt.Errorf("start %s: %w", c.Name, err)
		}
		defer dir.Close()
		attr.UseCgroupFD, attr.CgroupFD = true, int(dir.Fd())
	}
	err = withDescriptors(files, nil, func(fds []uintptr) error {
		p, err = r.fork(&c, attr, fds)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", c.Name, err)
	}
	return p, nil
}

// fork forks and registers under the lock that the reaper classifies under, so
// that a child which ends at once is already known as a managed one.
func (r *Reaper) fork(c *Child, attr *syscall.SysProcAttr, fds []uintptr) (*Process, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	pidfd := -1
	attr.PidFD = &pidfd
	path := binaryPath(c.Path)
	pid, err := syscall.ForkExec(path, c.Argv, &syscall.ProcAttr{
		Env:   c.Env,
		Files: fds,
		Sys:   attr,
	})
	if err != nil {
		return nil, fmt.Errorf("run %q: %w", path, err)
	}
	file, err := pollable(pidfd)
	if err != nil {
		// Still under the lock: this pid is our unreaped child's.
		_ = syscall.Kill(pid, syscall.SIGKILL)
		_, _ = waitid(unix.P_PID, pid, unix.WEXITED)
		return nil, err
	}
	p := r.register(pid, file, c.Name)
	p.leaf = c.Leaf
	return p, nil
}

// withDescriptors calls use with the descriptors of files, which cannot be
// closed meanwhile. File.Fd would make pipes and sockets blocking for all who
// share them.
func withDescriptors(files []*os.File, fds []uintptr, use func([]uintptr) error) error {
	if len(files) == 0 {
		return use(fds)
	}
	conn, err := files[0].SyscallConn()
	if err != nil {
		return err
	}
	var inner error
	err = conn.Control(func(fd uintptr) {
		inner = withDescriptors(files[1:], append(fds, fd), use)
	})
	return errors.Join(err, inner)
}

// pollable makes a file of a pidfd that lives in the runtime poller.
func pollable(pidfd int) (*os.File, error) {
	if pidfd < 0 {
		return nil, errors.New("get pidfd: the kernel is older than Linux 5.4")
	}
	if err := unix.SetNonblock(pidfd, true); err != nil {
		unix.Close(pidfd)
		return nil, fmt.Errorf("set pidfd non-blocking: %w", err)
	}
	f := os.NewFile(uintptr(pidfd), "pidfd")
	// NewFile does not tell when the poller refused the descriptor; a deadline
	// can be set only on one that is in it.
	if err := f.SetReadDeadline(time.Time{}); err != nil {
		f.Close()
		return nil, fmt.Errorf("poll pidfd: %w", err)
	}
	return f, nil
}

// binaryPath returns what to execute for a caller's path.
func binaryPath(path string) string {
	if path == "" {
		return selfExe
	}
	return strings.TrimSuffix(path, " (deleted)")
}

// launchPipes are the two pipes between supervisor and launcher.
type launchPipes struct {
	goRead, goWrite         *os.File
	statusRead, statusWrite *os.File
}

func newLaunchPipes() (*launchPipes, error) {
	var gate, status [2]int
	if err := unix.Pipe2(gate[:], unix.O_CLOEXEC); err != nil {
		return nil, fmt.Errorf("make pipe: %w", err)
	}
	if err := unix.Pipe2(status[:], unix.O_CLOEXEC); err != nil {
		unix.Close(gate[0])
		unix.Close(gate[1])
		return nil, fmt.Errorf("make pipe: %w", err)
	}
	// Only the end that Launched waits on belongs into the poller.
	if err := unix.SetNonblock(status[0], true); err != nil {
		for _, fd := range []int{gate[0], gate[1], status[0], status[1]} {
			unix.Close(fd)
		}
		return nil, fmt.Errorf("set pipe non-blocking: %w", err)
	}
	return &launchPipes{
		goRead:      os.NewFile(uintptr(gate[0]), "go"),
		goWrite:     os.NewFile(uintptr(gate[1]), "go"),
		statusRead:  os.NewFile(uintptr(status[0]), "status"),
		statusWrite: os.NewFile(uintptr(status[1]), "status"),
	}, nil
}

func (l *launchPipes) closeChildEnds() {
	l.goRead.Close()
	l.statusWrite.Close()
}

func (l *launchPipes) closeOwnEnds() {
	l.goWrite.Close()
	l.statusRead.Close()
}
