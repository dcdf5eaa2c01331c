package supervisor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"gracevisor/internal/config"
	"gracevisor/internal/control"
	"gracevisor/internal/wire"
)

// This file is how the tests lead the workers, and order operations.

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

// secondWorker has another generation serve beside the first.
func (r *rig) secondWorker() *fakeWorker {
	r.t.Helper()
	r.s.post(workerDue{})
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

// operation follows an operation.
type followed struct {
	rig  *rig
	what string
	done chan struct{}
	// Read them after done.
	steps   []string
	results map[string]control.Event
}

// operate begins an operation on apps.
func (r *rig) operate(request control.Request) *followed {
	r.t.Helper()
	o, err := r.s.Operate(context.Background(), request)
	if err != nil {
		r.t.Fatalf("%s: %v", request.Verb, err)
	}
	return r.follow(request, o)
}

func (r *rig) do(verb control.Verb, apps ...string) *followed {
	r.t.Helper()
	return r.operate(control.Request{Verb: verb, Apps: apps})
}

// apply begins a reload or an update.
func (r *rig) apply(verb control.Verb, plan *config.Plan, apps ...string) *followed {
	r.t.Helper()
	request := control.Request{Verb: verb, Apps: apps}
	o, err := r.s.Apply(context.Background(), plan, request, nil)
	if err != nil {
		r.t.Fatalf("%s: %v", verb, err)
	}
	return r.follow(request, o)
}

func (r *rig) follow(request control.Request, o *control.Operation) *followed {
	f := &followed{
		rig: r, what: string(request.Verb) + " " + strings.Join(request.Apps, " "),
		done: make(chan struct{}), results: make(map[string]control.Event),
	}
	go func() { // ends with the operation
		defer close(f.done)
		for e := range o.Events {
			if e.Kind != control.EventResult {
				f.steps = append(f.steps, e.Message)
				continue
			}
			if _, twice := f.results[e.App]; twice {
				r.fault("%s: two results for %s", f.what, e.App)
			}
			f.results[e.App] = e
			r.note("result %s %s %s", request.Verb, e.App, e.Result)
		}
	}()
	return f
}

// over reports whether the operation has ended.
func (f *followed) over() bool {
	f.rig.settle()
	select {
	case <-f.done:
		return true
	default:
		return false
	}
}

// wait waits for the end of the operation.
func (f *followed) wait() *followed {
	f.rig.t.Helper()
	select {
	case <-f.done:
	case <-time.After(patience):
		f.rig.t.Fatalf("%s does not end:\n%s", f.what, f.rig.tale())
	}
	f.rig.settle()
	return f
}

// gives waits for the end of an operation, which must have this result for each
// app.
func (f *followed) gives(want control.Result) *followed {
	f.rig.t.Helper()
	f.wait()
	if len(f.results) == 0 {
		f.rig.t.Fatalf("%s has no result", f.what)
	}
	for app, e := range f.results {
		if e.Result != want {
			f.rig.t.Fatalf("%s: %s is %s (%s), not %s:\n%s", f.what, app, e.Result, e.Error, want, f.rig.tale())
		}
	}
	return f
}
