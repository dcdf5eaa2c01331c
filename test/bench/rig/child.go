package rig

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// stopTime is how long a child may take to exit after SIGTERM.
const stopTime = 20 * time.Second

// Child is a process that a World has started.
type Child struct {
	name    string
	cmd     *exec.Cmd
	output  string
	exited  chan struct{} // closed when it has been waited for
	stopped bool
}

// Start starts a program, whose output goes into a file of the World's folder.
// It is to be called from the main goroutine, locked to its thread.
func (w *World) Start(name string, env []string, args ...string) (*Child, error) {
	c := &Child{name: name, output: w.Path(name + ".log"), exited: make(chan struct{})}
	output, err := os.Create(c.output)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	defer output.Close()
	c.cmd = exec.Command(args[0], args[1:]...)
	c.cmd.Dir = w.Dir
	c.cmd.Env = append(os.Environ(), env...)
	c.cmd.Stdout, c.cmd.Stderr = output, output
	// A terminal's signals reach the benchmark only, which ends its children
	// in order. And the kernel shares out CPU time by session, if it does so
	// automatically (sched(7), autogroup): gracevisor makes sessions for its
	// processes, so what it is compared with has to have them, too.
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGTERM}
	if err := c.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	// Ends with the child.
	go func() {
		_ = c.cmd.Wait() // is in cmd.ProcessState
		close(c.exited)
	}()
	w.children = append(w.children, c)
	return c, nil
}

// PID is the child's.
func (c *Child) PID() int { return c.cmd.Process.Pid }

// Stop asks the child to exit and waits for that; one that takes too long is
// killed, which is an error. A child that has exited already is an error, too,
// unless it was Stop that has ended it.
func (c *Child) Stop() error {
	if c.stopped {
		return nil
	}
	select {
	case <-c.exited:
		return c.fault()
	default:
	}
	c.stopped = true
	if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop %s: %w", c.name, err)
	}
	late := time.NewTimer(stopTime)
	defer late.Stop()
	select {
	case <-c.exited:
		return nil
	case <-late.C:
	}
	err := fmt.Errorf("stop %s: it has not exited after %v and was killed", c.name, stopTime)
	if killErr := c.cmd.Process.Kill(); killErr != nil {
		return errors.Join(err, killErr)
	}
	<-c.exited
	return err
}

// outputLines is how much of its output an error of a child shows.
const outputLines = 10

// fault tells that the child has exited by itself, with its last words.
func (c *Child) fault() error {
	c.stopped = true // it is told once
	return fmt.Errorf("%s has exited by itself (%v); its last output:\n%s", c.name, c.cmd.ProcessState, c.LastOutput())
}

// LastOutput returns the child's last lines.
func (c *Child) LastOutput() string {
	text, err := os.ReadFile(c.output)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-outputLines):], "\n")
}
