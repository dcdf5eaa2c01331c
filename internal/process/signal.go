package process

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Signal sends sig once to each process of the instance that is known: the
// process group with the main process in it, and strays. The main process has
// it from the group alone, since many programs take a second TERM for "at
// once". The error is os.ErrProcessDone if nothing is left to signal.
func (p *Process) Signal(sig syscall.Signal) error {
	p.reaper.mu.Lock()
	defer p.reaper.mu.Unlock()
	return p.send(sig)
}

// Kill sends SIGKILL to group and strays, and to whatever turns up of the
// instance until Leftovers finds nothing more: a process in a session of its own
// is out of reach until its parent has died. The error is os.ErrProcessDone if
// nothing is left.
func (p *Process) Kill() error {
	p.reaper.mu.Lock()
	defer p.reaper.mu.Unlock()
	p.killed = true
	err := p.send(syscall.SIGKILL)
	if errors.Is(err, errExecuting) {
		return nil // as said: whatever turns up
	}
	return err
}

// send signals group and strays. The lock is held.
func (p *Process) send(sig syscall.Signal) error {
	if p.gone {
		return os.ErrProcessDone
	}
	if p.leaf != nil {
		return p.sendLeaf(sig)
	}
	groupErr := p.signalGroup(sig)
	strays, strayErr := p.sendStrays(sig)
	empty := errors.Is(groupErr, unix.ESRCH)
	if empty && strays == 0 && strayErr == nil {
		return os.ErrProcessDone
	}
	if empty {
		groupErr = nil
	}
	if err := errors.Join(groupErr, strayErr); err != nil {
		return fmt.Errorf("signal %s: %w", p.Name, err)
	}
	return nil
}

// signalGroup signals the process group, with 0 only asking whether it has
// members; zombies count. The error is ESRCH if there is none. The lock is held.
//
// The main process is a session leader, so it cannot leave its group, and the
// group has its number. From Linux 6.9 on the pidfd stands for the group too:
// the kernel then goes by the very object that the pid was, whoever has its
// number later. Before that the number must do, see signalNumber.
func (p *Process) signalGroup(sig syscall.Signal) error {
	var err error
	conn, connErr := p.pidfd.SyscallConn()
	if connErr != nil {
		return connErr
	}
	connErr = conn.Control(func(fd uintptr) {
		err = unix.PidfdSendSignal(int(fd), sig, nil, unix.PIDFD_SIGNAL_PROCESS_GROUP)
		if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) {
			err = p.signalNumber(sig, !p.reaped && !readable(int(fd)))
		}
	})
	return errors.Join(connErr, err)
}

// signalNumber signals the group by its number. The kernel gives a number to
// nobody else while it is in use as a pid, a group or a session (pid_namespaces
// and setsid are no exception), so it is ours
//
//   - while the main process is not reaped: a child is reaped only under the
//     lock, which is held; one that is not our child could be reaped by its
//     parent between the look at its pidfd and the signal, and the number would
//     have to come round in that moment;
//   - afterwards as long as the group has members. If it has not, the number may
//     have come round. A process that has it as its pid proves that, because the
//     main process has gone: then it is not touched. What remains is a new
//     leader that has itself gone again and left a group, between two looks at
//     ours; that takes more than the whole of pid_max in new processes, and
//     settle stops looking once the group was seen empty.
func (p *Process) signalNumber(sig syscall.Signal, mainLives bool) error {
	if !mainLives && p.reaped && exists(p.PID) {
		return unix.ESRCH
	}
	return unix.Kill(-p.PID, sig)
}
