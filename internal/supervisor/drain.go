package supervisor

import (
	"slices"

	"gracevisor/internal/control"
	"gracevisor/internal/supervisor/lifecycle"
)

// beginDrain waits for the word of every worker that may have requests on the
// instance.
func (s *Supervisor) beginDrain(i *instance) {
	i.busy = make(map[uint64]bool)
	for generation, w := range s.workers {
		if w.serves() {
			i.busy[generation] = true
		}
	}
	s.release(i)
}

// inReserve reports whether an instance that drains is to come back if the new
// one ends before every worker uses it. It is not stopped as long as that may
// be: some worker may still send requests to it.
func (i *instance) inReserve() bool {
	return i.successor != nil && i.successor.state == lifecycle.Switching
}

// release begins to count what bounds the draining of an instance, unless it is
// in reserve; it comes here again when it is not.
func (s *Supervisor) release(i *instance) {
	if i.state != lifecycle.Draining || i.inReserve() {
		return
	}
	s.setClock(i, i.plan.DrainTimeout, lifecycle.DrainTimedOut)
	s.soon(func() {
		s.checkDrained(i)
		s.checkDraining(i.app)
	})
}

// checkDrained ends the draining of an instance on which no worker has a
// request in flight any more.
func (s *Supervisor) checkDrained(i *instance) {
	if i.state == lifecycle.Draining && len(i.busy) == 0 && !i.inReserve() {
		s.step(i, lifecycle.Drained)
	}
}

// checkDraining bounds the number of old instances that drain: beyond
// max_draining the oldest is stopped.
func (s *Supervisor) checkDraining(a *app) {
	draining := slices.DeleteFunc(a.inState(lifecycle.Draining), (*instance).inReserve)
	for extra := len(draining) - max(a.plan.MaxDraining, 1); extra > 0; extra-- {
		oldest := draining[0]
		draining = draining[1:]
		s.log.Warn("stopping an instance that still has requests: too many drain", "app", a.name,
			"instance", oldest.number, "max_draining", a.plan.MaxDraining)
		oldest.note("stopped while it drained: more than %d instances (max_draining) did", a.plan.MaxDraining)
		s.step(oldest, lifecycle.DrainTimedOut)
	}
}

// awaitLeaving ends a job when instances have gone.
func (s *Supervisor) awaitLeaving(a *app, j *job, instances []*instance) {
	j.awaits = slices.Clone(instances)
	j.operation.encoded, s.unsaved = nil, true
	a.leaving = append(a.leaving, j)
	s.checkLeaving(a)
}

// checkLeaving ends the jobs whose instances have gone.
func (s *Supervisor) checkLeaving(a *app) {
	gone := func(i *instance) bool { return i.state == lifecycle.Gone }
	a.leaving = slices.DeleteFunc(a.leaving, func(j *job) bool {
		j.awaits = slices.DeleteFunc(j.awaits, gone)
		if len(j.awaits) == 0 {
			j.finish(control.ResultDone, "", nil)
		}
		return j.over
	})
}

// failLeaving ends the jobs that wait for instances to leave otherwise.
func (s *Supervisor) failLeaving(a *app, result control.Result, why string) {
	for _, j := range a.leaving {
		j.finish(result, why, nil)
	}
	a.leaving = nil
}
