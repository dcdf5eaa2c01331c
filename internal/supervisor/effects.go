package supervisor

import (
	"context"
	"errors"
	"os"
	"syscall"
	"time"

	"gracevisor/internal/supervisor/lifecycle"
)

// step lets an event happen to an instance and performs what follows.
func (s *Supervisor) step(i *instance, event lifecycle.Event) {
	from := i.state
	transition, err := lifecycle.Step(from, event)
	if err != nil {
		s.log.Error("cannot step instance", "app", i.app.name, "instance", i.number, "error", err)
		return
	}
	if transition.Ignored {
		return
	}
	i.enter(transition.Next)
	s.changed(i.app)
	s.log.Debug("instance stepped", "app", i.app.name, "instance", i.number,
		"event", event.String(), "from", from.String(), "state", i.state.String())
	replaced := i.replaced
	for _, effect := range transition.Effects {
		effects[effect](s, i)
	}
	if from == lifecycle.Switching {
		for _, old := range replaced {
			s.release(old)
		}
	}
}

func (i *instance) enter(next lifecycle.State) {
	if next == i.state {
		return
	}
	if !(i.state.Unready() && next.Unready()) {
		i.stopClock() // start_timeout bounds all that comes before it is ready
	}
	i.state = next
	i.since = time.Now()
}

// effects says how each effect is performed. It is filled at initialisation,
// because effects step instances in their turn.
var effects [lifecycle.NumEffects]func(*Supervisor, *instance)

func init() {
	effects = [lifecycle.NumEffects]func(*Supervisor, *instance){
		lifecycle.BeginProbe:        (*Supervisor).beginProbe,
		lifecycle.EndProbe:          (*Supervisor).endProbe,
		lifecycle.Publish:           (*Supervisor).publishSoon,
		lifecycle.TakeOver:          (*Supervisor).takeOver,
		lifecycle.Replace:           (*Supervisor).replaceSick,
		lifecycle.RetireOld:         (*Supervisor).retireOld,
		lifecycle.RestoreOld:        (*Supervisor).restoreOld,
		lifecycle.ReportStartFailed: (*Supervisor).reportStartFailed,
		lifecycle.ReportCrash:       (*Supervisor).reportCrash,
		lifecycle.BeginDrain:        (*Supervisor).beginDrain,
		lifecycle.SendStop:          (*Supervisor).sendStop,
		lifecycle.SendKill:          (*Supervisor).kill,
		lifecycle.AwaitLeftovers:    (*Supervisor).awaitLeftovers,
		lifecycle.Remove:            (*Supervisor).remove,
	}
}

// publishSoon makes the next table show the instance's state. That of a switch
// is noted: it has to be acknowledged.
func (s *Supervisor) publishSoon(i *instance) {
	s.stale = true
	if i.state != lifecycle.Switching {
		return
	}
	i.revision = s.revision + 1
	if i.attempt != nil {
		s.releaseSlot(i.attempt)
		i.attempt.step("instance %d is ready at %s; switching", i.number, i.target.Address)
	}
}

// retireOld sends those that served so far to drain: the table that names the
// new instance names them as draining.
func (s *Supervisor) retireOld(i *instance) {
	for _, old := range i.app.instances {
		if old != i && (old.state.Routed() || old.state == lifecycle.Silent) {
			i.replaced = append(i.replaced, old)
			old.successor = i
			s.step(old, lifecycle.Retire)
		}
	}
}

// restoreOld lets the newest of them serve again, after the new instance has
// died before the switch was complete.
func (s *Supervisor) restoreOld(i *instance) {
	if i.app.desired != running {
		return
	}
	for n := len(i.replaced) - 1; n >= 0; n-- {
		if old := i.replaced[n]; old.state == lifecycle.Draining {
			s.log.Warn("back to the old instance: the new one ended before all workers used it",
				"app", i.app.name, "instance", old.number)
			s.step(old, lifecycle.Restore)
			return
		}
	}
}

// takeOver ends the operation that started the instance: it has all the
// traffic.
func (s *Supervisor) takeOver(i *instance) {
	i.servedSince = time.Now()
	i.replaced = nil
	i.err = ""
	s.adoptPlan(i.app, i.plan)
	if t := i.attempt; t != nil {
		i.attempt = nil
		if i.app.attempt == t {
			s.succeed(t, i)
		}
	}
	if event, ok := eventOf(i.verdict); ok {
		s.soon(func() { s.step(i, event) }) // it fell sick in the meantime
	}
}

// replaceSick starts another instance for one that fails its checks.
func (s *Supervisor) replaceSick(i *instance) {
	a := i.app
	s.log.Warn("instance fails its health check", "app", a.name, "instance", i.number, "error", i.err)
	if a.desired != running || a.attempt != nil {
		return
	}
	s.replaceUnasked(i, "health check")
}

// reportCrash starts another instance for one that ended while it served.
func (s *Supervisor) reportCrash(i *instance) {
	a := i.app
	a.lastError = "instance " + i.id() + " ended while it served: " + i.err
	a.lastOutput = s.lastLines(i)
	a.touch()
	switch {
	case a.desired != running:
	case a.attempt != nil:
		s.hasten(a.attempt) // it is the replacement
	default:
		s.replaceUnasked(i, "crash")
	}
}

// replaceUnasked starts an instance that no operator asked for, unless that was
// tried too often already.
func (s *Supervisor) replaceUnasked(i *instance, reason string) {
	a := i.app
	if !i.servedSince.IsZero() && time.Since(i.servedSince) >= healthyRun {
		a.crashes = 0
	}
	if a.crashes >= a.plan.MaxRetries {
		s.fail(a)
		return
	}
	a.restarts++
	s.startAttempt(a, a.plan, reason, nil)
	a.crashes++
}

// reportStartFailed gives the news of a failed try to the attempt.
func (s *Supervisor) reportStartFailed(i *instance) {
	t := i.attempt
	i.attempt = nil
	if t == nil || t.app.attempt != t || t.candidate != i {
		return
	}
	s.tryFailed(t, i.err, s.lastLines(i))
}

// lastOutputLines is how much of an instance's output is told when it fails.
const lastOutputLines = 20

func (s *Supervisor) lastLines(i *instance) []string {
	return s.system.LastLines(i.app.name, i.number, lastOutputLines)
}

// sendStop asks the instance to stop, for stop_timeout at most.
func (s *Supervisor) sendStop(i *instance) {
	s.setClock(i, i.plan.StopTimeout, lifecycle.StopTimedOut)
	if i.process == nil {
		return
	}
	sig := syscall.Signal(i.plan.StopSignal)
	s.log.Info("stopping instance", "app", i.app.name, "instance", i.number, "pid", i.pid, "signal", sig.String())
	// A successor that does not know of it would go on using the instance.
	s.onceSaved(func() {
		if err := i.process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
			s.log.Warn("cannot send stop signal", "app", i.app.name, "instance", i.number, "pid", i.pid, "error", err)
		}
	})
}

// kill sends SIGKILL to everything of the instance, now or as soon as it has a
// process.
func (s *Supervisor) kill(i *instance) {
	i.killed = true
	if i.process == nil {
		return
	}
	if err := i.process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		s.log.Warn("cannot kill instance", "app", i.app.name, "instance", i.number, "pid", i.pid, "error", err)
	}
}

// leftoversTimeout is what others of a group get to end after their main
// process, if the app has no stop_timeout.
const leftoversTimeout = 10 * time.Second

// awaitLeftovers watches for the end of whatever the main process has left
// behind.
func (s *Supervisor) awaitLeftovers(i *instance) {
	if i.process == nil {
		s.soon(func() { s.step(i, lifecycle.Emptied) })
		return
	}
	bound := i.plan.StopTimeout
	if bound == 0 {
		bound = leftoversTimeout
	}
	s.setClock(i, bound, lifecycle.StopTimedOut)
	go func() { // ends with the last process of the group, or with the daemon
		if err := i.process.Leftovers(s.ctx); err == nil {
			s.post(instanceEmptied{i})
		}
	}()
}

// remove forgets an instance of which nothing is left.
func (s *Supervisor) remove(i *instance) {
	a := i.app
	s.releasePort(i.port)
	if i.socket != nil {
		s.removals.Go(func() { // ends when the folder is removed, which Run waits for
			if err := i.socket.Remove(); err != nil {
				s.log.Warn("cannot remove socket folder", "app", a.name, "instance", i.number, "error", err)
			}
		})
	}
	i.watchdog.stop()
	if i.notify != nil {
		if err := i.notify.Close(); err != nil {
			s.log.Warn("cannot close notify socket", "app", a.name, "instance", i.number, "error", err)
		}
	}
	i.output.Close()
	for n, other := range a.instances {
		if other == i {
			a.instances = append(a.instances[:n:n], a.instances[n+1:]...)
			break
		}
	}
	s.stale = true
	s.changed(a)
	if a.desired != running && len(a.instances) == 0 {
		a.touch() // it is stopped now
	}
	s.checkLeaving(a)
	s.forgetIfRemoved(a)
	s.soon(s.checkStopped)
}

// deadline bounds look-ups made on behalf of an instance.
func (s *Supervisor) deadline(d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(s.ctx, d)
}
