package process

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// sendLeaf signals an instance that has a cgroup: all that is in it. The lock is
// held.
func (p *Process) sendLeaf(sig syscall.Signal) error {
	if p.leaf.Empty() {
		return os.ErrProcessDone
	}
	if sig == syscall.SIGKILL {
		if err := p.leaf.Kill(); err != nil {
			return fmt.Errorf("kill %s: %w", p.Name, err)
		}
		return nil
	}
	err := p.signalGroup(sig)
	if errors.Is(err, unix.ESRCH) {
		err = nil
	}
	if err := errors.Join(err, p.leaf.signalOthers(sig, p.PID)); err != nil {
		return fmt.Errorf("signal %s: %w", p.Name, err)
	}
	return nil
}

// settleLeaf is settle for an instance that has a cgroup. The lock is held.
func (p *Process) settleLeaf() bool {
	if !p.leaf.Empty() {
		return false
	}
	err := p.leaf.Remove()
	if errors.Is(err, unix.EBUSY) {
		return false // a dead process in it has not been reaped yet
	}
	if err != nil {
		p.reaper.log.Warn("cannot remove cgroup", "instance", p.Name, "error", err)
	}
	p.leave()
	return true
}

// members are the processes in the instance's cgroup.
func (p *Process) members() []int {
	if p.leaf == nil {
		return nil
	}
	pids, err := p.leaf.PIDs()
	if err != nil {
		return nil // the other ways to find them are left
	}
	return pids
}

// signalOthers signals the processes of the leaf that are not in a process
// group, each once. A pid is held by a pidfd while it is made sure that it is
// still in the leaf.
func (l *Leaf) signalOthers(sig syscall.Signal, group int) error {
	pids, err := l.PIDs()
	if err != nil {
		return err
	}
	for _, pid := range pids {
		if pgid, err := unix.Getpgid(pid); err != nil || pgid == group {
			continue
		}
		if e := l.signalOne(pid, sig); e != nil && !errors.Is(e, unix.ESRCH) {
			err = errors.Join(err, fmt.Errorf("pid %d: %w", pid, e))
		}
	}
	return err
}

func (l *Leaf) signalOne(pid int, sig syscall.Signal) error {
	pidfd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return err
	}
	defer unix.Close(pidfd)
	pids, err := l.PIDs()
	if err != nil {
		return err
	}
	for _, member := range pids {
		if member == pid {
			return unix.PidfdSendSignal(pidfd, sig, nil, 0)
		}
	}
	return nil
}
