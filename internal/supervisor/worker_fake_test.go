package supervisor

import (
	"io"
	"maps"
	"os"
	"slices"
	"sync"
	"syscall"

	"gracevisor/internal/process"
	"gracevisor/internal/wire"
)

// fakeWorker is a worker process: it goes by tables, acknowledges them, counts
// requests and probes as the real one does, as long as the test lets it.
type fakeWorker struct {
	rig        *rig
	generation uint64

	// inbox is what the supervisor sent, outbox what it will receive.
	inbox, outbox chan wire.Message
	exited        chan struct{}

	mu   sync.Mutex
	dead bool
	// deaf: it takes nothing. mumbling: it keeps its acknowledgements, from the
	// first table on that sends requests to mumblesAt.
	deaf, mumbling bool
	mumblesAt      string
	unheard        []wire.Message
	unsaid         []wire.Message
	revision       uint64
	table          *wire.Table
	instances      map[string]*wireInstance
	probes         map[string]*fakeProbe
	files          map[string]bool
	draining       bool
	// heir is the worker that it gives its connections to, takesFrom those that
	// it takes them from.
	heir      uint64
	takesFrom []uint64
}

// wireInstance is what the proxy keeps of an instance.
type wireInstance struct {
	inFlight      int
	retired, told bool
}

type fakeProbe struct {
	order   wire.Probe
	verdict wire.Verdict
}

func (l *life) startWorker(generation uint64) (WorkerProcess, error) {
	r := l.rig
	if l.isOver() {
		return nil, errOver
	}
	if err := r.workerErr(); err != nil {
		return nil, err
	}
	w := &fakeWorker{
		rig: r, generation: generation,
		inbox: make(chan wire.Message, 10000), outbox: make(chan wire.Message, 10000),
		exited:    make(chan struct{}),
		instances: make(map[string]*wireInstance),
		probes:    make(map[string]*fakeProbe),
		files:     make(map[string]bool),
	}
	r.enlist(w)
	go w.work() // ends when the worker dies
	return ownWorker{w, l}, nil
}

func (w *fakeWorker) ID() int { return 100000 + int(w.generation) }

func (w *fakeWorker) Wait() process.Exit {
	<-w.exited
	return process.Exit{Known: true, Signal: syscall.SIGKILL}
}

func (w *fakeWorker) Kill() error {
	w.die()
	return nil
}

// die ends the process, and with it all requests.
func (w *fakeWorker) die() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.dead {
		return
	}
	w.dead = true
	clear(w.instances)
	clear(w.files)
	close(w.exited)
	w.rig.note("worker %d ended", w.generation)
}

// fakeConn is the end of the conversation that a supervisor has while it lives.
type fakeConn struct {
	worker *fakeWorker
	life   *life
}

func (c *fakeConn) Send(m wire.Message, files ...*os.File) error {
	w := c.worker
	select {
	case <-w.exited:
		return syscall.EPIPE
	case <-c.life.over:
		return nil
	default:
	}
	if order, ok := m.(*wire.TableOrder); ok {
		table, err := wire.ReadTable(files[0])
		if err != nil || table.Revision != order.Revision {
			w.rig.fault("table %d: revision %d, %v", order.Revision, table.Revision, err)
		}
		w.rig.keepTable(w.generation, table)
	}
	w.inbox <- m
	return nil
}

func (c *fakeConn) Receive() (wire.Message, []*os.File, error) {
	select {
	case m := <-c.worker.outbox:
		return m, nil, nil
	case <-c.worker.exited:
		return nil, nil, io.EOF
	case <-c.life.over:
		return nil, nil, io.EOF
	}
}

func (c *fakeConn) Close() error { return nil }

// work takes what the supervisor says.
func (w *fakeWorker) work() {
	for {
		select {
		case m := <-w.inbox:
			w.hear(m)
		case <-w.exited:
			return
		}
	}
}

func (w *fakeWorker) hear(m wire.Message) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.dead:
	case w.deaf:
		w.unheard = append(w.unheard, m)
	default:
		w.obey(m)
	}
}

func (w *fakeWorker) obey(m wire.Message) {
	switch m := m.(type) {
	case *wire.Hello:
		if w.rig.isDumb(w.generation) {
			return
		}
		w.say(&wire.Ready{PID: w.ID(), Moves: w.rig.movesOf(w.generation)})
	case *wire.MoveTo:
		w.heir = m.Generation
		w.rig.note("worker %d moves to %d", w.generation, m.Generation)
	case *wire.TakeOver:
		w.takesFrom = append(w.takesFrom, m.Generation)
	case *wire.Files:
		for _, name := range m.Names {
			w.files[name] = true
		}
	case *wire.TableOrder:
		w.apply(w.rig.tableOf(w.generation, m.Revision))
	case *wire.Ping:
		w.say(&wire.Pong{Number: m.Number})
	case *wire.Drain:
		w.draining = true
	case *wire.Probe:
		p := &fakeProbe{order: *m}
		if m.Running {
			p.verdict = wire.Passing
		}
		w.probes[m.Instance] = p
		w.examine(m.Instance)
	case *wire.Unprobe:
		delete(w.probes, m.Instance)
	}
}

// say sends a message to the supervisor.
func (w *fakeWorker) say(m wire.Message) {
	if _, ok := m.(*wire.Ack); ok && w.mumbling {
		w.unsaid = append(w.unsaid, m)
		return
	} else if ok {
		w.rig.note("ack by worker %d", w.generation)
	}
	w.outbox <- m
}

// apply goes by a table, as proxy.Apply does: what it retires and has nothing in
// flight is told before the acknowledgement.
func (w *fakeWorker) apply(t *wire.Table) {
	w.revision, w.table = t.Revision, t
	w.rig.note("table at worker %d: %s", w.generation, brief(t))
	serving := make(map[string]bool)
	named := make(map[string]bool)
	listeners := make(map[string]bool)
	for _, a := range t.Apps {
		for _, name := range a.Listeners {
			listeners[name] = true
			if !w.files[name] {
				w.rig.fault("table %d at worker %d names %s, which it was not given", t.Revision, w.generation, name)
			}
		}
		for _, i := range a.Instances {
			named[i.ID] = true
			if w.instances[i.ID] == nil {
				w.instances[i.ID] = new(wireInstance)
			}
			if i.Role == wire.RoleServing {
				serving[i.ID] = true
				w.instances[i.ID].retired = false
			}
		}
	}
	for _, id := range slices.Sorted(maps.Keys(w.instances)) {
		i := w.instances[id]
		if serving[id] {
			continue
		}
		i.retired = true
		i.told = i.told && !named[id] // it is told again with each table
		w.report(id, i)
		if !named[id] && i.told {
			delete(w.instances, id)
		}
	}
	if serving[w.mumblesAt] {
		w.mumbling, w.mumblesAt = true, ""
	}
	maps.DeleteFunc(w.files, func(name string, _ bool) bool { return !listeners[name] && name[:2] != "ac" })
	w.say(&wire.Ack{Revision: t.Revision})
}

func (w *fakeWorker) report(id string, i *wireInstance) {
	if i.retired && !i.told && i.inFlight == 0 {
		i.told = true
		w.rig.note("drained %s at worker %d", id, w.generation)
		w.say(&wire.Drained{Instance: id, Revision: w.revision})
	}
}

// examine makes a check of an instance and reports a change.
func (w *fakeWorker) examine(id string) {
	p := w.probes[id]
	if p == nil || w.dead || w.deaf {
		return
	}
	verdict := p.verdict
	switch h := w.rig.healthOf(id); {
	case h == well:
		verdict = wire.Passing
	case p.verdict == "" || p.order.Path == "": // it never answered
	case h == ailing:
		verdict = wire.Failing
	default:
		verdict = wire.Dead
	}
	if verdict == p.verdict {
		return
	}
	p.verdict = verdict
	result := &wire.ProbeResult{Instance: id, Verdict: verdict}
	if verdict == wire.Passing {
		result.Target = p.order.Targets[0]
	} else {
		result.Reason = string(verdict) + " as the test wants it"
	}
	w.say(result)
}
