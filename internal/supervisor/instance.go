package supervisor

import (
	"fmt"
	"strconv"
	"time"

	"gracevisor/internal/config"
	"gracevisor/internal/process"
	"gracevisor/internal/supervisor/lifecycle"
	"gracevisor/internal/wire"
)

// instance is one process of an app, with all that it started.
type instance struct {
	app    *app
	plan   *config.App
	number uint64
	state  lifecycle.State
	// began is when it was started, since when it came into its state.
	began, since time.Time
	servedSince  time.Time
	reason       string
	// attempt is the one that it is the candidate of, until it serves or fails.
	attempt *attempt

	process Process
	pid     int
	output  Output
	// port is its internal port, or 0 if it listens on a Unix socket.
	port   int
	socket SocketDir
	// notify is the socket on which it tells how it is, or nil. saidReady: it
	// has told that it is ready. status is what it says of itself.
	notify    Notify
	saidReady bool
	status    string
	// watchdog runs until its next sign of life is due; watchdogTime is what it
	// asked for instead of the configured time.
	watchdog     *clock
	watchdogTime time.Duration

	// targets are the addresses at which it may be reached, target the one
	// that answered.
	targets []wire.Target
	target  wire.Target
	// verdict is what its probe said last.
	verdict wire.Verdict

	// clock bounds what it does now.
	clock *instanceClock
	// killed: SIGKILL was sent, or is to be sent once there is a process.
	killed bool

	// replaced are those that went to drain for this one; until the switch
	// is complete they can come back.
	replaced []*instance
	// successor is the one that it went to drain for.
	successor *instance
	// revision is that of the table which makes it switch.
	revision uint64
	// routed is the newest published table that sends requests to it.
	routed uint64
	// busy are the worker generations that may have requests on it while it
	// drains. They tell with each table if they have none.
	busy map[uint64]bool

	// err is the last thing that went wrong with it; timedOut: it was not ready
	// within start_timeout.
	err      string
	timedOut bool
}

// id names the instance to the workers, unique while the daemon lives.
func (i *instance) id() string { return i.app.name + "/" + strconv.FormatUint(i.number, 10) }

// note remembers what went wrong.
func (i *instance) note(format string, args ...any) { i.err = fmt.Sprintf(format, args...) }

// newInstance makes the next instance of an attempt's app, with a port and with
// pipes for its output, but without a process.
func (s *Supervisor) newInstance(t *attempt) (*instance, error) {
	a := t.app
	port := 0
	if !t.plan.UsesSocket() {
		var err error
		if port, err = s.ports.Take(); err != nil {
			return nil, err
		}
	}
	a.lastNumber++
	output, err := s.system.OpenOutput(t.plan, a.lastNumber)
	if err != nil {
		s.releasePort(port)
		return nil, fmt.Errorf("open output: %w", err)
	}
	i := &instance{
		app: a, plan: t.plan, number: a.lastNumber, state: lifecycle.Starting,
		began: time.Now(), since: time.Now(), reason: t.reason, attempt: t,
		output: output, port: port,
	}
	a.instances = append(a.instances, i)
	return i, nil
}

// releasePort gives a port back; an instance that listens on a Unix socket has
// none.
func (s *Supervisor) releasePort(port int) {
	if port != 0 {
		s.ports.Release(port)
	}
}

// spec is what is to be run, listening on the instance's port or on socket, and
// with env besides its own environment.
func (i *instance) spec(socket string, env []string) process.Spec {
	return process.Spec{
		Name:   i.id(),
		Argv:   process.Expand(i.plan.Command, i.port, socket),
		Env:    append(process.Expand(i.plan.Environment, i.port, socket), env...),
		Dir:    i.plan.Directory,
		User:   i.plan.User,
		Umask:  i.plan.Umask,
		Stdout: i.output.Stdout,
		Stderr: i.output.Stderr,
		Limits: process.Limits{
			MemoryMax: i.plan.Limits.MemoryMax, MemoryHigh: i.plan.Limits.MemoryHigh,
			CPUMax: i.plan.Limits.CPUMax, PidsMax: i.plan.Limits.PIDsMax, IOWeight: i.plan.Limits.IOWeight,
		},
	}
}

// launch clones the instance's process.
func (s *Supervisor) launch(i *instance) {
	s.setClock(i, i.plan.StartTimeout, lifecycle.StartTimedOut)
	go func() { // ends when the process is cloned
		started := instanceStarted{instance: i}
		path := ""
		if i.plan.UsesSocket() {
			var dir SocketDir
			if dir, started.err = s.system.MakeSocketDir(i.id(), i.plan.User); started.err == nil {
				started.socket, path = dir, dir.Path()
			}
		}
		if started.err == nil && usesNotify(i.plan) {
			started.notify, started.err = s.system.MakeNotify(i.id(), i.plan.User)
		}
		if started.err == nil {
			env := notifyEnvironment(i.plan, started.notify)
			started.process, started.err = s.system.Start(i.spec(path, env))
		}
		s.post(started)
	}()
}

// started has the process of an instance, which waits for the word to go on.
func (s *Supervisor) started(i *instance, m instanceStarted) {
	i.output.Stdout.Close()
	i.output.Stderr.Close()
	i.socket, i.notify = m.socket, m.notify
	if m.err != nil {
		i.note("cannot start: %v", m.err)
		s.step(i, lifecycle.Exited)
		return
	}
	p := m.process
	i.process, i.pid = p, p.ID()
	s.changed(i.app)
	s.listenToApp(i)
	s.onceSaved(func() {
		if i.killed {
			s.kill(i)
		} else if err := p.Go(); err != nil {
			i.note("cannot start: %v", err)
		}
	})
	go func() { // ends with the process
		err := p.Launched()
		s.post(instanceLaunched{i, err})
		exit := p.Wait()
		s.system.SettleOutput(i.app.name, i.number)
		s.post(instanceExited{i, exit})
	}()
}

// launched knows whether the process has become the app.
func (s *Supervisor) launched(i *instance, err error) {
	if err != nil {
		if i.err == "" {
			i.note("cannot start: %v", err)
		}
		return // its end is told next
	}
	s.log.Info("instance started", "app", i.app.name, "instance", i.number, "pid", i.pid, "address", i.internal(), "reason", i.reason)
	if i.attempt != nil {
		i.attempt.step("instance %d started, pid %d, at %s", i.number, i.pid, i.internal())
	}
	s.step(i, lifecycle.Launched)
}

// exited knows how the main process has ended.
func (s *Supervisor) exited(i *instance, exit process.Exit) {
	level := s.log.Info
	if !i.killed && i.state != lifecycle.Stopping {
		level = s.log.Warn
	}
	level("instance ended", "app", i.app.name, "instance", i.number, "pid", i.pid, "exit", exit.String(), "state", i.state.String())
	switch {
	case i.err == "":
		i.note("%v", exit)
	case i.state != lifecycle.Starting && !i.killed:
		i.note("%v (before: %s)", exit, i.err)
	}
	s.step(i, lifecycle.Exited)
}

// timedOut lets a time-out happen to the instance.
func (s *Supervisor) timedOut(i *instance, event lifecycle.Event) {
	i.clock = nil
	switch event {
	case lifecycle.StartTimedOut:
		i.timedOut = true
		if i.err == "" {
			i.note("not ready within start_timeout (%s)", i.plan.StartTimeout)
		} else {
			i.note("not ready within start_timeout (%s): %s", i.plan.StartTimeout, i.err)
		}
	case lifecycle.DrainTimedOut:
		s.log.Warn("stopping an instance that still has requests: drain_timeout has passed", "app", i.app.name, "instance", i.number)
	case lifecycle.StopTimedOut:
		i.note("did not stop within stop_timeout and was killed")
		s.log.Warn("killing an instance that does not stop", "app", i.app.name, "instance", i.number, "pid", i.pid)
	}
	s.step(i, event)
}
