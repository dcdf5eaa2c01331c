package process

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Stray is a living orphan that has come to this process: something below an
// app started it and has gone.
type Stray struct {
	PID int
	// Comm is its name as the kernel has it (proc_pid_comm(5)).
	Comm string
	// Instance is the Name of the Process that it belongs to: a stop reaches
	// it. Or it is empty.
	Instance string
	// Why says, when Instance is empty, why no stop reaches it.
	Why string
}

// Strays lists the living orphans, by pid.
func (r *Reaper) Strays() ([]Stray, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	orphans, err := r.orphans()
	strays := make([]Stray, 0, len(orphans))
	for _, o := range orphans {
		name, why, attributeErr := r.attribute(o)
		if !errors.Is(attributeErr, errExecuting) {
			err = errors.Join(err, attributeErr)
		}
		if name != "" && !r.knows(name) {
			name, why = "", "its instance "+name+" has gone"
		}
		strays = append(strays, Stray{PID: o.pid, Comm: o.comm, Instance: name, Why: why})
	}
	slices.SortFunc(strays, func(a, b Stray) int { return a.PID - b.PID })
	return strays, err
}

// knows reports whether something called name is not gone. The lock is held.
func (r *Reaper) knows(name string) bool {
	for _, p := range r.instances {
		if p.Name == name {
			return true
		}
	}
	return false
}

// strays are the orphans that belong to p; with an error there may be more. The
// lock is held.
func (p *Process) strays() ([]procStat, error) {
	orphans, err := p.reaper.orphans()
	return slices.DeleteFunc(orphans, func(o procStat) bool {
		name, _, attributeErr := p.reaper.attribute(o)
		err = errors.Join(err, attributeErr)
		return name != p.Name
	}), err
}

// orphans are the living children of this process that nobody manages. Dead
// ones are buried on the way, and then the list is made again: their children
// have just come to us. The lock is held, so nothing else is reaped meanwhile,
// which could make the kernel skip a line of its list.
func (r *Reaper) orphans() ([]procStat, error) {
	for {
		children, err := childrenOf(selfPID)
		if err != nil {
			return nil, fmt.Errorf("list orphans: %w", err)
		}
		var living []procStat
		buried := false
		for _, pid := range children {
			if r.manages(pid) {
				continue
			}
			stat, err := readStat(pid)
			if vanished(err) {
				continue
			}
			if err != nil {
				return nil, fmt.Errorf("look at orphan %d: %w", pid, err)
			}
			// Only a whole process can be buried: a leader whose threads
			// live on is shown as a zombie too.
			if stat.zombie() && r.bury(pid) {
				buried = true
				continue
			}
			living = append(living, stat)
		}
		if !buried {
			return living, nil
		}
	}
}

// attribute finds the instance of an orphan: by its session or group, which are
// numbered like the main process, or by the environment that it has inherited.
// An empty name comes with why. An error means that nothing can be said now. The
// lock is held.
func (r *Reaper) attribute(o procStat) (name, why string, err error) {
	if name, ok := r.strayOf[o.pid]; ok {
		return name, "", nil
	}
	for _, id := range []int{o.session, o.group} {
		if p := r.instances[id]; p != nil {
			name = p.Name
		}
	}
	if name == "" {
		name, why, err = instanceOf(o.pid)
	}
	if name != "" {
		r.strayOf[o.pid] = name
	}
	return name, why, err
}

// errExecuting: a process is in the middle of execve(2) and for that moment has
// neither arguments nor an environment. To take it for one that names no
// instance would lose it.
var errExecuting = errors.New("it is just being executed")

// executing reports whether pid looks like that: everything else that runs has
// arguments (Linux gives one, if empty, to those that were executed without).
func executing(pid int) bool {
	cmdline, err := os.ReadFile(procPath(pid, "cmdline"))
	return err == nil && len(cmdline) == 0
}

// execPatience is how long instanceOf waits for an execve(2) to be done, which
// is a matter of microseconds unless the disk is slow.
const (
	execPatience = 10 * time.Millisecond
	execPause    = 200 * time.Microsecond
)

// instanceOf reads an instance's name from the environment of pid.
func instanceOf(pid int) (name, why string, err error) {
	for deadline := time.Now().Add(execPatience); ; time.Sleep(execPause) {
		name, why, err = askEnviron(pid)
		if !errors.Is(err, errExecuting) || time.Now().After(deadline) {
			return name, why, err
		}
	}
}

func askEnviron(pid int) (name, why string, err error) {
	environ, err := readEnviron(pid)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return "", "its environment may not be read", nil
	case vanished(err):
		return "", "it has ended", nil
	case err != nil:
		return "", "its environment cannot be read", fmt.Errorf("read environment of %d: %w", pid, err)
	}
	if name := valueOf(strings.Split(environ, "\x00"), EnvInstance); name != "" {
		return name, "", nil
	}
	if environ == "" && executing(pid) {
		return "", errExecuting.Error(), fmt.Errorf("read environment of %d: %w", pid, errExecuting)
	}
	return "", "its environment names no instance", nil
}

// sendStrays signals the strays of p and tells how many there were. They are
// our children and cannot be reaped meanwhile: the lock is held.
func (p *Process) sendStrays(sig syscall.Signal) (int, error) {
	strays, err := p.strays()
	for _, stray := range strays {
		if e := syscall.Kill(stray.pid, sig); e != nil && e != syscall.ESRCH {
			err = errors.Join(err, fmt.Errorf("signal pid %d (%s): %w", stray.pid, stray.comm, e))
		}
	}
	return len(strays), err
}
