package supervisor

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"gracevisor/internal/config"
	"gracevisor/internal/control"
)

// argument changes an app so that a new instance is needed.
func argument(a *config.App) { a.Command = append(a.Command, "--changed") }

// results is how an operation ended, in a line.
func (f *followed) summary() string {
	f.rig.t.Helper()
	f.wait()
	var parts []string
	for _, app := range []string{"a", "b", "c", "d", "e"} {
		if e, ok := f.results[app]; ok {
			parts = append(parts, app+" "+string(e.Result))
		}
	}
	return strings.Join(parts, ", ")
}

func TestUpdateAppliesWhatChanged(t *testing.T) {
	run(t, plan(newApp("a", 8080), newApp("b", 8081), newApp("c", 8082)), func(r *rig) {
		for _, app := range []string{"a", "b", "c"} {
			r.alone(app)
		}
		r.forget()
		next := plan(newApp("a", 8080), newApp("b", 8081, argument), newApp("d", 8083))
		if got := r.apply(control.VerbUpdate, next).summary(); got != "a unchanged, b done, c done, d done" {
			t.Errorf("results: %s\n%s", got, r.tale())
		}
		for app, want := range map[string]uint64{"a": 1, "b": 2, "d": 1} {
			if n := r.alone(app); n != want {
				t.Errorf("instance %d of %s serves, not %d", n, app, want)
			}
		}
		r.await("the end of c", func() bool {
			_, err := r.s.Status(context.Background(), []string{"c"})
			return err != nil && len(r.living("c")) == 0
		})
		if n := r.count("clone"); n != 2 {
			t.Errorf("%d were started:\n%s", n, r.tale())
		}
		if got := fmt.Sprint(r.forgotten); got != "[c]" {
			t.Errorf("output forgotten: %s", got)
		}
	})
}

func TestReload(t *testing.T) {
	run(t, plan(newApp("a", 8080), newApp("b", 8081), newApp("c", 8082)), func(r *rig) {
		for _, app := range []string{"a", "b", "c"} {
			r.alone(app)
		}
		r.do(control.VerbStop, "c").gives(control.ResultDone)
		next := plan(newApp("a", 8080, argument), newApp("b", 8081, argument), newApp("c", 8082, argument), newApp("d", 8083))
		if got := r.apply(control.VerbReload, next, "a", "a").summary(); got != "a done" {
			t.Errorf("results of reload a: %s", got)
		}
		if n := r.alone("b"); n != 1 {
			t.Errorf("reload a touched b: instance %d serves", n)
		}
		if _, err := r.s.Status(context.Background(), []string{"d"}); err == nil {
			t.Error("reload a added d")
		}
		if got := r.apply(control.VerbReload, next).summary(); got != "a done, b done, c unchanged, d done" {
			t.Errorf("results of reload: %s", got)
		}
		for app, want := range map[string]uint64{"a": 3, "b": 2, "d": 1} {
			if n := r.alone(app); n != want {
				t.Errorf("instance %d of %s serves, not %d", n, app, want)
			}
		}
		if state := r.status("c").State; state != "stopped" {
			t.Errorf("c, which was stopped, is %s", state)
		}
	})
}

func TestReloadRefuses(t *testing.T) {
	run(t, plan(newApp("a", 8080), newApp("b", 8081)), func(r *rig) {
		r.alone("a")
		for app, code := range map[string]control.Code{"b": control.CodeBadRequest, "nosuch": control.CodeNoSuchApp} {
			request := control.Request{Verb: control.VerbReload, Apps: []string{"a", app}}
			_, err := r.s.Apply(context.Background(), plan(newApp("a", 8080)), request, nil)
			var e *control.Error
			if !errors.As(err, &e) || e.Code != code {
				t.Errorf("reload a %s: %v, not %s", app, err, code)
			}
		}
		if n := r.alone("a"); n != 1 {
			t.Errorf("a refused reload did something: instance %d serves", n)
		}
	})
}

// TestUpdateThatDoesNotStart: the old configuration stays in force, and the next
// update tries the new one again.
func TestUpdateThatDoesNotStart(t *testing.T) {
	run(t, plan(newApp("a", 8080)), func(r *rig) {
		r.alone("a")
		next := plan(newApp("a", 9090, argument))
		r.always("a", behaviour{launchErr: errors.New("no")})
		if got := r.apply(control.VerbUpdate, next).summary(); got != "a failed" {
			t.Errorf("results: %s", got)
		}
		if external := r.status("a").External; external != "127.0.0.1:8080" {
			t.Errorf("it is reached at %s", external)
		}
		r.always("a", behaviour{})
		r.process("a/1").end(exitOne) // replaced by one of the old configuration
		r.alone("a")
		if external := r.status("a").External; external != "127.0.0.1:8080" {
			t.Errorf("it is reached at %s", external)
		}
		if got := r.apply(control.VerbUpdate, next).summary(); got != "a done" {
			t.Errorf("results: %s", got)
		}
		r.alone("a")
		r.await("its new address", func() bool { return r.status("a").External == "127.0.0.1:9090" })
	})
}

// TestUpdateWithNothingToDo: also when nothing at all is configured.
func TestUpdateWithNothingToDo(t *testing.T) {
	run(t, plan(), func(r *rig) {
		if got := r.apply(control.VerbUpdate, plan()).summary(); got != "" {
			t.Errorf("results: %s", got)
		}
	})
	run(t, plan(newApp("a", 8080), newApp("b", 8081)), func(r *rig) {
		r.alone("a")
		r.alone("b")
		if got := r.apply(control.VerbUpdate, plan(newApp("a", 8080), newApp("b", 8081))).summary(); got != "a unchanged, b unchanged" {
			t.Errorf("results: %s", got)
		}
	})
}

// TestUpdateDuringAnUpdate: the second one finds the same and leaves the first
// alone; a third one supersedes it.
func TestUpdateDuringAnUpdate(t *testing.T) {
	run(t, plan(newApp("a", 8080)), func(r *rig) {
		r.alone("a")
		r.always("a", behaviour{readyAfter: time.Minute})
		first := r.apply(control.VerbUpdate, plan(newApp("a", 8080, argument)))
		if got := r.apply(control.VerbUpdate, plan(newApp("a", 8080, argument))).summary(); got != "a unchanged" {
			t.Errorf("results: %s", got)
		}
		third := r.apply(control.VerbUpdate, plan(newApp("a", 8080, argument, argument)))
		if got := first.summary() + ", " + third.summary(); got != "a superseded, a done" {
			t.Errorf("results: %s", got)
		}
	})
}

// TestRemovedAndAddedAgain: before its last instance has gone, and after. The
// numbers go on: a worker may know the old ones.
func TestRemovedAndAddedAgain(t *testing.T) {
	run(t, plan(newApp("a", 8080)), func(r *rig) {
		r.alone("a")
		w := r.worker(1)
		w.request("a")
		r.apply(control.VerbUpdate, plan()).gives(control.ResultDone)
		for _, verb := range []control.Verb{control.VerbStart, control.VerbRestart} {
			r.do(verb, "a").gives(control.ResultFailed)
		}
		r.apply(control.VerbUpdate, plan(newApp("a", 8080))).gives(control.ResultDone)
		w.answered("a/1")
		if n := r.alone("a"); n != 2 {
			t.Errorf("instance %d serves", n)
		}
		request := control.Request{Verb: control.VerbUpdate, Drained: true}
		o, err := r.s.Apply(context.Background(), plan(), request, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.follow(request, o).gives(control.ResultDone)
		if living := r.living("a"); len(living) > 0 {
			t.Errorf("left: %v", living)
		}
		r.settle()
		r.apply(control.VerbUpdate, plan(newApp("a", 8080))).gives(control.ResultDone)
		if n := r.alone("a"); n != 3 {
			t.Errorf("instance %d serves", n)
		}
	})
}

// TestNewLimits: a new port range and number of slots are in force at once.
func TestNewLimits(t *testing.T) {
	narrow := plan(newApp("a", 8080), newApp("b", 8081), newApp("c", 8082))
	narrow.ParallelRestarts = 1
	prepare := func(r *rig) {
		for _, app := range []string{"a", "b", "c"} {
			r.always(app, behaviour{readyAfter: 10 * time.Second})
		}
	}
	runWith(t, narrow, prepare, func(r *rig) {
		r.pass(time.Second)
		wide := plan(newApp("a", 8080), newApp("b", 8081), newApp("c", 8082))
		wide.ParallelRestarts = 3
		wide.Ports = config.PortRange{From: 20000, To: 20009}
		r.apply(control.VerbUpdate, wide).gives(control.ResultUnchanged)
		if n := r.count("clone"); n != 3 {
			t.Errorf("%d are started, not 3:\n%s", n, r.tale())
		}
		r.alone("c")
		if port := r.process("c/1").port; port < 20000 {
			t.Errorf("c has port %d", port)
		}
	})
}
