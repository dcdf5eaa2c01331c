package supervisor

import (
	"context"
	"errors"
	"syscall"
	"testing"
	"time"

	"gracevisor/internal/control"
	"gracevisor/internal/wire"
)

func TestStopDrainsFirst(t *testing.T) {
	run(t, plan(newApp("demo", 8080)), func(r *rig) {
		r.alone("demo")
		w := r.worker(1)
		w.request("demo")
		r.forget()
		stop := r.do(control.VerbStop, "demo")
		r.pass(time.Minute)
		if stop.over() || r.count("signal") > 0 {
			t.Fatalf("stopped with a request in flight:\n%s", r.tale())
		}
		if got := w.route("demo").Disposition; got != wire.Unavailable {
			t.Errorf("stopping, it is %s", got)
		}
		if state := r.status("demo").State; state != "stopping" {
			t.Errorf("its state is %s", state)
		}
		w.answered("demo/1")
		stop.gives(control.ResultDone)
		r.inOrder("table at worker 1: demo unavailable demo/1=draining", "drained demo/1", "signal demo/1 SIGTERM", "empty demo/1")
		if state := r.status("demo").State; state != "stopped" {
			t.Errorf("its state is %s", state)
		}
		r.do(control.VerbStop, "demo").gives(control.ResultUnchanged)
		r.pass(time.Hour)
		if r.count("clone") > 0 {
			t.Errorf("it was started again:\n%s", r.tale())
		}
	})
}

func TestStartAndRestartOfAStoppedApp(t *testing.T) {
	run(t, plan(newApp("demo", 8080)), func(r *rig) {
		r.alone("demo")
		for n, verb := range []control.Verb{control.VerbStart, control.VerbRestart} {
			r.do(control.VerbStop, "demo").gives(control.ResultDone)
			r.do(verb, "demo").gives(control.ResultDone)
			if got := r.alone("demo"); got != uint64(n+2) {
				t.Errorf("instance %d serves", got)
			}
		}
		r.do(control.VerbStart, "demo").gives(control.ResultUnchanged)
	})
}

// TestStartJoins: a start of an app that is being started waits for that.
func TestStartJoins(t *testing.T) {
	run(t, plan(newApp("demo", 8080)), func(r *rig) {
		r.alone("demo")
		r.always("demo", behaviour{readyAfter: time.Minute})
		restart := r.do(control.VerbRestart, "demo")
		start := r.do(control.VerbStart, "demo")
		restart.gives(control.ResultDone)
		start.gives(control.ResultDone)
		if n := r.alone("demo"); n != 2 {
			t.Errorf("instance %d serves", n)
		}
	})
}

// TestStopWhileStarting: at each stage, the start is called off and what there
// is goes.
func TestStopWhileStarting(t *testing.T) {
	for name, does := range map[string]behaviour{
		"being cloned":  {cloneTakes: time.Minute},
		"not ready":     {readyAfter: never},
		"between tries": {startErr: errors.New("no")},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, plan(newApp("demo", 8080)), func(r *rig) {
				r.alone("demo")
				r.do(control.VerbStop, "demo").gives(control.ResultDone)
				r.always("demo", does)
				start := r.do(control.VerbStart, "demo")
				r.pass(50 * time.Millisecond)
				stop := r.do(control.VerbStop, "demo")
				start.gives(control.ResultCanceled)
				stop.gives(control.ResultDone)
				r.pass(time.Hour)
				if living := r.living("demo"); len(living) > 0 {
					t.Errorf("left: %v", living)
				}
				r.look(func(s *Supervisor) {
					if s.slots.taken != 0 || len(s.slots.queue) != 0 {
						t.Errorf("slots: %+v", s.slots)
					}
				})
			})
		})
	}
}

// TestStopWhileWaitingForASlot: the slot goes to the next one.
func TestStopWhileWaitingForASlot(t *testing.T) {
	p := plan(newApp("a", 8080), newApp("b", 8081), newApp("c", 8082))
	p.ParallelRestarts = 1
	prepare := func(r *rig) { r.always("a", behaviour{readyAfter: time.Minute}) }
	runWith(t, p, prepare, func(r *rig) {
		r.pass(time.Second)
		r.do(control.VerbStop, "b").gives(control.ResultDone)
		r.alone("a")
		r.alone("c")
		if n := r.count("clone b/"); n != 0 {
			t.Errorf("b was started")
		}
	})
}

// TestStartWhileStopping: the new instance does not wait for the old one, and
// the stop is done when the old one has gone.
func TestStartWhileStopping(t *testing.T) {
	run(t, plan(newApp("demo", 8080)), func(r *rig) {
		r.alone("demo")
		w := r.worker(1)
		w.request("demo")
		stop := r.do(control.VerbStop, "demo")
		r.pass(time.Second)
		r.do(control.VerbStart, "demo").gives(control.ResultDone)
		if got := w.request("demo"); got != "demo/2" {
			t.Errorf("a request goes to %q", got)
		}
		if stop.over() {
			t.Error("the stop is over before the old instance has gone")
		}
		w.answered("demo/1")
		stop.gives(control.ResultDone)
		w.answered("demo/2")
		r.alone("demo")
	})
}

func TestKillIsReplaced(t *testing.T) {
	run(t, plan(newApp("demo", 8080)), func(r *rig) {
		r.alone("demo")
		r.worker(1).request("demo") // it is not waited for
		r.do(control.VerbKill, "demo").gives(control.ResultDone)
		if n := r.alone("demo"); n != 2 {
			t.Errorf("instance %d serves", n)
		}
		if why := r.status("demo").LastError; why != "" {
			t.Errorf("last error %q", why)
		}
	})
}

// TestKillOfEverything: old instances and one in the switch too.
func TestKillOfEverything(t *testing.T) {
	run(t, plan(newApp("demo", 8080)), func(r *rig) {
		w, restart := switching(r)
		r.do(control.VerbKill, "demo").gives(control.ResultDone)
		for _, name := range []string{"demo/1", "demo/2"} {
			if !r.process(name).isGone() {
				t.Errorf("%s lives", name)
			}
		}
		w.speak()
		restart.gives(control.ResultDone)
		if n := r.alone("demo"); n != 3 {
			t.Errorf("instance %d serves", n)
		}
	})
}

func TestKillWithASignal(t *testing.T) {
	run(t, plan(newApp("demo", 8080)), func(r *rig) {
		r.alone("demo")
		request := control.Request{Verb: control.VerbKill, Apps: []string{"demo"}, Signal: int(syscall.SIGUSR1)}
		r.operate(request).gives(control.ResultDone)
		r.inOrder("signal demo/1 SIGUSR1")
		if n := r.alone("demo"); n != 1 {
			t.Errorf("instance %d serves", n)
		}
		r.do(control.VerbStop, "demo").gives(control.ResultDone)
		r.operate(request).gives(control.ResultFailed)
	})
}

func TestKillBeforeThereIsAProcess(t *testing.T) {
	prepare := func(r *rig) { r.behave("demo", behaviour{cloneTakes: time.Minute}) }
	runWith(t, plan(newApp("demo", 8080)), prepare, func(r *rig) {
		r.pass(time.Second)
		r.do(control.VerbKill, "demo").gives(control.ResultDone)
		if n := r.alone("demo"); n != 2 {
			t.Errorf("instance %d serves", n)
		}
		r.await("the end of the first", func() bool { return r.count("empty demo/1") == 1 })
		if r.count("launched demo/1") > 0 {
			t.Errorf("it was launched:\n%s", r.tale())
		}
	})
}

func TestRefusals(t *testing.T) {
	run(t, plan(newApp("demo", 8080)), func(r *rig) {
		r.alone("demo")
		for name, c := range map[string]struct {
			request control.Request
			code    control.Code
		}{
			"an unknown app":  {control.Request{Verb: control.VerbRestart, Apps: []string{"demo", "nosuch"}}, control.CodeNoSuchApp},
			"no app":          {control.Request{Verb: control.VerbStop}, control.CodeBadRequest},
			"an unknown verb": {control.Request{Verb: "dance", Apps: []string{"demo"}}, control.CodeBadRequest},
			"an update":       {control.Request{Verb: control.VerbUpdate, Apps: []string{"demo"}}, control.CodeBadRequest},
		} {
			_, err := r.s.Operate(context.Background(), c.request)
			var e *control.Error
			if !errors.As(err, &e) || e.Code != c.code {
				t.Errorf("%s: %v, not %s", name, err, c.code)
			}
		}
		if _, err := r.s.Status(context.Background(), []string{"nosuch"}); err == nil {
			t.Error("an unknown app has a status")
		}
		if n := r.count("clone"); n != 1 {
			t.Errorf("a refused operation did something:\n%s", r.tale())
		}
	})
}
