package daemon

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"gracevisor/internal/config"
	"gracevisor/internal/logs"
	"gracevisor/internal/process"
	"gracevisor/internal/supervisor"
)

// instanceProcess is a process as the supervisor sees it.
type instanceProcess struct{ *process.Process }

func (p *instanceProcess) ID() int { return p.PID }

// The names that files of an instance ("demo/7") are kept by.
func pidfdName(instance string) string { return "app/" + instance + "/pidfd" }

func outputName(app string, instance uint64, stream string) string {
	return fmt.Sprintf("app/%s/%d/%s", app, instance, stream)
}

// startInstance clones the process of an instance, and keeps its identity before
// it is let go.
func (m *machine) startInstance(spec process.Spec) (supervisor.Process, error) {
	var p *process.Process
	err := m.inLeaf(spec.Name, spec.Limits, func(leaf *process.Leaf) (err error) {
		spec.Leaf = leaf
		p, err = m.reaper.Start(spec)
		return err
	})
	if err != nil {
		return nil, err
	}
	m.enter(spec.Name, p.PID)
	if err := m.keep(pidfdName(spec.Name), p.PIDFD()); err != nil {
		m.log.Error("cannot keep instance; a crash of the daemon would lose it", "instance", spec.Name, "error", err)
	}
	return &instanceProcess{p}, nil
}

// adoptInstance takes over a process that an earlier daemon has started. The
// pidfd that was kept is the process's identity, whatever has its number now.
func (m *machine) adoptInstance(instance string, pid int) (supervisor.Process, error) {
	p, err := m.adopt(pidfdName(instance), pid, instance)
	if err != nil {
		m.disown(instance)
		return nil, err
	}
	return &instanceProcess{p}, nil
}

// disown lets go of the cgroup of a process that can not be adopted: for the
// supervisor it has ended, and so has what it has started.
func (m *machine) disown(owner string) { delete(m.claimed, owner) }

// adopt takes over the process whose pidfd was kept under a name; if that got
// lost, the one that is in the ledger.
func (m *machine) adopt(name string, pid int, owner string) (*process.Process, error) {
	m.claimed[owner] = true
	pidfd, err := m.takeKept(name)
	if err != nil {
		birth, known := m.ledger.list()[owner]
		if !known {
			return nil, err
		}
		var openErr error
		if pidfd, openErr = birth.Open(); openErr != nil {
			return nil, errors.Join(err, openErr)
		}
		m.log.Warn("found a process that was not kept", "instance", owner, "pid", birth.PID)
		if err := m.keeper.Keep(name, pidfd, nil); err != nil {
			m.log.Error("cannot keep instance; a crash of the daemon would lose it", "instance", owner, "error", err)
		}
	}
	switch own, err := process.PIDOf(pidfd); {
	case err != nil:
		pidfd.Close()
		return nil, err
	case own != 0:
		pid = own // it may have been kept before its pid was saved
	case pid == 0:
		pidfd.Close()
		return nil, fmt.Errorf("take over %s: it has ended", owner)
	}
	return m.reaper.Adopt(pid, pidfd, owner, m.findLeaf(owner))
}

// enter enters a process into the ledger, strike strikes it out.
func (m *machine) enter(owner string, pid int) {
	if err := m.ledger.add(owner, pid); err != nil {
		m.log.Error("cannot note process; the next daemon would not find it after a crash", "instance", owner, "pid", pid, "error", err)
	}
}

func (m *machine) strike(owner string) {
	if err := m.ledger.drop(owner); err != nil {
		m.log.Warn("cannot strike out process", "instance", owner, "error", err)
	}
}

// openOutput makes the pipes that an instance writes into.
func (m *machine) openOutput(app *config.App, instance uint64) (supervisor.Output, error) {
	stdout, closeStdout, err := m.outputPipe(app, instance, logs.StreamStdout, app.Stdout)
	if err != nil {
		return supervisor.Output{}, err
	}
	stderr, closeStderr, err := m.outputPipe(app, instance, logs.StreamStderr, app.Stderr)
	if err != nil {
		stdout.Close()
		closeStdout()
		return supervisor.Output{}, err
	}
	return supervisor.Output{Stdout: stdout, Stderr: stderr, Close: m.forget(app.Name, instance, closeStdout, closeStderr)}, nil
}

// forget makes the function that lets go of all that was kept of an instance,
// once the supervisor has forgotten it.
func (m *machine) forget(app string, instance uint64, ends ...func()) func() {
	return func() {
		for _, end := range ends {
			end()
		}
		owner := fmt.Sprintf("%s/%d", app, instance)
		m.keeper.Drop(pidfdName(owner))
		go m.strike(owner) // ends when the file is written
	}
}

// outputPipe makes a pipe whose read end is kept, and read into a log file.
func (m *machine) outputPipe(app *config.App, instance uint64, stream string, file config.LogFile) (write *os.File, end func(), err error) {
	read, write, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	name := outputName(app.Name, instance, stream)
	if err := m.keeper.Keep(name, read, nil); err != nil {
		m.log.Error("cannot keep output; a crash of the daemon would end it", "app", app.Name, "error", err)
	}
	attachment := m.store.Attach(logs.Source{App: app.Name, Instance: instance, Stream: stream}, read, outputTarget(app, file))
	return write, func() {
		attachment.Detach()
		m.keeper.Drop(name)
	}, nil
}

// adoptOutput reads on what an instance writes.
func (m *machine) adoptOutput(app *config.App, instance uint64) supervisor.Output {
	closeStdout := m.adoptPipe(app, instance, logs.StreamStdout, app.Stdout)
	closeStderr := m.adoptPipe(app, instance, logs.StreamStderr, app.Stderr)
	return supervisor.Output{Close: m.forget(app.Name, instance, closeStdout, closeStderr)}
}

func (m *machine) adoptPipe(app *config.App, instance uint64, stream string, file config.LogFile) (end func()) {
	name := outputName(app.Name, instance, stream)
	read, err := m.takeKept(name)
	if err != nil {
		m.log.Error("cannot read on what an instance writes", "app", app.Name, "instance", instance, "stream", stream, "error", err)
		return func() { m.keeper.Drop(name) }
	}
	attachment := m.store.Attach(logs.Source{App: app.Name, Instance: instance, Stream: stream}, read, outputTarget(app, file))
	return func() {
		attachment.Detach()
		m.keeper.Drop(name)
	}
}

// openAccessLog makes the pipe for an app's access log. The workers that have
// its write end may outlive the daemon, so a successor reads on.
func (m *machine) openAccessLog(app *config.App) (*os.File, error) {
	name := "access/" + app.Name
	src, target := logs.Source{App: app.Name, Stream: logs.StreamAccess}, targetOf(app.Traffic.AccessLogFile)
	if earlier, err := m.takeKept(name); err == nil {
		m.store.Attach(src, earlier, target) // until the workers have the new pipe
	}
	read, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	if err := m.keeper.Keep(name, read, nil); err != nil {
		m.log.Error("cannot keep access log; a crash of the daemon would end it", "app", app.Name, "error", err)
	}
	m.store.Attach(src, read, target)
	return write, nil
}

// settleTime bounds the wait for an instance's last words. Others may hold its
// pipes open, so their end is no sign.
const settleTime = 200 * time.Millisecond

func (m *machine) settleOutput(app string, instance uint64) {
	ctx, cancel := context.WithTimeout(context.Background(), settleTime)
	defer cancel()
	_ = m.store.Settle(ctx, app, instance) // late words are only not told
}

// targetOf translates the configuration of a log file.
func targetOf(file config.LogFile) logs.Target {
	return logs.Target{Path: file.Path, MaxSize: file.MaxSize, MaxKept: file.MaxKept, MaxAge: file.MaxAge}
}

// outputTarget is where the output of an app goes.
func outputTarget(app *config.App, file config.LogFile) logs.Target {
	target := targetOf(file)
	target.Journal = app.Journal
	return target
}
