package harness

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"
)

// Result is how a program has ended.
type Result struct {
	// Status is the exit status; -1: a signal has ended it.
	Status         int
	Stdout, Stderr string
}

func (r Result) String() string {
	return fmt.Sprintf("exit status %d\nstdout: %s\nstderr: %s", r.Status, r.Stdout, r.Stderr)
}

// Ctl runs gracevisorctl on the Box's control socket to its end.
func (b *Box) Ctl(args ...string) Result {
	b.t.Helper()
	return b.CtlStart(args...).Wait()
}

// Must runs gracevisorctl, and fails the test unless its exit status is 0.
func (b *Box) Must(args ...string) Result {
	b.t.Helper()
	return b.Want(0, args...)
}

// Want runs gracevisorctl, and fails the test unless its exit status is as
// wanted.
func (b *Box) Want(status int, args ...string) Result {
	b.t.Helper()
	r := b.Ctl(args...)
	if r.Status != status {
		b.t.Fatalf("gracevisorctl %v: want exit status %d, got %s", args, status, r)
	}
	return r
}

// Command is a gracevisorctl under way.
type Command struct {
	box            *Box
	args           []string
	cmd            *exec.Cmd
	cancel         context.CancelFunc
	stdout, stderr output
}

// CtlStart starts gracevisorctl and does not wait for it: for commands that
// follow, and for those during which something is to happen. What the test
// does not wait for ends with it.
func (b *Box) CtlStart(args ...string) *Command {
	b.t.Helper()
	return b.CtlAs(b.uid, args...)
}

// CtlAs starts gracevisorctl as another user, which only root can.
func (b *Box) CtlAs(uid int, args ...string) *Command {
	b.t.Helper()
	path, err := Binary("gracevisorctl")
	if err != nil {
		b.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	c := &Command{box: b, args: args, cmd: exec.CommandContext(ctx, path, args...), cancel: cancel}
	c.cmd.Dir = b.Dir
	c.cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "RUNTIME_DIRECTORY=" + b.RunDir, "GORACE=" + b.raceOptions()}
	c.cmd.Stdout, c.cmd.Stderr = &c.stdout, &c.stderr
	c.cmd.WaitDelay = DeadMan
	if uid != os.Getuid() {
		c.cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(uid)}}
	}
	if err := c.cmd.Start(); err != nil {
		cancel()
		b.t.Fatalf("start gracevisorctl: %v", err)
	}
	b.t.Cleanup(func() {
		cancel()
		_ = c.cmd.Wait() // fails if it has been waited for, or was killed
	})
	return c
}

// Wait waits for the program's end.
func (c *Command) Wait() Result {
	c.box.t.Helper()
	ended := make(chan error, 1)
	go func() { ended <- c.cmd.Wait() }() // ends with the program, which is killed if it hangs
	ctx, cancel := context.WithTimeout(c.box.t.Context(), DeadMan)
	defer cancel()
	select {
	case err := <-ended:
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			c.box.t.Fatalf("gracevisorctl %v: %v", c.args, err)
		}
	case <-ctx.Done():
		c.cancel()
		<-ended
		c.box.t.Fatalf("gracevisorctl %v hangs, with stdout: %s\nstderr: %s", c.args, c.stdout.String(), c.stderr.String())
	}
	return Result{c.cmd.ProcessState.ExitCode(), c.stdout.String(), c.stderr.String()}
}

// Interrupt sends a signal to the program.
func (c *Command) Interrupt(s os.Signal) {
	c.box.t.Helper()
	if err := c.cmd.Process.Signal(s); err != nil {
		c.box.t.Fatalf("send %v to gracevisorctl: %v", s, err)
	}
}

// Output is what it has written to standard output so far.
func (c *Command) Output() string { return c.stdout.String() }

// output collects what a program writes.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}
