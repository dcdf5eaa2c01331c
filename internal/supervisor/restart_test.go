package supervisor

import (
	"testing"
	"time"

	"gracevisor/internal/control"
	"gracevisor/internal/supervisor/lifecycle"
)

func TestRestartGoesStepByStep(t *testing.T) {
	run(t, plan(newApp("demo", 8080)), func(r *rig) {
		r.alone("demo")
		w := r.worker(1)
		if got := w.request("demo"); got != "demo/1" {
			t.Fatalf("the request goes to %q", got)
		}
		r.forget()
		r.always("demo", behaviour{readyAfter: time.Second})
		r.process("demo/1").does = behaviour{stopTakes: time.Second, lingers: time.Second}
		r.do(control.VerbRestart, "demo").gives(control.ResultDone)
		if got := w.request("demo"); got != "demo/2" {
			t.Fatalf("after the switch a request goes to %q", got)
		}
		r.pass(time.Minute)
		if r.count("signal") > 0 {
			t.Fatalf("stopped with a request in flight:\n%s", r.tale())
		}
		w.answered("demo/1")
		r.alone("demo")
		r.inOrder(
			"clone demo/2",
			"launched demo/2",
			"table at worker 1: demo serving demo/1=draining demo/2=serving [127.0.0.1:8080]",
			"ack by worker 1",
			"result restart demo done",
			"drained demo/1 at worker 1",
			"signal demo/1 SIGTERM",
			"exit demo/1",
			"empty demo/1",
			"table at worker 1: demo serving demo/2=serving [127.0.0.1:8080]",
		)
	})
}

// TestSwitchWaitsForEveryWorker: as long as one generation has not acknowledged,
// the operation is not done and the old instance not stopped, although the
// others have drained it.
func TestSwitchWaitsForEveryWorker(t *testing.T) {
	run(t, plan(newApp("demo", 8080)), func(r *rig) {
		r.alone("demo")
		second := r.secondWorker()
		second.mumble("demo/2")
		restart := r.do(control.VerbRestart, "demo")
		r.await("the switch", func() bool { return second.request("demo") == "demo/2" })
		r.pass(5 * time.Second)
		if restart.over() || r.count("signal demo/1") > 0 {
			t.Fatalf("it goes on without worker 2:\n%s", r.tale())
		}
		if r.count("drained demo/1 at worker 1") != 1 {
			t.Fatalf("worker 1 has not drained it:\n%s", r.tale())
		}
		second.speak()
		restart.gives(control.ResultDone)
		r.settle()
		r.inOrder("ack by worker 2", "signal demo/1 SIGTERM")
	})
}

// TestDrainWaitsForEveryWorker: each generation has to tell that it has no
// request on the old instance.
func TestDrainWaitsForEveryWorker(t *testing.T) {
	run(t, plan(newApp("demo", 8080)), func(r *rig) {
		r.alone("demo")
		second := r.secondWorker()
		first := r.worker(1)
		first.request("demo")
		second.request("demo")
		second.request("demo")
		r.do(control.VerbRestart, "demo").gives(control.ResultDone)
		for n, finish := range []*fakeWorker{second, first, second} {
			r.pass(time.Minute)
			if r.count("signal demo/1") > 0 {
				t.Fatalf("stopped after %d of 3 requests:\n%s", n, r.tale())
			}
			finish.answered("demo/1")
		}
		r.alone("demo")
	})
}

// TestWorkerDiesInTheSwitch: a generation that dies is not waited for, neither
// for its acknowledgement nor for its requests.
func TestWorkerDiesInTheSwitch(t *testing.T) {
	run(t, plan(newApp("demo", 8080)), func(r *rig) {
		r.alone("demo")
		second := r.secondWorker()
		second.request("demo")
		second.mumble("demo/2")
		restart := r.do(control.VerbRestart, "demo")
		r.await("the switch", func() bool { return second.request("demo") == "demo/2" })
		second.die()
		restart.gives(control.ResultDone)
		if n := r.alone("demo"); n != 2 {
			t.Errorf("instance %d serves", n)
		}
	})
}

// TestOnlyWorkerDiesInTheSwitch: the switch is complete when the next generation
// has acknowledged it; until then the old instance stays in reserve.
func TestOnlyWorkerDiesInTheSwitch(t *testing.T) {
	run(t, plan(newApp("demo", 8080)), func(r *rig) {
		r.alone("demo")
		first := r.worker(1)
		first.mumble("demo/2")
		restart := r.do(control.VerbRestart, "demo")
		r.await("the switch", func() bool { return first.request("demo") == "demo/2" })
		r.failWorkers(true)
		first.die()
		r.pass(time.Second)
		if restart.over() || r.count("signal demo/1") > 0 {
			t.Fatalf("it goes on without a worker:\n%s", r.tale())
		}
		r.failWorkers(false)
		restart.gives(control.ResultDone)
		r.alone("demo")
	})
}

func TestRestartSupersedesOneThatHasNotSwitched(t *testing.T) {
	run(t, plan(newApp("demo", 8080)), func(r *rig) {
		r.alone("demo")
		r.behave("demo", behaviour{readyAfter: never})
		first := r.do(control.VerbRestart, "demo")
		r.await("the first try", func() bool { return r.count("launched demo/2") == 1 })
		second := r.do(control.VerbRestart, "demo")
		first.gives(control.ResultSuperseded)
		second.gives(control.ResultDone)
		if n := r.alone("demo"); n != 3 {
			t.Errorf("instance %d serves", n)
		}
		r.inOrder("signal demo/2 SIGTERM", "signal demo/1 SIGTERM")
	})
}

// TestRestartSupersedesInTheSwitch: what has switched goes on to serve, and is
// replaced in its turn.
func TestRestartSupersedesInTheSwitch(t *testing.T) {
	run(t, plan(newApp("demo", 8080)), func(r *rig) {
		r.alone("demo")
		w := r.worker(1)
		w.request("demo")
		w.mumble("demo/2")
		first := r.do(control.VerbRestart, "demo")
		r.await("the switch", func() bool { return w.request("demo") == "demo/2" })
		second := r.do(control.VerbRestart, "demo")
		first.gives(control.ResultSuperseded)
		r.pass(2 * time.Second)
		w.speak()
		second.gives(control.ResultDone)
		w.answered("demo/1")
		w.answered("demo/2")
		if n := r.alone("demo"); n != 3 {
			t.Errorf("instance %d serves", n)
		}
	})
}

func TestRestartAfterTheSwitchStartsAtOnce(t *testing.T) {
	run(t, plan(newApp("demo", 8080)), func(r *rig) {
		r.alone("demo")
		w := r.worker(1)
		w.request("demo") // demo/1 drains on
		r.do(control.VerbRestart, "demo").gives(control.ResultDone)
		w.request("demo")
		r.do(control.VerbRestart, "demo").gives(control.ResultDone)
		if n := len(r.status("demo").Instances); n != 3 {
			t.Errorf("there are %d instances, not 3:\n%s", n, r.tale())
		}
		w.answered("demo/1")
		w.answered("demo/2")
		r.alone("demo")
	})
}

// switching makes demo/2 ready, with its switch not acknowledged.
func switching(r *rig) (*fakeWorker, *followed) {
	r.t.Helper()
	r.alone("demo")
	w := r.worker(1)
	w.mumble("demo/2")
	restart := r.do(control.VerbRestart, "demo")
	r.await("the switch", func() bool { return w.request("demo") == "demo/2" })
	return w, restart
}

// TestOldComesBack: the new instance dies before its switch is complete. The old
// one, which the worker has drained already, serves again, until the next try.
func TestOldComesBack(t *testing.T) {
	run(t, plan(newApp("demo", 8080)), func(r *rig) {
		w, restart := switching(r)
		r.behave("demo", behaviour{readyAfter: time.Minute})
		r.process("demo/2").end(exitOne)
		r.pass(time.Second)
		w.speak()
		r.settle()
		if got := w.request("demo"); got != "demo/1" {
			t.Fatalf("a request goes to %q:\n%s", got, r.tale())
		}
		restart.gives(control.ResultDone)
		if r.count("signal demo/1") > 0 {
			t.Fatalf("stopped with a request in flight:\n%s", r.tale())
		}
		w.answered("demo/1")
		if n := r.alone("demo"); n != 3 {
			t.Errorf("instance %d serves", n)
		}
	})
}

// TestOldComesBackAndIsStopped: between the two no table goes out, so the worker
// does not tell a second time that it has drained it.
func TestOldComesBackAndIsStopped(t *testing.T) {
	run(t, plan(newApp("demo", 8080)), func(r *rig) {
		w, restart := switching(r)
		r.process("demo/2").end(exitOne)
		r.settle()
		r.look(func(s *Supervisor) {
			if i := s.apps["demo"].instances[0]; i.state != lifecycle.Serving {
				t.Errorf("demo/1 is %s", i.state)
			}
		})
		stop := r.do(control.VerbStop, "demo")
		restart.gives(control.ResultCanceled)
		w.speak()
		stop.gives(control.ResultDone)
		r.reaches("demo", "stopped")
	})
}

func TestRestartOfManyAppsHasAResultForEach(t *testing.T) {
	run(t, plan(newApp("a", 8080), newApp("b", 8081), newApp("c", 8082)), func(r *rig) {
		for _, app := range []string{"a", "b", "c"} {
			r.alone(app)
		}
		r.always("b", behaviour{diesAfter: time.Millisecond, exit: exitOne, readyAfter: never})
		restart := r.do(control.VerbRestart, "a", "b", "c", "a").wait()
		if len(restart.results) != 3 {
			t.Fatalf("results: %v", restart.results)
		}
		for app, want := range map[string]control.Result{"a": control.ResultDone, "b": control.ResultFailed, "c": control.ResultDone} {
			if got := restart.results[app].Result; got != want {
				t.Errorf("%s is %s, not %s", app, got, want)
			}
		}
		if n := r.alone("b"); n != 1 {
			t.Errorf("instance %d of b serves", n)
		}
	})
}
