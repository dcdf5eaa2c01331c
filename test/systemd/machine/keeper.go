package machine

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
)

// keep is the keeper's process: it makes the machine's cgroup, starts it, and
// when the lifeline (standard input) ends, or the machine has powered off,
// leaves nothing of it.
func (s spec) keep() error {
	group, err := makeCgroup(s.Cgroup)
	if err != nil {
		return err
	}
	cmd, err := s.inside(group)
	if err == nil {
		err = cmd.Start()
	}
	err = errors.Join(err, group.Close())
	if err != nil {
		return errors.Join(fmt.Errorf("start machine: %w", err), removeCgroup(s.Cgroup))
	}
	// Ends with the lifeline, or with this process.
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // any end is the end
		_ = cmd.Process.Kill()               // it may have powered off already
	}()
	err = cmd.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) && !exit.Exited() {
		err = nil // killed: the usual end
	}
	return errors.Join(err, removeCgroup(s.Cgroup))
}

// inside is the command of the first process in the machine's namespaces.
func (s spec) inside(group *os.File) (*exec.Cmd, error) {
	env, err := s.environment(roleInside)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = env
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWNS | syscall.CLONE_NEWPID,
		Pdeathsig:   syscall.SIGKILL,
		UseCgroupFD: true,
		CgroupFD:    int(group.Fd()),
	}
	return cmd, nil
}
