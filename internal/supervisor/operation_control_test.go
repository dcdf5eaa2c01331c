package supervisor

import (
	"context"
	"strings"
	"time"

	"gracevisor/internal/config"
	"gracevisor/internal/control"
)

// followed is an operation that is followed to its end.
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
