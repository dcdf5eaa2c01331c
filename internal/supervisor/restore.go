package supervisor

import (
	"encoding/json"
	"time"

	"gracevisor/internal/activation"
	"gracevisor/internal/config"
	"gracevisor/internal/supervisor/lifecycle"
	"gracevisor/internal/wire"
)

// Inheritance is what a supervisor takes over from one before it: what that has
// saved, and the files that outlived it.
type Inheritance struct {
	State *State
	// Process adopts the process of an instance. Its error means that the
	// process can not be reached any more.
	Process func(instance string, pid int) (Process, error)
	// Output reads on what an instance writes.
	Output func(app *config.App, instance uint64) Output
	// SocketDir is the folder that was made for an instance.
	SocketDir func(instance, username string) SocketDir
	// Worker adopts a worker process.
	Worker func(generation uint64, pid int) (WorkerProcess, error)
	// Claim takes the listeners of these names, as Claim of activation.Table
	// does.
	Claim func(names []string) []*activation.Listener
	// Done is called when all is adopted.
	Done func()
	// Listening is called when every app's addresses have been looked for; what
	// is left of the listeners nobody wants.
	Listening func()
}

// revisionGap is between the last revision that was saved and the first of a
// successor: tables may have been sent that were not saved.
const revisionGap = 1000

// restore makes the state that was saved ours. What was under way goes on from
// where it can; what can not is begun again. Nothing is published before every
// app has its listeners back (reclaim.go).
func (s *Supervisor) restore(from *Inheritance) {
	state := from.State
	s.log.Info("taking over", "apps", len(state.Apps), "workers", len(state.Workers), "from_build", state.Build)
	s.began, s.plan = state.Began, state.Plan
	s.crashes, s.updateDue = state.Crashes, state.UpdateDue
	s.unsaved = true
	s.nextGeneration, s.revision = state.NextGeneration, state.Revision+revisionGap
	if state.LastNumbers != nil {
		s.lastNumbers = state.LastNumbers
	}
	s.slots.limit = s.plan.ParallelRestarts
	s.ports.SetRange(s.plan.Ports.From, s.plan.Ports.To)
	for _, w := range state.Workers {
		s.restoreWorker(w, from)
	}
	for _, raw := range state.Apps {
		var saved appState
		if err := json.Unmarshal(raw, &saved); err != nil {
			s.log.Error("cannot restore app", "error", err) // ReadState has tried it
			continue
		}
		saved.fill(s.plan)
		s.restoreApp(&saved, from)
	}
	s.listenAgain()
	s.restoreJobs(state)
	s.stale = true
	from.Done() // before anything new takes a name that nobody has claimed
	if s.newestWorker() == nil || s.newestWorker().build != s.version {
		s.startWorker()
	}
	s.probeAgain()
	s.checkRestored()
}

func (s *Supervisor) restoreWorker(saved workerState, from *Inheritance) {
	p, err := from.Worker(saved.Generation, saved.PID)
	if err != nil {
		s.log.Error("cannot take over worker", "worker", saved.Generation, "pid", saved.PID, "error", err)
		return
	}
	w := s.newWorker(saved.Generation)
	w.process, w.pid, w.began, w.build = p, saved.PID, saved.Began, saved.Build
	w.draining, w.drainingSince = saved.Draining, saved.DrainingSince
	w.ordered, w.acknowledged = saved.Ordered, saved.Ordered
	w.moves, w.heirs = saved.Moves, saved.Heirs
	s.converse(w)
	if !saved.Ready {
		s.dismiss(w) // whether it has said so since nobody knows
		return
	}
	w.ready = true
	if w.draining {
		s.beginWorkerDrain(w) // whether it was told nobody knows
	}
}

func (s *Supervisor) restoreApp(saved *appState, from *Inheritance) {
	a := &app{
		name: saved.Name, plan: saved.Plan, desired: saved.Desired, failed: saved.Failed,
		crashes: saved.Crashes, restarts: saved.Restarts, lastError: saved.LastError,
		past: saved.Past, lastOutput: saved.LastOutput, since: saved.Since, sinceBoot: saved.SinceBoot,
		lastNumber: saved.LastNumber, news: true,
	}
	s.apps[a.name] = a
	s.order = append(s.order, a.name)
	if a.desired != removed { // its address may be another's by now
		s.reclaim(a, saved.Listeners, from)
	}
	s.openAccessLog(a)
	for n := range saved.Instances {
		a.instances = append(a.instances, s.restoreInstance(a, &saved.Instances[n], from))
	}
	s.restoreAttempt(a, saved.Attempt)
	for n, i := range a.instances {
		s.resume(i, &saved.Instances[n])
	}
	serving := a.serving()
	if a.desired == running && a.attempt == nil && (serving == nil || serving.state != lifecycle.Serving) {
		s.fail(a) // its next try is due some time from now
	}
	s.soon(func() { s.forgetIfRemoved(a) })
}

// restoreAttempt goes on with an attempt: with the try under way, if it has
// come so far that it can be told from one that never began, else with a new
// one.
func (s *Supervisor) restoreAttempt(a *app, saved *attemptState) {
	if saved == nil {
		return
	}
	t := &attempt{app: a, plan: saved.Plan, reason: saved.Reason, failures: saved.Failures, asked: saved.Asked}
	a.attempt = t
	for _, i := range a.instances {
		if i.number != saved.Candidate || i.process == nil {
			continue
		}
		switch i.state {
		case lifecycle.Probing:
			s.slots.taken++
			t.holdsSlot = true
			s.boundSlot(t)
			t.candidate, i.attempt = i, t
		case lifecycle.Switching:
			t.candidate, i.attempt = i, t
		}
	}
	if t.candidate == nil {
		s.soon(func() {
			if a.attempt == t {
				s.requestSlot(t)
			}
		})
	}
}

func (s *Supervisor) restoreInstance(a *app, saved *instanceState, from *Inheritance) *instance {
	i := &instance{
		app: a, plan: saved.Plan, number: saved.Number, state: saved.State,
		began: saved.Began, since: saved.Since, servedSince: saved.ServedSince,
		reason: saved.Reason, pid: saved.PID, port: saved.Port,
		targets: saved.Targets, target: saved.Target, killed: saved.Killed, err: saved.Error,
		routed: s.revision,
	}
	if i.plan == nil {
		i.plan = a.plan
	}
	for _, old := range a.instances {
		for _, number := range saved.Replaced {
			if old.number == number {
				i.replaced = append(i.replaced, old)
				old.successor = i
			}
		}
	}
	if i.port != 0 {
		s.ports.Claim(i.port)
	}
	i.output = from.Output(i.plan, i.number)
	if saved.Socket != "" {
		i.socket = from.SocketDir(i.id(), i.plan.User)
	}
	i.saidReady = saved.SaidReady
	if usesNotify(i.plan) && !i.state.Ended() {
		var err error
		if i.notify, err = s.system.MakeNotify(i.id(), i.plan.User); err != nil {
			i.notify = nil
			s.log.Error("cannot listen to instance", "app", a.name, "instance", i.number, "error", err)
		}
	}
	p, err := from.Process(i.id(), i.pid)
	if err != nil {
		s.log.Error("cannot take over instance", "app", a.name, "instance", i.number, "pid", i.pid, "error", err)
		return i
	}
	i.process, i.pid = p, p.ID()
	s.listenToApp(i)
	s.feedWatchdog(i)
	return i
}

// resume goes on with an instance from the state that it was in.
func (s *Supervisor) resume(i *instance, saved *instanceState) {
	if i.process == nil {
		s.lost(i)
		return
	}
	s.awaitExit(i)
	spent := time.Since(saved.Since)
	switch i.state {
	case lifecycle.Starting:
		// Whether it was let go nobody knows: it is begun again.
		i.note("begun again: the daemon was replaced while it started")
		s.step(i, lifecycle.Cancel)
	case lifecycle.Probing:
		s.setClock(i, remaining(i.plan.StartTimeout, time.Since(saved.Began)), lifecycle.StartTimedOut)
		s.beginProbe(i)
	case lifecycle.Switching:
		i.revision = s.revision + 1
	case lifecycle.Draining:
		s.beginDrain(i)
		if !i.inReserve() {
			s.setClock(i, remaining(i.plan.DrainTimeout, spent), lifecycle.DrainTimedOut)
		}
	case lifecycle.Stopping:
		s.sendStop(i) // it may not have got it
		s.setClock(i, remaining(i.plan.StopTimeout, spent), lifecycle.StopTimedOut)
	case lifecycle.Killing:
		s.kill(i)
	}
}

// awaitExit reports the end of an adopted process. Of one that had ended before,
// only the end of what it has left is still to be awaited.
func (s *Supervisor) awaitExit(i *instance) {
	if i.state == lifecycle.Leftovers {
		go i.process.Wait() // at once: it has ended
		s.awaitLeftovers(i)
		return
	}
	p := i.process
	go func() { // ends with the process
		exit := p.Wait()
		s.system.SettleOutput(i.app.name, i.number)
		s.post(instanceExited{i, exit})
	}()
}

// lost deals with an instance whose process can not be reached: for us it has
// ended, and its port stays out of use as long as somebody listens on it.
func (s *Supervisor) lost(i *instance) {
	if i.state.Ended() {
		s.soon(func() { s.step(i, lifecycle.Emptied) })
		return
	}
	i.note("lost when the daemon was replaced")
	s.soon(func() { s.step(i, lifecycle.Exited) })
}

// remaining is what is left of a time-out, at least a moment; 0 stays none.
func remaining(timeout, spent time.Duration) time.Duration {
	if timeout == 0 {
		return 0
	}
	return max(timeout-spent, time.Millisecond)
}

// newWorker makes the entry of a worker generation.
func (s *Supervisor) newWorker(generation uint64) *worker {
	w := &worker{
		generation: generation,
		outbox:     wire.NewOutbox(),
		began:      time.Now(),
		build:      s.version,
		sent:       make(map[string]bool),
		counters:   make(map[int]*wire.Counters),
	}
	s.workers[generation] = w
	return w
}

// converse begins to talk with a worker and to look after it.
func (s *Supervisor) converse(w *worker) {
	p := w.process
	heard := make(chan struct{})
	go func() { // ends with the conversation
		defer close(heard)
		s.listenTo(w)
	}()
	go s.talkTo(w) // ends with the conversation
	go func() {    // ends with the process
		exit := p.Wait()
		select {
		case <-heard: // its last word is what it has counted
		case <-time.After(pingInterval):
		}
		s.post(workerExited{w, exit})
	}()
	s.tickWorker(w)
}
