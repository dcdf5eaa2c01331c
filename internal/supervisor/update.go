package supervisor

import (
	"reflect"
	"strings"

	"gracevisor/internal/config"
	"gracevisor/internal/control"
)

// apply begins a reload or an update. The plan has been checked: what it names
// is what will be, as far as the operation reaches.
func (s *Supervisor) apply(plan *config.Plan, r control.Request, ended func()) operationAnswer {
	if s.stopping != nil {
		return operationAnswer{err: errStopping}
	}
	s.log.Info("operation", "verb", string(r.Verb), "apps", strings.Join(r.Apps, " "), "caller", r.Caller)
	if r.Verb == control.VerbReload && len(r.Apps) > 0 {
		return s.reloadNamed(plan, r, ended)
	}
	s.adoptGlobals(plan)
	o := s.newOperation(r, len(plan.Apps)+len(s.apps))
	o.ended = ended
	s.tellApplying(+1)
	o.whole = &job{operation: o}
	s.enter(o.whole)
	s.removeMissing(plan, o, r)
	for _, p := range plan.Apps {
		s.applyApp(p, r, o)
	}
	for _, j := range o.jobs {
		if !j.over { // of those with nothing to do nobody needs to know
			s.enter(j)
		}
	}
	answer := o.answer()
	o.done()
	return answer
}

// reloadNamed applies the configuration of the named apps only.
func (s *Supervisor) reloadNamed(plan *config.Plan, r control.Request, ended func()) operationAnswer {
	var wanted []*config.App
	seen := make(map[string]bool)
	for _, name := range r.Apps {
		p := plan.App(name)
		switch {
		case p == nil && s.apps[name] != nil:
			return operationAnswer{err: badRequest("%s is not in the configuration any more: gracevisorctl update removes it", name)}
		case p == nil:
			return operationAnswer{err: s.noSuchApp(name)}
		case !seen[name]:
			seen[name] = true
			wanted = append(wanted, p)
		}
	}
	o := s.newOperation(r, len(wanted))
	o.ended, o.atOnce = ended, true
	s.tellApplying(+1)
	for _, p := range wanted {
		s.applyApp(p, r, o)
	}
	o.done()
	return o.answer()
}

// adoptGlobals takes over what concerns no single app.
func (s *Supervisor) adoptGlobals(plan *config.Plan) {
	s.plan = plan
	s.ports.SetRange(plan.Ports.From, plan.Ports.To)
	s.slots.limit = plan.ParallelRestarts
	for next := s.slots.next(); next != nil; next = s.slots.next() {
		t := next
		s.soon(func() { s.slotGranted(t) })
	}
	s.stale = true
}

// removeMissing stops the apps that the plan does not name. Such a job is done
// when no request reaches the app any more; what it has begun it finishes.
func (s *Supervisor) removeMissing(plan *config.Plan, o *operation, r control.Request) {
	for _, name := range append([]string(nil), s.order...) {
		a := s.apps[name]
		if plan.App(name) != nil || a.desired == removed {
			continue
		}
		j := o.job(name, r.Drained)
		j.step(nil, "is removed")
		s.stopApp(a, removed, removedWhy)
		s.whenPublished(func() { s.leaveAddress(a) })
		if r.Drained {
			s.awaitLeaving(a, j, a.instances)
		} else {
			s.whenPublished(func() { j.finish(control.ResultDone, "", nil) })
		}
		// Not before the other apps have had their chance to take its address.
		s.soon(func() { s.forgetIfRemoved(a) })
	}
}

// applyApp brings one app to its new configuration.
func (s *Supervisor) applyApp(p *config.App, r control.Request, o *operation) {
	a := s.apps[p.Name]
	j := o.job(p.Name, r.Drained)
	switch {
	case a == nil:
		j.step(nil, "is added")
		s.addApp(p, string(r.Verb), j)
	case a.desired == removed:
		s.startAttempt(a, p, string(r.Verb), j)
		s.listen(a) // another app may have taken its address meanwhile
	case r.Verb == control.VerbUpdate && sameConfig(a, p):
		j.finish(control.ResultUnchanged, "", nil)
	case a.desired == stopped:
		s.adoptPlan(a, p)
		j.step(nil, "is stopped; its configuration applies when it is started")
		j.finish(control.ResultUnchanged, "", nil)
	default:
		if changed := changedKeys(a.plan, p); len(changed) > 0 {
			j.step(nil, "changed: %s", strings.Join(changed, ", "))
		}
		s.startAttempt(a, p, string(r.Verb), j)
	}
}

// sameConfig reports whether an app is, or is becoming, what p wants.
func sameConfig(a *app, p *config.App) bool {
	if a.attempt != nil {
		return reflect.DeepEqual(a.attempt.plan, p)
	}
	return reflect.DeepEqual(a.plan, p)
}

// changedKeys names the fields in which two configurations differ, without
// their values, which may be secret.
func changedKeys(old, now *config.App) (changed []string) {
	o, n := reflect.ValueOf(old).Elem(), reflect.ValueOf(now).Elem()
	for f := range o.NumField() {
		if !reflect.DeepEqual(o.Field(f).Interface(), n.Field(f).Interface()) {
			changed = append(changed, strings.ToLower(o.Type().Field(f).Name))
		}
	}
	return changed
}
