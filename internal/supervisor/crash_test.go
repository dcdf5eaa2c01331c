package supervisor

import (
	"errors"
	"testing"
	"time"

	"gracevisor/internal/config"
	"gracevisor/internal/control"
	"gracevisor/internal/wire"
)

// TestCrashIsReplacedAtOnce: requests wait for the replacement.
func TestCrashIsReplacedAtOnce(t *testing.T) {
	run(t, plan(newApp("demo", 8080)), func(r *rig) {
		r.alone("demo")
		r.pass(time.Minute)
		r.forget()
		r.always("demo", behaviour{readyAfter: 3 * time.Second})
		r.process("demo/1").end(exitOne)
		r.settle()
		r.inOrder("exit demo/1", "clone demo/2")
		w := r.worker(1)
		if got := w.route("demo").Disposition; got != wire.Holding {
			t.Errorf("without an instance it is %s:\n%s", got, r.tale())
		}
		if n := r.alone("demo"); n != 2 {
			t.Errorf("instance %d serves", n)
		}
		status := r.status("demo")
		if status.Restarts != 1 || status.Instances[0].Reason != "crash" {
			t.Errorf("status %+v", status)
		}
		r.do(control.VerbRestart, "demo").gives(control.ResultDone)
		if n := r.status("demo").Restarts; n != 0 {
			t.Errorf("after a restart by an operator there were %d others", n)
		}
	})
}

// TestCrashLoop: an app that comes up and dies is given up after max_retries,
// and tried again later.
func TestCrashLoop(t *testing.T) {
	app := newApp("demo", 8080, func(a *config.App) { a.MaxRetries = 3 })
	prepare := func(r *rig) { r.always("demo", behaviour{readyAfter: 0, diesAfter: time.Second, exit: exitOne}) }
	runWith(t, plan(app), prepare, func(r *rig) {
		r.reaches("demo", "failed")
		if n := r.count("clone"); n != 4 {
			t.Errorf("it was started %d times, not 1 and 3 more", n)
		}
		if got := r.worker(1).route("demo").Disposition; got != wire.Unavailable {
			t.Errorf("failed, it is %s", got)
		}
		r.always("demo", behaviour{})
		r.pass(time.Minute)
		r.alone("demo")
	})
}

// TestHealthyRunResets: crashes that are far apart do not add up.
func TestHealthyRunResets(t *testing.T) {
	app := newApp("demo", 8080, func(a *config.App) { a.MaxRetries = 2 })
	prepare := func(r *rig) { r.always("demo", behaviour{diesAfter: healthyRun + time.Second, exit: exitOne}) }
	runWith(t, plan(app), prepare, func(r *rig) {
		for range 20 {
			r.pass(healthyRun)
			if state := r.status("demo").State; state == "failed" {
				t.Fatalf("it was given up:\n%s", r.tale())
			}
		}
		if n := r.count("clone"); n < 10 {
			t.Errorf("it was started %d times", n)
		}
	})
}

// TestCrashWhileItIsRestarted: the new instance, which is under way, is the
// replacement.
func TestCrashWhileItIsRestarted(t *testing.T) {
	run(t, plan(newApp("demo", 8080)), func(r *rig) {
		r.alone("demo")
		r.always("demo", behaviour{readyAfter: 10 * time.Second})
		restart := r.do(control.VerbRestart, "demo")
		r.pass(time.Second)
		r.process("demo/1").end(exitOne)
		restart.gives(control.ResultDone)
		r.alone("demo")
		if n := r.count("clone"); n != 2 {
			t.Errorf("%d instances were started", n)
		}
	})
}

// TestCrashWhileARestartPauses: the next try does not wait any longer.
func TestCrashWhileARestartPauses(t *testing.T) {
	app := newApp("demo", 8080, func(a *config.App) { a.MaxRetries = 20 })
	run(t, plan(app), func(r *rig) {
		r.alone("demo")
		r.always("demo", behaviour{diesAfter: time.Millisecond, readyAfter: time.Minute, exit: exitOne})
		restart := r.do(control.VerbRestart, "demo")
		r.pass(2 * time.Minute) // the pauses are long by now
		clones := r.count("clone")
		r.always("demo", behaviour{})
		r.process("demo/1").end(exitOne)
		r.pass(100 * time.Millisecond)
		if state := r.status("demo").State; state != "serving" {
			t.Fatalf("right after the crash it is %s:\n%s", state, r.tale())
		}
		restart.gives(control.ResultDone)
		if n := r.count("clone"); n != clones+1 {
			t.Errorf("%d instances were started at the crash:\n%s", n-clones, r.tale())
		}
		r.pass(time.Minute)
		if n := r.count("clone"); n != clones+1 {
			t.Errorf("%d more were started later:\n%s", n-clones-1, r.tale())
		}
	})
}

// TestCrashWhileABadVersionIsTried: when the new version is given up, the one
// that has served is started again, and not only after a minute.
func TestCrashWhileABadVersionIsTried(t *testing.T) {
	run(t, plan(newApp("demo", 8080)), func(r *rig) {
		r.alone("demo")
		dies := behaviour{diesAfter: time.Second, readyAfter: time.Minute, exit: exitOne}
		r.behave("demo", dies, dies)
		reload := r.apply(control.VerbUpdate, plan(newApp("demo", 8080, func(a *config.App) {
			a.Command = []string{"bad", "{port}"}
			a.MaxRetries = 2
		})))
		r.pass(500 * time.Millisecond)
		r.process("demo/1").end(exitOne)
		reload.gives(control.ResultFailed)
		r.pass(100 * time.Millisecond)
		if state := r.status("demo").State; state != "serving" {
			t.Fatalf("after the bad version was given up it is %s:\n%s", state, r.tale())
		}
		if status := r.status("demo"); status.Instances[0].Reason != "crash" || status.Restarts != 1 {
			t.Errorf("status %+v", status)
		}
	})
}

// TestSickInstanceStaysUntilReplaced: it goes on to take requests, and goes when
// the new one serves.
func TestSickInstanceStaysUntilReplaced(t *testing.T) {
	run(t, plan(newApp("demo", 8080, checked)), func(r *rig) {
		r.alone("demo")
		w := r.worker(1)
		r.forget()
		r.always("demo", behaviour{readyAfter: 10 * time.Second})
		r.process("demo/1").feel(ailing)
		r.pass(5 * time.Second)
		if got := w.request("demo"); got != "demo/1" {
			t.Fatalf("a request goes to %q:\n%s", got, r.tale())
		}
		w.answered("demo/1")
		if n := r.alone("demo"); n != 2 {
			t.Errorf("instance %d serves", n)
		}
		r.inOrder("clone demo/2", "table at worker 1: demo serving demo/1=draining demo/2=serving", "signal demo/1 SIGTERM")
		if reason := r.status("demo").Instances[0].Reason; reason != "health check" {
			t.Errorf("reason %q", reason)
		}
	})
}

// TestSilentInstanceIsTakenOut: it gets no requests, which wait instead.
func TestSilentInstanceIsTakenOut(t *testing.T) {
	run(t, plan(newApp("demo", 8080, checked)), func(r *rig) {
		r.alone("demo")
		w := r.worker(1)
		w.request("demo")
		r.always("demo", behaviour{readyAfter: 10 * time.Second})
		r.process("demo/1").feel(mute)
		r.pass(time.Second)
		if got := w.route("demo"); got.Disposition != wire.Holding || got.Instances[0].Role != wire.RoleDraining {
			t.Fatalf("it is %s: %+v", got.Disposition, got.Instances)
		}
		r.await("the new one", func() bool { return w.request("demo") == "demo/2" })
		r.pass(time.Second)
		if r.count("signal demo/1") > 0 {
			t.Fatalf("stopped with a request in flight:\n%s", r.tale())
		}
		w.answered("demo/1")
		w.answered("demo/2")
		r.alone("demo")
	})
}

// TestRecovery: while no replacement comes up, the old instance may recover.
func TestRecovery(t *testing.T) {
	for name, ill := range map[string]health{"from sick": ailing, "from silent": mute} {
		t.Run(name, func(t *testing.T) {
			run(t, plan(newApp("demo", 8080, checked)), func(r *rig) {
				r.alone("demo")
				r.always("demo", behaviour{startErr: errors.New("no")})
				r.process("demo/1").feel(ill)
				r.pass(30 * time.Second)
				r.process("demo/1").feel(well)
				r.settle()
				w := r.worker(1)
				if got := w.request("demo"); got != "demo/1" {
					t.Fatalf("a request goes to %q:\n%s", got, r.tale())
				}
				r.pass(10 * time.Minute)
				if n := r.count("clone"); n != 1 {
					t.Errorf("%d were started", n)
				}
				w.answered("demo/1")
				// What the worker has told while it was silent counts no more.
				r.always("demo", behaviour{})
				r.do(control.VerbRestart, "demo").gives(control.ResultDone)
				r.alone("demo")
			})
		})
	}
}

// TestRecoveryIsSeenByTheNextWorker: it was not there when the instance fell
// silent.
func TestRecoveryIsSeenByTheNextWorker(t *testing.T) {
	for name, ill := range map[string]health{"from sick": ailing, "from silent": mute} {
		t.Run(name, func(t *testing.T) {
			app := newApp("demo", 8080, checked, func(a *config.App) { a.MaxRetries = 1 })
			run(t, plan(app), func(r *rig) {
				r.alone("demo")
				r.always("demo", behaviour{startErr: errors.New("no")})
				r.process("demo/1").feel(ill)
				r.pass(time.Second)
				r.failWorkers(true)
				r.worker(1).die()
				r.settle()
				r.process("demo/1").feel(well)
				r.failWorkers(false)
				r.await("another worker", func() bool { return len(r.livingWorkers()) == 1 && r.livingWorkers()[0].hasTable() })
				w := r.livingWorkers()[0]
				r.pass(time.Second)
				if got := w.request("demo"); got != "demo/1" {
					t.Fatalf("a request goes to %q:\n%s", got, r.tale())
				}
				if state := r.status("demo").Instances[0].State; state != "serving" {
					t.Errorf("it is %s", state)
				}
			})
		})
	}
}

// TestSilenceThatFlickers: silent, well, silent again, with no table in between:
// the worker does not tell a second time that nothing is in flight.
func TestSilenceThatFlickers(t *testing.T) {
	run(t, plan(newApp("demo", 8080, checked), newApp("other", 8081)), func(r *rig) {
		r.alone("demo")
		r.alone("other")
		second := r.secondWorker()
		r.always("demo", behaviour{readyAfter: 5 * time.Second})
		second.mumble("other/2") // no table goes out from the next switch on
		r.process("demo/1").feel(mute)
		r.settle()
		r.do(control.VerbRestart, "other")
		r.await("the switch", func() bool { return second.request("other") == "other/2" })
		r.process("demo/1").feel(well)
		r.settle()
		r.process("demo/1").feel(mute)
		r.settle()
		second.speak()
		second.answered("other/2")
		if n := r.alone("demo"); n != 2 {
			t.Errorf("instance %d serves", n)
		}
	})
}

// TestSickInTheSwitch: what the checks find before the switch is complete counts
// when it is.
func TestSickInTheSwitch(t *testing.T) {
	run(t, plan(newApp("demo", 8080, checked)), func(r *rig) {
		w, restart := switching(r)
		w.answered("demo/2")
		r.process("demo/2").feel(ailing)
		r.settle()
		w.speak()
		restart.gives(control.ResultDone)
		if n := r.alone("demo"); n != 3 {
			t.Errorf("instance %d serves", n)
		}
	})
}
