package supervisor

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"gracevisor/internal/supervisor/lifecycle"
	"gracevisor/internal/wire"
)

// broken says what does not hold that always must.
func (r *rig) broken() (what string) {
	r.t.Helper()
	r.look(func(s *Supervisor) {
		if what = brokenSlots(s); what == "" {
			what = brokenJobs(s)
		}
		ports := make(map[int]string)
		for _, name := range s.order {
			for _, check := range []func(*Supervisor, *app) string{brokenApp, brokenAttempt, brokenDrain} {
				if what == "" {
					what = check(s, s.apps[name])
				}
			}
			for _, i := range s.apps[name].instances {
				if other, taken := ports[i.port]; taken {
					what = fmt.Sprintf("%s and %s have port %d", i.id(), other, i.port)
				}
				ports[i.port] = i.id()
			}
		}
	})
	for _, w := range r.livingWorkers() {
		for _, app := range modelApps {
			serving := 0
			for _, i := range w.route(app).Instances {
				if i.Role == wire.RoleServing {
					serving++
				}
			}
			if serving > 1 {
				what = fmt.Sprintf("worker %d sends requests for %s to %d instances", w.generation, app, serving)
			}
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if what == "" && len(r.faults) > 0 {
		what = r.faults[0]
	}
	return what
}

// brokenJobs looks for jobs that nothing will end.
func brokenJobs(s *Supervisor) string {
	for id, j := range s.jobs.entered {
		a := s.apps[j.app]
		switch {
		case j.id != id || j.over:
			return fmt.Sprintf("job %d is over and is still there", id)
		case j == j.operation.whole && j.operation.pending == 0:
			return fmt.Sprintf("job %d has outlived all its apps", id)
		case j != j.operation.whole && s.attemptOf(j) == nil && len(s.awaitingAck) == 0 && (a == nil || !slices.Contains(a.leaving, j)):
			return fmt.Sprintf("job %d waits for nothing", id)
		}
	}
	return ""
}

func brokenSlots(s *Supervisor) string {
	holders := 0
	for _, a := range s.apps {
		if a.attempt != nil && a.attempt.holdsSlot {
			holders++
		}
	}
	for _, t := range s.slots.queue {
		if t.app.attempt != t {
			return "an attempt that was called off waits for a slot"
		}
	}
	if holders != s.slots.taken {
		return fmt.Sprintf("%d slots are taken, %d attempts have one", s.slots.taken, holders)
	}
	if len(s.slots.queue) > 0 && s.slots.taken < s.slots.limit {
		return "attempts wait although slots are free"
	}
	return ""
}

func brokenApp(_ *Supervisor, a *app) string {
	routed, unready := 0, 0
	for _, i := range a.instances {
		if i.state.Routed() {
			routed++
		}
		if i.state.Unready() {
			unready++
			if a.attempt == nil || a.attempt.candidate != i {
				return i.id() + " is started and nobody's candidate"
			}
		}
		if i.state == lifecycle.Gone {
			return i.id() + " has gone and is still there"
		}
	}
	switch {
	case routed > 1:
		return fmt.Sprintf("requests for %s go to %d instances", a.name, routed)
	case unready > 1:
		return fmt.Sprintf("%s has %d candidates", a.name, unready)
	case a.desired == running && a.serving() == nil && a.attempt == nil && a.retry == nil:
		return a.name + " is to run, and nothing is done for it"
	case a.desired != running && (a.attempt != nil || a.retry != nil || routed > 0):
		return a.name + " is not to run, and something is done for it"
	}
	return ""
}

func brokenAttempt(s *Supervisor, a *app) string {
	t := a.attempt
	if t == nil {
		return ""
	}
	queued := slices.Contains(s.slots.queue, t)
	switch {
	case t.candidate == nil && !queued && t.pause == nil:
		return "the attempt of " + a.name + " waits for nothing"
	case t.candidate != nil && queued:
		return "the attempt of " + a.name + " waits for a slot, and has an instance"
	case t.candidate != nil && !t.candidate.state.Unready() && t.candidate.state != lifecycle.Switching:
		return fmt.Sprintf("the candidate of %s is %s", a.name, t.candidate.state)
	case t.candidate != nil && t.candidate.state.Unready() && !t.holdsSlot && time.Since(t.candidate.began) < slotPatience:
		return "the candidate of " + a.name + " has no slot"
	}
	return ""
}

func brokenDrain(s *Supervisor, a *app) string {
	for _, i := range a.instances {
		if i.state != lifecycle.Draining {
			continue
		}
		for generation := range i.busy {
			if s.workers[generation] == nil {
				return fmt.Sprintf("%s waits for worker %d, which has gone", i.id(), generation)
			}
		}
		if len(i.busy) == 0 && !i.inReserve() {
			return i.id() + " drains, and waits for nobody"
		}
	}
	return ""
}

// heal ends all that is wrong.
func (m *model) heal() {
	m.mu.Lock()
	m.random = nil
	m.lookupErr = nil
	clear(m.rig.taken)
	m.mu.Unlock()
	m.failWorkers(false)
	m.pass(time.Second) // whatever is being cloned still behaves as before
	for _, w := range m.livingWorkers() {
		w.hang(false)
		w.speak()
	}
	for _, q := range m.requests {
		q.worker.answered(q.instance)
	}
	for _, app := range modelApps {
		for _, name := range m.living(app) {
			m.process(name).feel(well) // also what would never be ready
		}
	}
}

// rest waits until everything is as it is wanted: each app that is to run serves
// with one instance beside those that do not stop, all others have gone, all
// operations are over.
func (m *model) rest() {
	m.t.Helper()
	m.await("rest", func() bool {
		var restless bool
		m.look(func(s *Supervisor) {
			for _, a := range s.apps {
				for _, i := range a.instances {
					restless = restless || i.state == lifecycle.Draining
				}
				restless = restless || a.desired == running && (a.serving() == nil || a.attempt != nil || a.listenErr != nil || a.binding != nil)
			}
		})
		return !restless
	})
	for _, f := range m.operations {
		if f.stuck(m) {
			continue // it waits for an instance that does not stop
		}
		f.wait()
	}
}

// stuck reports whether the operation waits for a process that never stops.
func (f *followed) stuck(m *model) bool {
	if f.over() {
		return false
	}
	for _, app := range modelApps {
		for _, name := range m.living(app) {
			if p := m.process(name); p.does.stopTakes == never || p.does.readyAfter == never {
				return true
			}
		}
	}
	return false
}

func (m *model) setLookup(fails bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.lookupErr = nil
	if fails {
		m.lookupErr = errors.New("no such host")
	}
}

// afterwards checks what is left when the supervisor has ended.
func (m *model) afterwards() {
	t := m.t
	if n := len(m.s.jobs.entered); n > 0 {
		t.Errorf("%d jobs are left", n)
	}
	for _, f := range m.operations {
		f.wait()
		if len(f.results) == 0 && f.what != "update " {
			t.Errorf("%s has no result", f.what)
		}
	}
	if n := m.s.slots.taken; n != 0 {
		t.Errorf("%d slots are taken", n)
	}
	for range 400 {
		if _, err := m.s.ports.Take(); err != nil {
			t.Fatalf("a port was lost: %v", err)
		}
	}
}
