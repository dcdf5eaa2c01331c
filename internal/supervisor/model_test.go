package supervisor

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"gracevisor/internal/config"
	"gracevisor/internal/control"
)

var (
	modelSeed  = flag.Uint64("model.seed", 0, "seed of the random test; 0 means another one each time")
	modelSteps = flag.Int("model.steps", 2000, "steps of the random test")
)

// TestRandomEvents lets operators, apps and workers do whatever comes to their
// mind, and checks after each step what must always hold (invariants_test.go).
// In the end all are well, and everything has to come to rest.
func TestRandomEvents(t *testing.T) {
	seed := *modelSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("seed: -model.seed=%d", seed)
	m := &model{rand: rand.New(rand.NewPCG(seed, 1))}
	runWith(t, m.plan(modelApps...), func(r *rig) {
		m.rig = r
		r.random = m.behaviour
		r.cutOff["c"] = true
		r.binding = 20 * time.Millisecond
	}, func(r *rig) {
		for step := range *modelSteps {
			what := m.step()
			r.note("-- step %d: %s", step, what)
			r.pass(m.pause())
			if broken := r.broken(); broken != "" {
				t.Fatalf("step %d, %s: %s\n%s", step, what, broken, r.tale())
			}
		}
		m.heal()
		m.rest()
		r.end()
		m.afterwards()
	})
}

var modelApps = []string{"a", "b", "c", "d"}

// model is the random part.
type model struct {
	*rig
	rand       *rand.Rand
	operations []*followed
	requests   []modelRequest
}

type modelRequest struct {
	worker   *fakeWorker
	instance string
}

// chance is true in one of n cases.
func (m *model) chance(n int) bool { return m.rand.IntN(n) == 0 }

func (m *model) upTo(d time.Duration) time.Duration { return rand.N(d) }

// pause is the time between two steps: mostly short, so that they meet each
// other.
func (m *model) pause() time.Duration {
	switch m.rand.IntN(10) {
	case 0:
		return m.upTo(20 * time.Second)
	case 1, 2, 3:
		return m.upTo(2 * time.Second)
	case 4, 5:
		return 0
	}
	return m.upTo(50 * time.Millisecond)
}

// plan has some apps, each a little different every time, at places that they
// exchange.
func (m *model) plan(names ...string) *config.Plan {
	p := plan()
	p.ParallelRestarts = 1 + m.rand.IntN(3)
	p.Ports.To = p.Ports.From + 399
	ports := m.rand.Perm(5)
	for n, name := range names {
		a := newApp(name, 8080+n)
		if m.chance(2) {
			a.External.Port = 8080 + ports[n]
		}
		a.Command = append(a.Command, fmt.Sprint(m.rand.IntN(2)))
		a.MaxRetries = 1 + m.rand.IntN(3)
		a.MaxDraining = 1000
		switch name {
		case "b":
			checked(a)
			a.StartTimeout = 5 * time.Second
		case "c":
			checked(a)
			a.DrainTimeout, a.StopTimeout, a.MaxDraining = 3*time.Second, 2*time.Second, 2
			a.Traffic.AccessLog = "json"
		}
		p.Apps = append(p.Apps, a)
	}
	seen := make(map[int]bool)
	for _, a := range p.Apps { // no two at one address: the configuration sees to that
		for seen[a.External.Port] {
			a.External.Port++
		}
		seen[a.External.Port] = true
	}
	return p
}

// behaviour is that of the next process. It is called with the rig's lock held,
// from any goroutine.
func (m *model) behaviour() behaviour {
	b := behaviour{
		cloneTakes: rand.N(300 * time.Millisecond),
		readyAfter: rand.N(3 * time.Second),
		stopTakes:  rand.N(2 * time.Second),
		exit:       exitOne,
	}
	switch rand.IntN(20) {
	case 0:
		b.startErr = errors.New("not cloned")
	case 1:
		b.launchErr = errors.New("not launched")
	case 2, 3:
		b.readyAfter = never
	case 4, 5, 6:
		b.diesAfter = 1 + rand.N(20*time.Second)
	case 7:
		b.stranger = true
	case 8:
		b.ownerless = rand.IntN(20)
	case 9, 10:
		b.lingers = rand.N(30 * time.Second)
	case 11:
		b.stopTakes = never
	case 12:
		b.lingers = never
	}
	return b
}

// step does something and says what.
func (m *model) step() string {
	app := modelApps[m.rand.IntN(len(modelApps))]
	switch n := m.rand.IntN(100); {
	case n < 30:
		return m.operate(app)
	case n < 36:
		return m.apply(app)
	case n < 50:
		return m.upsetProcess(app)
	case n < 65:
		return m.upsetWorker()
	case n < 90:
		return m.traffic(app)
	}
	return m.upsetSystem()
}

// cancel calls off any of the jobs.
func (m *model) cancel() string {
	jobs, err := m.s.Jobs(m.t.Context())
	if err != nil || len(jobs) == 0 {
		return "no job to call off"
	}
	job := jobs[m.rand.IntN(len(jobs))]
	err = m.s.CancelJob(m.t.Context(), job.ID, "model")
	return fmt.Sprintf("job %d (%s %s) is called off: %v", job.ID, job.Verb, job.App, err)
}

func (m *model) operate(app string) string {
	if m.chance(6) {
		return m.cancel()
	}
	verbs := []control.Verb{control.VerbRestart, control.VerbRestart, control.VerbStart, control.VerbStart, control.VerbStop, control.VerbKill}
	request := control.Request{Verb: verbs[m.rand.IntN(len(verbs))], Apps: []string{app}, Drained: m.chance(3)}
	if m.chance(4) {
		request.Apps = append(request.Apps, modelApps[m.rand.IntN(len(modelApps))])
	}
	if request.Verb == control.VerbKill && m.chance(2) {
		request.Signal = 10 // USR1
	}
	o, err := m.s.Operate(m.t.Context(), request)
	if err != nil {
		return fmt.Sprintf("%s %v: %v", request.Verb, request.Apps, err)
	}
	m.operations = append(m.operations, m.follow(request, o))
	return fmt.Sprintf("%s %v", request.Verb, request.Apps)
}

func (m *model) apply(app string) string {
	p := m.plan(modelApps...)
	request := control.Request{Verb: control.VerbUpdate, Drained: m.chance(3)}
	switch m.rand.IntN(4) {
	case 0:
		p = m.plan(slices.DeleteFunc(slices.Clone(modelApps), func(string) bool { return m.chance(3) })...)
	case 1:
		request.Verb = control.VerbReload
	case 2:
		request.Verb, request.Apps = control.VerbReload, []string{app}
	}
	o, err := m.s.Apply(m.t.Context(), p, request, nil)
	if err != nil {
		return fmt.Sprintf("%s %v: %v", request.Verb, request.Apps, err)
	}
	m.operations = append(m.operations, m.follow(request, o))
	return fmt.Sprintf("%s %v", request.Verb, request.Apps)
}

func (m *model) upsetProcess(app string) string {
	living := m.living(app)
	if len(living) == 0 {
		return "no process to upset"
	}
	p := m.process(living[m.rand.IntN(len(living))])
	if m.chance(2) {
		p.end(exitOne)
		return p.name + " dies"
	}
	h := []health{well, well, ailing, mute}[m.rand.IntN(4)]
	if p.feels() == unready {
		return p.name + " is not ready to feel anything"
	}
	p.feel(h)
	return fmt.Sprintf("%s feels %d", p.name, h)
}

func (m *model) upsetWorker() string {
	workers := m.livingWorkers()
	if len(workers) < 3 && m.chance(5) {
		m.s.post(anotherWorker{})
		return "another worker"
	}
	if len(workers) == 0 {
		return "no worker to upset"
	}
	w := workers[m.rand.IntN(len(workers))]
	switch m.rand.IntN(6) {
	case 0:
		w.die()
		return fmt.Sprintf("worker %d dies", w.generation)
	case 1:
		w.hang(true)
		return fmt.Sprintf("worker %d hangs", w.generation)
	case 2:
		w.muffle()
		return fmt.Sprintf("worker %d mumbles", w.generation)
	}
	w.hang(false)
	w.speak()
	return fmt.Sprintf("worker %d goes on", w.generation)
}

// traffic begins or ends a request.
func (m *model) traffic(app string) string {
	if len(m.requests) > 0 && m.chance(2) {
		n := m.rand.IntN(len(m.requests))
		q := m.requests[n]
		m.requests = slices.Delete(m.requests, n, n+1)
		q.worker.answered(q.instance)
		return fmt.Sprintf("%s has answered at worker %d", q.instance, q.worker.generation)
	}
	if len(m.requests) > 0 && m.chance(2) {
		q := &m.requests[m.rand.IntN(len(m.requests))]
		if heir := m.move(q.worker, q.instance); heir != nil {
			from := q.worker.generation
			q.worker = heir
			return fmt.Sprintf("%s is in use by worker %d instead of %d", q.instance, heir.generation, from)
		}
	}
	workers := m.livingWorkers()
	if len(workers) == 0 {
		return "no worker for a request"
	}
	w := workers[m.rand.IntN(len(workers))]
	if instance := w.request(app); instance != "" {
		m.requests = append(m.requests, modelRequest{w, instance})
		return fmt.Sprintf("%s has a request at worker %d", instance, w.generation)
	}
	return "no instance for a request for " + app
}

func (m *model) upsetSystem() string {
	switch m.rand.IntN(6) {
	case 4:
		m.crash()
		m.operations = nil // nobody is there any more to end them
		return "another supervisor, after a crash"
	case 5:
		m.exec()
		m.operations = nil
		return "another supervisor"
	case 0:
		m.failWorkers(m.chance(3))
		return "workers fail, or not"
	case 1:
		address := fmt.Sprintf("127.0.0.1:%d", 8080+m.rand.IntN(6))
		m.occupy(address, m.chance(3))
		return address + " is taken, or not"
	case 2:
		m.setLookup(m.chance(3))
		return "names are found, or not"
	}
	_, _ = m.s.Status(m.t.Context(), nil)
	_, _ = m.s.Sockets(m.t.Context())
	return "somebody looks"
}
