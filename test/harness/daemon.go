package harness

import (
	"context"
	"os"
	"syscall"

	"gracevisor/internal/control"
)

// Daemon is a gracevisord that was started.
type Daemon struct {
	PID int

	box    *Box
	exited *syscall.WaitStatus // nil: it has not been waited for
}

// Start starts the daemon on the Box's configuration, and returns as soon as
// it answers on its control socket. Its apps may still be starting.
func (b *Box) Start(args ...string) *Daemon {
	b.t.Helper()
	d := b.launch(args)
	b.await(d)
	return d
}

// Run runs the daemon to its end, for configurations and flags with which it
// ends by itself. Its output is the Result's Stdout.
func (b *Box) Run(args ...string) Result {
	b.t.Helper()
	before := len(b.DaemonOutput())
	d := b.launch(args)
	status := d.Wait()
	return Result{Status: status.ExitStatus(), Stdout: b.DaemonOutput()[before:]}
}

func (b *Box) launch(args []string) *Daemon {
	b.t.Helper()
	path, err := Binary("gracevisord")
	if err != nil {
		b.t.Fatal(err)
	}
	if b.binary != "" {
		path = b.binary
	}
	words := append([]string{path, "--conf", b.ConfDir}, args...)
	env := b.environment()
	var files []*os.File
	if b.service != nil {
		words, env, files = b.service.prepare(words, env)
		defer closeFiles(files)
	}
	pid, err := b.keeper.start(startOrder{
		Args: words, Env: env, Dir: b.Dir, Output: b.path("daemon.out"),
		UID: b.uid, GID: b.gid(),
	}, files...)
	if err != nil {
		b.t.Fatal(err)
	}
	b.daemon = &Daemon{PID: pid, box: b}
	return b.daemon
}

// gid is the group of the daemon: that of the test, or the one with the number
// of its own user.
func (b *Box) gid() int {
	if b.uid == os.Getuid() {
		return os.Getgid()
	}
	return b.uid
}

// DaemonOutput is what the daemons of the Box have written to standard output
// and standard error.
func (b *Box) DaemonOutput() string {
	text, err := os.ReadFile(b.path("daemon.out"))
	if err != nil && !os.IsNotExist(err) {
		b.t.Error(err)
	}
	return string(text)
}

// Signal sends a signal to the daemon.
func (d *Daemon) Signal(s syscall.Signal) {
	d.box.t.Helper()
	if err := d.box.keeper.signal(d.PID, s); err != nil {
		d.box.t.Fatalf("send %v to the daemon: %v", s, err)
	}
}

// Wait waits for the daemon's exit.
func (d *Daemon) Wait() syscall.WaitStatus {
	d.box.t.Helper()
	if d.exited == nil {
		ctx, cancel := context.WithTimeout(d.box.t.Context(), DeadMan)
		defer cancel()
		status, err := d.box.keeper.wait(ctx, d.PID)
		if err != nil {
			d.box.t.Fatal(err)
		}
		d.exited = &status
	}
	return *d.exited
}

// Stop asks the daemon to stop, and waits until it has. An exit status other
// than 0, and processes that are left behind, are failures.
func (d *Daemon) Stop() {
	d.box.t.Helper()
	d.Signal(syscall.SIGTERM)
	if status := d.Wait(); !status.Exited() || status.ExitStatus() != 0 {
		d.box.t.Errorf("the daemon was to stop, and ended with %s", describe(status))
	}
	d.box.nothingRuns()
}

// Kill kills the daemon, and waits until it is gone. What it leaves behind is
// no failure: the guardian ends it with the Box.
func (d *Daemon) Kill() {
	d.box.t.Helper()
	d.box.tolerant = true
	d.Signal(syscall.SIGKILL)
	d.Wait()
}

// Status asks the daemon for the state of the named apps, or of all.
func (b *Box) Status(apps ...string) *control.Status {
	b.t.Helper()
	status, err := b.control.Status(b.t.Context(), apps...)
	if err != nil {
		b.t.Fatalf("ask for the status: %v", err)
	}
	return status
}
