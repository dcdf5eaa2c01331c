package supervisor

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"gracevisor/internal/wire"
)

// This file is how the tests lead the workers.

func (r *rig) enlist(w *fakeWorker) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.workers = append(r.workers, w)
}

func (r *rig) workerErr() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.noWorkers
}

// failWorkers makes the start of workers fail, or not any more.
func (r *rig) failWorkers(on bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.noWorkers = nil
	if on {
		r.noWorkers = errors.New("no worker can be started")
	}
}

func (r *rig) allWorkers() []*fakeWorker {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.workers)
}

func (r *rig) livingWorkers() []*fakeWorker {
	return slices.DeleteFunc(r.allWorkers(), func(w *fakeWorker) bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.dead
	})
}

// worker is the one of a generation, once it has a table.
func (r *rig) worker(generation uint64) *fakeWorker {
	r.t.Helper()
	var found *fakeWorker
	r.await(fmt.Sprintf("worker %d", generation), func() bool {
		for _, w := range r.allWorkers() {
			if w.generation == generation && w.hasTable() {
				found = w
			}
		}
		return found != nil
	})
	return found
}

// anotherWorker is a message of the tests: a worker is started beside those that
// there are.
type anotherWorker struct{}

func (anotherWorker) deliver(s *Supervisor) { s.startWorker() }

// silence has a generation never be ready.
func (r *rig) silence(generation uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.dumb = generation
}

func (r *rig) isDumb(generation uint64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.dumb == generation
}

// secondWorker has another generation serve beside the first.
func (r *rig) secondWorker() *fakeWorker {
	r.t.Helper()
	r.s.post(anotherWorker{})
	return r.worker(2)
}

func (w *fakeWorker) hasTable() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.table != nil
}

func (w *fakeWorker) probing(instance string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.probes[instance] != nil
}

func (w *fakeWorker) isDraining() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.draining
}

func (w *fakeWorker) tableRevision() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.revision
}

func (w *fakeWorker) holds(file string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.files[file]
}

// keepTable keeps a table that was sent, for when it is heard.
func (r *rig) keepTable(generation uint64, t *wire.Table) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tables[[2]uint64{generation, t.Revision}] = t
}

func (r *rig) tableOf(generation, revision uint64) *wire.Table {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.tables[[2]uint64{generation, revision}]
}

// brief is a table in a line: the disposition, instances and listeners of apps.
func brief(t *wire.Table) string {
	var apps []string
	for _, a := range t.Apps {
		text := a.Name + " " + string(a.Disposition)
		for _, i := range a.Instances {
			text += " " + i.ID + "=" + string(i.Role)
		}
		apps = append(apps, text+" "+fmt.Sprint(a.Listeners))
	}
	return strings.Join(apps, "; ")
}

// route is what the worker's table says of an app.
func (w *fakeWorker) route(app string) wire.App {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.table != nil {
		for _, a := range w.table.Apps {
			if a.Name == app {
				return a
			}
		}
	}
	return wire.App{}
}

// request begins a request for an app and returns the instance that has it, or
// nothing.
func (w *fakeWorker) request(app string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.dead || w.table == nil {
		return ""
	}
	for _, a := range w.table.Apps {
		if a.Name != app || a.Disposition != wire.Serving {
			continue
		}
		for _, i := range a.Instances {
			if i.Role == wire.RoleServing {
				w.instances[i.ID].inFlight++
				return i.ID
			}
		}
	}
	return ""
}

// instancesInUse are those with requests, and their numbers of these.
func (w *fakeWorker) instancesInUse() map[string]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	busy := make(map[string]int)
	for id, i := range w.instances {
		if i.inFlight > 0 {
			busy[id] = i.inFlight
		}
	}
	return busy
}

// answered ends a request.
func (w *fakeWorker) answered(id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if i := w.instances[id]; i != nil && !w.dead {
		i.inFlight--
		w.report(id, i)
	}
}

// mumble makes the worker keep its acknowledgements, from that of the switch to
// an instance on.
func (w *fakeWorker) mumble(instance string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mumblesAt = instance
}

// muffle is mumble from now on.
func (w *fakeWorker) muffle() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mumbling = true
}

// speak lets go of the acknowledgements.
func (w *fakeWorker) speak() {
	w.mu.Lock()
	defer w.mu.Unlock()
	unsaid := w.unsaid
	w.mumbling, w.mumblesAt, w.unsaid = false, "", nil
	if w.dead {
		return
	}
	for _, m := range unsaid {
		w.say(m)
	}
}

// hang makes the worker take nothing, or go on where it was.
func (w *fakeWorker) hang(on bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.deaf = on
	if on || w.dead {
		return
	}
	for _, m := range w.unheard {
		w.obey(m)
	}
	w.unheard = nil
	for id := range w.probes {
		w.examine(id)
	}
}

// checkUp has all workers check an instance.
func (r *rig) checkUp(name string) {
	for _, w := range r.livingWorkers() {
		w.mu.Lock()
		w.examine(name)
		w.mu.Unlock()
	}
}

// checkIdle finds a fault if a worker has a request on an instance, or may begin
// one: it is about to be stopped.
func (r *rig) checkIdle(name string) {
	app, _, _ := strings.Cut(name, "/")
	r.mu.Lock()
	cutOff := r.cutOff[app]
	r.mu.Unlock()
	if cutOff {
		return
	}
	for _, w := range r.livingWorkers() {
		w.mu.Lock()
		i := w.instances[name]
		busy := i != nil && (!i.retired || i.inFlight > 0)
		w.mu.Unlock()
		if busy {
			r.fault("%s gets its stop signal while worker %d uses it", name, w.generation)
		}
	}
}

// movesOf is what a worker says of its moving.
func (r *rig) movesOf(generation uint64) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	if generation <= r.oldWorkers {
		return 0
	}
	return 1
}

// move gives a tunnel to an instance from one worker to its heir, as the real
// ones do: the heir counts it before the other ceases to. It reports whether
// that was possible.
func (r *rig) move(from *fakeWorker, id string) (heir *fakeWorker) {
	from.mu.Lock()
	to, draining := from.heir, from.draining
	from.mu.Unlock()
	for _, w := range r.livingWorkers() {
		if w.generation == to && draining && w.adopt(id, from.generation) {
			from.answered(id)
			return w
		}
	}
	return nil
}

// adopt counts in what another worker has.
func (w *fakeWorker) adopt(id string, from uint64) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	i := w.instances[id]
	if w.dead || w.draining || i == nil || !slices.Contains(w.takesFrom, from) {
		return false
	}
	i.inFlight++
	i.told = false
	return true
}

// counts tells the supervisor of requests to an app, and of five connections, one
// for each thing that they may be used for.
func (w *fakeWorker) counts(app string, requests uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.say(&wire.Counters{Connections: 5, MovedIn: 3, MovedOut: 2, Apps: []wire.AppCounters{
		{Name: app, Connections: 5, Requests: requests, Holding: 1, Upgraded: 1, Streams: 1,
			Instances: []wire.InstanceCounters{{ID: app + "/1", InFlight: 3, Requests: requests}}},
		{Name: "other"},
	}})
}
