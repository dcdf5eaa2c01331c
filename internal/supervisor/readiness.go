package supervisor

import (
	"time"

	"gracevisor/internal/supervisor/lifecycle"
	"gracevisor/internal/wire"
)

// lookupTimeout bounds looking up an internal_host.
const lookupTimeout = 5 * time.Second

// ownerPause is the pause before an instance is probed again whose port had
// answered, and had no owner when that was looked for.
const ownerPause = 100 * time.Millisecond

// beginProbe has a worker tell when the instance is ready, and from then on
// whether it is well.
func (s *Supervisor) beginProbe(i *instance) {
	if usesNotify(i.plan) && !i.saidReady {
		return // it says by itself when there is something to probe
	}
	if i.target.Address != "" {
		s.orderProbe(i)
		return
	}
	if i.socket != nil {
		go func() { // ends when the socket is there, or its folder is not
			err := i.socket.Await(s.ctx)
			s.post(instanceTargets{i, []wire.Target{{Network: "unix", Address: i.socket.Path()}}, err})
		}()
		return
	}
	host, port := i.plan.InternalHost, i.port
	go func() { // ends with the look-up
		ctx, cancel := s.deadline(lookupTimeout)
		defer cancel()
		targets, err := s.system.ResolveInternal(ctx, host, port)
		s.post(instanceTargets{i, targets, err})
	}()
}

// targeted knows where the instance may be reached.
func (s *Supervisor) targeted(i *instance, targets []wire.Target, err error) {
	if i.state != lifecycle.Probing {
		return
	}
	if err != nil {
		i.note("cannot be reached: %v", err)
		s.step(i, lifecycle.Kill)
		return
	}
	i.targets = targets
	s.orderProbe(i)
}

// orderProbe orders a probe from the newest worker, and from no other. Without
// one it is ordered when there is one: nobody knows, which is not the same as
// unhealthy.
func (s *Supervisor) orderProbe(i *instance) {
	if i.state != lifecycle.Probing && i.plan.Healthcheck.Path == "" {
		return // there is nothing to check any more
	}
	newest := s.newestWorker()
	for _, w := range s.workers {
		switch {
		case w == newest:
			w.outbox.Post(i.probe())
		case w.ready && !w.gone:
			w.outbox.Post(&wire.Unprobe{Instance: i.id()})
		}
	}
}

// probe is the order for the instance.
func (i *instance) probe() *wire.Probe {
	check := i.plan.Healthcheck
	p := &wire.Probe{
		Instance: i.id(),
		Targets:  i.targets,
		Path:     check.Path,
		Host:     externalAddress(i.plan),
		Timeout:  check.Timeout,
		Retries:  check.Retries,
		Running:  i.state.Routed() && i.state != lifecycle.Sick,
	}
	if check.Path != "" {
		p.Interval = check.Interval
	}
	if i.target.Address != "" {
		p.Targets = []wire.Target{i.target}
	}
	return p
}

// endProbe ends the probe of an instance.
func (s *Supervisor) endProbe(i *instance) {
	for _, w := range s.workers {
		if w.ready && !w.gone {
			w.outbox.Post(&wire.Unprobe{Instance: i.id()})
		}
	}
}

// probeAgain orders all probes that ought to run from the worker that is the
// newest now.
func (s *Supervisor) probeAgain() {
	for _, a := range s.apps {
		for _, i := range a.instances {
			if i.checked() || (i.state == lifecycle.Probing && len(i.targets) > 0) {
				s.orderProbe(i)
			}
		}
	}
}

// checked reports whether an instance is in a state in which running checks
// are made of it.
func (i *instance) checked() bool {
	return i.state.Routed() || i.state == lifecycle.Silent
}

// probed takes what a worker found.
func (s *Supervisor) probed(r *wire.ProbeResult) {
	i := s.instanceByID(r.Instance)
	if i == nil {
		return
	}
	i.verdict = r.Verdict
	s.changed(i.app)
	if r.Reason != "" {
		i.err = r.Reason
	}
	event, ok := eventOf(r.Verdict)
	if !ok {
		event = lifecycle.Passed
	}
	if i.state == lifecycle.Probing && event == lifecycle.Passed {
		s.ready(i, r.Target) // the error is kept: whose the port is may not be known yet
		return
	}
	if event == lifecycle.Passed {
		i.err = ""
	}
	s.step(i, event)
}

// eventOf is the event that a bad verdict stands for.
func eventOf(v wire.Verdict) (lifecycle.Event, bool) {
	switch v {
	case wire.Failing:
		return lifecycle.Failed, true
	case wire.Dead:
		return lifecycle.Unanswered, true
	}
	return 0, false
}

// ready deals with the first success of a probe. A health check that answers
// speaks for the app; a mere connection may have reached a stranger that has
// taken the port, so the listening socket must be the instance's own. A Unix
// socket is that by its place: the folder was made for this instance, and nobody
// but the app's user can make anything in it.
func (s *Supervisor) ready(i *instance, target wire.Target) {
	i.target = target
	if i.plan.Healthcheck.Path != "" || target.Network != "tcp" {
		s.step(i, lifecycle.Passed)
		return
	}
	p, port := i.process, i.port
	go func() { // ends with the look-up
		owned, stranger, err := p.OwnsListener(port)
		s.post(instanceOwner{i, owned, stranger, err})
	}()
}

// ownerKnown knows whose the listening socket is.
func (s *Supervisor) ownerKnown(i *instance, owned, stranger bool, err error) {
	if i.state != lifecycle.Probing {
		return
	}
	switch {
	case err != nil:
		s.log.Warn("cannot tell whose the port is; taking it for the app's", "app", i.app.name, "instance", i.number, "port", i.port, "error", err)
		s.step(i, lifecycle.Passed)
	case owned:
		s.step(i, lifecycle.Passed)
	case stranger:
		i.note("port %d was taken by another process", i.port)
		s.step(i, lifecycle.Kill)
	default: // it listened for a moment only, or nobody can see who does
		i.target = wire.Target{}
		i.note("port %d accepts connections, but no process is seen to listen on it", i.port)
		targets := i.targets
		time.AfterFunc(ownerPause, func() { s.post(instanceTargets{i, targets, nil}) })
	}
}

// instanceByID finds a living instance, or nil.
func (s *Supervisor) instanceByID(id string) *instance {
	for n := len(id) - 1; n > 0; n-- {
		if id[n] != '/' {
			continue
		}
		a := s.apps[id[:n]]
		if a == nil {
			return nil
		}
		for _, i := range a.instances {
			if i.id() == id {
				return i
			}
		}
		return nil
	}
	return nil
}
