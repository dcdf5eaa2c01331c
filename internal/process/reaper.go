package process

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// A Reaper starts the children of this process and buries the orphans that
// come to it. There is one per process, since children are.
//
// Its lock makes one event of each of: fork and registration; a look at a dead
// child and the decision whose it is; the reaping of a child and the end of its
// pid's validity; the choice of a pid or group and a signal to it. While it is
// held no child of this process is reaped, so the pids of children, alive or
// zombies, cannot come to mean another process.
type Reaper struct {
	log      *slog.Logger
	launcher string
	// wake makes Run look for dead children; its buffer of 1 coalesces.
	wake chan struct{}

	mu sync.Mutex
	// instances holds by pid what is not gone yet.
	instances map[int]*Process
	// strayOf remembers by pid to which instance an orphan belongs: it may
	// change its environment or session later. Entries end when it is reaped.
	strayOf map[int]string
	// changed is closed and replaced whenever something was reaped.
	changed chan struct{}
}

// NewReaper makes this process the one that orphans below it come to
// (PR_SET_CHILD_SUBREAPER, prctl(2)), unless it is pid 1 and so already is.
// Where that is refused, processes that leave their group when their parent has
// gone are out of reach; that is logged once. launcher is the binary with the
// launch role (see Child.Path); empty means the running one.
func NewReaper(log *slog.Logger, launcher string) *Reaper {
	if os.Getpid() != 1 {
		if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
			log.Warn("orphans of apps cannot be reached", "error", err)
		}
	}
	return &Reaper{
		log:       log,
		launcher:  launcher,
		wake:      make(chan struct{}, 1),
		instances: make(map[int]*Process),
		strayOf:   make(map[int]string),
		changed:   make(chan struct{}),
	}
}

// Run reaps orphans until ctx ends. Without it they stay zombies, and count as
// leftovers.
func (r *Reaper) Run(ctx context.Context) {
	died := make(chan os.Signal, 1)
	signal.Notify(died, unix.SIGCHLD)
	defer signal.Stop(died)
	for {
		r.sweep()
		select {
		case <-died:
		case <-r.wake:
		case <-ctx.Done():
			return
		}
	}
}

// sweep reaps orphans until there is no dead child left, or the next one is a
// managed process. The kernel shows the dead in an order of its own, always the
// same first one; the sweep goes on when that one's Wait has reaped it and
// calls ended, which wakes Run. Instances that thereby are gone are let go of,
// whether or not somebody asks for them.
func (r *Reaper) sweep() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for {
		info, err := waitid(unix.P_ALL, 0, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT)
		if err != nil || info.pid == 0 || r.manages(int(info.pid)) {
			break
		}
		r.bury(int(info.pid))
	}
	for _, p := range r.instances {
		p.settle()
	}
}

// bury reaps the dead orphan pid, and reports whether there was one to reap.
// The lock is held.
func (r *Reaper) bury(pid int) bool {
	// Its session and group are told until it is reaped.
	last, statErr := readStat(pid)
	info, err := waitid(unix.P_PID, pid, unix.WEXITED|unix.WNOHANG)
	if err != nil || info.pid == 0 {
		return false
	}
	name := r.strayOf[pid]
	delete(r.strayOf, pid)
	if name != "" && statErr == nil {
		r.inherit(last, name)
	}
	r.log.Debug("orphan reaped", "pid", pid, "instance", name, "exit", info.exit().String())
	r.announce()
	return true
}

// inherit gives the instance of a stray that has been buried to those of its
// session or group that have come to us by its death; their environment may
// not tell. The lock is held.
func (r *Reaper) inherit(dead procStat, name string) {
	children, err := childrenOf(selfPID)
	if err != nil {
		return
	}
	for _, pid := range children {
		if _, known := r.strayOf[pid]; known || r.manages(pid) {
			continue
		}
		if heir, err := readStat(pid); err == nil && (heir.session == dead.session || heir.group == dead.group) {
			r.strayOf[pid] = name
		}
	}
}

// register makes a process managed. The lock is held.
func (r *Reaper) register(pid int, pidfd *os.File, name string) *Process {
	p := &Process{PID: pid, Name: name, reaper: r, pidfd: pidfd, done: make(chan struct{})}
	r.instances[pid] = p
	return p
}

// manages reports whether pid is a main process that its Wait will reap. The
// lock is held.
func (r *Reaper) manages(pid int) bool {
	p := r.instances[pid]
	return p != nil && !p.reaped
}

// ended is told when a main process has been reaped by its Wait.
func (r *Reaper) ended(p *Process) {
	r.mu.Lock()
	defer r.mu.Unlock()
	// Also after an error of the poller: the pid is not to be relied on.
	p.reaped, p.waited = true, true
	if p.killed {
		// Children of the main process that were out of reach have come to us.
		_ = p.send(syscall.SIGKILL)
	}
	p.settle()
	r.announce()
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// announce wakes those who wait for something to be reaped. The lock is held.
func (r *Reaper) announce() {
	close(r.changed)
	r.changed = make(chan struct{})
}

// forget ends the registration of p. The lock is held.
func (r *Reaper) forget(p *Process) {
	// The number may have been given to a new process meanwhile.
	if r.instances[p.PID] == p {
		delete(r.instances, p.PID)
	}
}
