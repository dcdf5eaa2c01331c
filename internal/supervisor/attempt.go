package supervisor

import (
	"reflect"
	"slices"
	"time"

	"gracevisor/internal/config"
	"gracevisor/internal/control"
	"gracevisor/internal/supervisor/lifecycle"
)

// attempt is the effort to get an instance of an app to serve, over as many
// tries as it takes or max_retries allows.
type attempt struct {
	app    *app
	plan   *config.App
	reason string
	jobs   []*job
	// failures counts the tries that came to nothing.
	failures int
	// candidate is the instance of the try under way, or nil.
	candidate *instance
	// asked: an operator wants it, and may call it off.
	asked bool
	// holdsSlot: it counts against parallel_restarts.
	holdsSlot bool
	// slotBound runs as long as it does.
	slotBound *clock
	// pause runs between two tries; it is nil while none is.
	pause *clock
}

// startAttempt begins one in the place of what is under way and has not
// switched yet. j may be nil.
func (s *Supervisor) startAttempt(a *app, plan *config.App, reason string, j *job) {
	s.cancelAttempt(a, control.ResultSuperseded, "another "+reason+" came before it was done")
	if j != nil { // an operator's: what was before does not count
		a.crashes, a.restarts = 0, 0
	}
	a.desired = running
	a.failed = false
	a.retry.stop()
	a.retry = nil
	if a.serving() == nil {
		s.adoptPlan(a, plan)
	}
	t := &attempt{app: a, plan: plan, reason: reason}
	if j != nil {
		t.asked = true
		t.jobs = append(t.jobs, j)
	}
	a.attempt = t
	a.touch()
	s.stale = true
	s.log.Info("starting app", "app", a.name, "reason", reason)
	s.tryAfter(t, pauseAfter(a.crashes))
}

// tryAfter makes the next try after a pause.
func (s *Supervisor) tryAfter(t *attempt, pause time.Duration) {
	if pause <= 0 {
		s.requestSlot(t)
		return
	}
	t.step("waiting %s before the next try", pause.Round(time.Millisecond))
	t.pause = s.startClock(pause, func(c *clock) message { return attemptTimer{t, c} })
}

// hasten ends the pause before the next try: nothing serves any more.
func (s *Supervisor) hasten(t *attempt) {
	if t.pause != nil {
		t.pause.stop()
		t.pause = nil
		s.requestSlot(t)
	}
}

func (s *Supervisor) requestSlot(t *attempt) {
	if s.slots.request(t) {
		s.slotGranted(t)
		return
	}
	t.step("waiting: %d other apps are starting (parallel_restarts)", s.slots.taken)
}

func (s *Supervisor) slotGranted(t *attempt) {
	t.holdsSlot = true
	s.boundSlot(t)
	s.try(t)
}

// slotPatience is how long an attempt may hold up others. An app without
// start_timeout that does not become ready would else do so for ever.
const slotPatience = 30 * time.Second

func (s *Supervisor) boundSlot(t *attempt) {
	t.slotBound = s.startClock(slotPatience, func(c *clock) message { return slotTimer{t, c} })
}

// releaseSlot lets the next attempt that waits go on.
func (s *Supervisor) releaseSlot(t *attempt) {
	if !t.holdsSlot {
		return
	}
	t.holdsSlot = false
	t.slotBound.stop()
	t.slotBound = nil
	if next := s.slots.release(); next != nil {
		s.soon(func() { s.slotGranted(next) })
	}
}

// try starts an instance.
func (s *Supervisor) try(t *attempt) {
	if t.app.attempt != t {
		s.releaseSlot(t) // cancelled between the grant and now
		return
	}
	i, err := s.newInstance(t)
	if err != nil {
		s.tryFailed(t, err.Error(), nil)
		return
	}
	t.candidate = i
	s.changed(t.app)
	s.launch(i)
}

// tryFailed deals with a try that came to nothing: another one follows after a
// pause, or the attempt is given up.
func (s *Supervisor) tryFailed(t *attempt, why string, output []string) {
	a := t.app
	for _, j := range t.jobs {
		j.timedOut = t.candidate != nil && t.candidate.timedOut
	}
	t.candidate = nil
	s.changed(a)
	s.releaseSlot(t)
	t.failures++
	a.lastError, a.lastOutput = why, output
	s.stale = true
	s.log.Warn("app did not start", "app", a.name, "try", t.failures, "of", t.plan.MaxRetries, "error", why)
	t.step("try %d of %d failed: %s", t.failures, t.plan.MaxRetries, why)
	if t.failures < t.plan.MaxRetries {
		s.tryAfter(t, pauseAfter(t.failures))
		return
	}
	s.giveUp(t, why, output)
}

// giveUp ends an attempt whose tries are used up. If what served when it began
// has gone meanwhile, that version of the app is started again.
func (s *Supervisor) giveUp(t *attempt, why string, output []string) {
	a := t.app
	a.attempt = nil
	s.soon(s.collectSockets)
	for _, j := range t.jobs {
		j.finish(control.ResultFailed, why, output)
	}
	if a.serving() == nil && !reflect.DeepEqual(t.plan, a.plan) {
		a.restarts++
		s.startAttempt(a, a.plan, "crash", nil)
		return
	}
	s.fail(a)
}

// succeed ends the attempt whose instance serves now.
func (s *Supervisor) succeed(t *attempt, i *instance) {
	a := t.app
	a.attempt = nil
	s.changed(a)
	a.failed = false
	a.lastError, a.lastOutput = "", nil
	a.touch()
	s.log.Info("app serves", "app", a.name, "instance", i.number, "pid", i.pid, "took", time.Since(i.began).Round(time.Microsecond).String())
	for _, j := range t.jobs {
		j.step(i, "instance %d has all the traffic", i.number)
		if j.drained {
			s.awaitLeaving(a, j, slices.DeleteFunc(slices.Clone(a.instances), func(old *instance) bool { return old == i }))
		} else {
			j.finish(control.ResultDone, "", nil)
		}
	}
}

// cancelAttempt calls off the attempt of an app, if there is one. What has
// switched already goes on.
func (s *Supervisor) cancelAttempt(a *app, result control.Result, why string) {
	t := a.attempt
	if t == nil {
		return
	}
	a.attempt = nil
	s.changed(a)
	s.soon(s.collectSockets)
	t.pause.stop()
	t.pause = nil
	s.slots.withdraw(t)
	s.releaseSlot(t)
	if i := t.candidate; i != nil && i.state.Unready() {
		s.step(i, lifecycle.Cancel)
	}
	for _, j := range t.jobs {
		j.finish(result, why, nil)
	}
}

// step tells all who wait for the attempt how it goes.
func (t *attempt) step(format string, args ...any) {
	for _, j := range t.jobs {
		j.step(t.candidate, format, args...)
	}
}
