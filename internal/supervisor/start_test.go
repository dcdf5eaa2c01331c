package supervisor

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"gracevisor/internal/config"
	"gracevisor/internal/control"
	"gracevisor/internal/wire"
)

// TestBootIsBounded: no more than parallel_restarts apps have an unready
// instance at a time, and all come up.
func TestBootIsBounded(t *testing.T) {
	var apps []*config.App
	for n := range 7 {
		apps = append(apps, newApp(fmt.Sprintf("app%d", n), 8080+n))
	}
	p := plan(apps...)
	p.ParallelRestarts = 3
	prepare := func(r *rig) {
		for _, a := range apps {
			r.always(a.Name, behaviour{readyAfter: 10 * time.Second})
		}
	}
	runWith(t, p, prepare, func(r *rig) {
		for _, want := range []int{3, 6, 7} {
			r.pass(5 * time.Second)
			if got := r.count("clone"); got != want {
				t.Fatalf("%d are started, not %d:\n%s", got, want, r.tale())
			}
			r.pass(5 * time.Second)
		}
		for _, a := range apps {
			r.alone(a.Name)
		}
	})
}

// TestFailingAppGivesItsSlotAway: while it waits for its next try, others start.
func TestFailingAppGivesItsSlotAway(t *testing.T) {
	p := plan(newApp("bad", 8080), newApp("good", 8081))
	p.ParallelRestarts = 1
	prepare := func(r *rig) {
		r.always("bad", behaviour{readyAfter: never, diesAfter: time.Millisecond, exit: exitOne})
	}
	runWith(t, p, prepare, func(r *rig) {
		r.alone("good")
		r.reaches("bad", "failed")
		if n := r.count("clone bad/"); n != 5 {
			t.Errorf("bad was tried %d times, not 5", n)
		}
		r.look(func(s *Supervisor) {
			if s.slots.taken != 0 {
				t.Errorf("%d slots are taken", s.slots.taken)
			}
		})
	})
}

// TestAppThatIsNeverReadyHoldsUpNobody: not for ever.
func TestAppThatIsNeverReadyHoldsUpNobody(t *testing.T) {
	p := plan(newApp("bad", 8080), newApp("good", 8081), newApp("fine", 8082))
	p.ParallelRestarts = 1
	prepare := func(r *rig) { r.always("bad", behaviour{readyAfter: never}) }
	runWith(t, p, prepare, func(r *rig) {
		r.alone("good")
		r.alone("fine")
		r.process("bad/1").feel(well)
		r.alone("bad")
		r.look(func(s *Supervisor) {
			if s.slots.taken != 0 {
				t.Errorf("%d slots are taken", s.slots.taken)
			}
		})
	})
}

func TestStartFailures(t *testing.T) {
	for name, c := range map[string]struct {
		does behaviour
		why  string
	}{
		"is not cloned":   {behaviour{startErr: errors.New("fork: no memory")}, "cannot start: fork: no memory"},
		"is not launched": {behaviour{launchErr: errors.New("start demo/2: exec: no such file")}, "cannot start: start demo/2: exec: no such file"},
		"exits":           {behaviour{readyAfter: never, diesAfter: time.Second, exit: exitOne}, "exit status 1"},
		"is never ready":  {behaviour{readyAfter: never}, "not ready within start_timeout (30s)"},
		"takes a stranger for the app": {
			behaviour{stranger: true}, "was taken by another process"},
		"has no owner": {
			behaviour{ownerless: 1 << 30}, "not ready within start_timeout (30s): port"},
	} {
		t.Run(name, func(t *testing.T) {
			app := newApp("demo", 8080, func(a *config.App) { a.MaxRetries, a.StartTimeout = 3, 30*time.Second })
			run(t, plan(app), func(r *rig) {
				r.alone("demo")
				r.forget()
				r.always("demo", c.does)
				restart := r.do(control.VerbRestart, "demo").gives(control.ResultFailed)
				result := restart.results["demo"]
				if !strings.Contains(result.Error, c.why) {
					t.Errorf("it failed because %q, not %q", result.Error, c.why)
				}
				if got := fmt.Sprint(result.Output); got != "[last words of demo/4]" {
					t.Errorf("output: %s", got)
				}
				if steps := strings.Join(restart.steps, "\n"); !strings.Contains(steps, "try 3 of 3 failed") {
					t.Errorf("steps:\n%s", steps)
				}
				if n := r.alone("demo"); n != 1 {
					t.Errorf("instance %d serves", n)
				}
				status := r.status("demo")
				if !strings.Contains(status.LastError, c.why) {
					t.Errorf("last error %q", status.LastError)
				}
				r.pass(time.Hour)
				if n := len(r.living("demo")); n != 1 || r.count("signal demo/1") > 0 {
					t.Errorf("the old instance does not go on:\n%s", r.tale())
				}
			})
		})
	}
}

// TestPausesGrow: each try comes later after the one before.
func TestPausesGrow(t *testing.T) {
	app := newApp("demo", 8080, func(a *config.App) { a.MaxRetries = 8 })
	prepare := func(r *rig) { r.always("demo", behaviour{startErr: errors.New("no")}) }
	runWith(t, plan(app), prepare, func(r *rig) {
		var tries []time.Time
		r.await("failure", func() bool {
			if n := r.count("log WARN app did not start"); n > len(tries) {
				tries = append(tries, time.Now())
			}
			return r.status("demo").State == "failed"
		})
		if len(tries) != 8 {
			t.Fatalf("%d tries, not 8", len(tries))
		}
		for n := 2; n < len(tries); n++ {
			now, before := tries[n].Sub(tries[n-1]), tries[n-1].Sub(tries[n-2])
			if now <= before {
				t.Errorf("pause %d is %s, the one before %s", n, now, before)
			}
		}
	})
}

// TestFailedAppIsTriedAgain: requests are answered at once while it is failed,
// wait while it is tried, and it comes up without anybody asking.
func TestFailedAppIsTriedAgain(t *testing.T) {
	app := newApp("demo", 8080, func(a *config.App) { a.MaxRetries = 2 })
	broken := behaviour{startErr: errors.New("no")}
	prepare := func(r *rig) { r.always("demo", broken) }
	runWith(t, plan(app), prepare, func(r *rig) {
		r.reaches("demo", "failed")
		w := r.worker(1)
		if got := w.route("demo").Disposition; got != wire.Unavailable {
			t.Errorf("failed, it is %s", got)
		}
		r.pass(59 * time.Second)
		if n := r.count("log WARN app did not start"); n != 2 {
			t.Errorf("tried %d times within the interval", n)
		}
		r.always("demo", behaviour{readyAfter: time.Second})
		r.pass(1500 * time.Millisecond)
		if got := w.route("demo").Disposition; got != wire.Holding {
			t.Errorf("being tried, it is %s:\n%s", got, r.tale())
		}
		r.alone("demo")
		if got := w.route("demo").Disposition; got != wire.Serving {
			t.Errorf("serving, it is %s", got)
		}
	})
}

// TestStartTimeoutKills: it bounds being cloned, launched and ready together.
func TestStartTimeoutKills(t *testing.T) {
	app := newApp("demo", 8080, func(a *config.App) { a.MaxRetries, a.StartTimeout = 1, 10*time.Second })
	for name, does := range map[string]behaviour{
		"while it is cloned": {cloneTakes: time.Minute},
		"when it is late":    {cloneTakes: 6 * time.Second, readyAfter: 6 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			prepare := func(r *rig) { r.behave("demo", does) }
			runWith(t, plan(app), prepare, func(r *rig) {
				began := time.Now()
				r.reaches("demo", "failed")
				if took := time.Since(began).Round(time.Second); took != 10*time.Second {
					t.Errorf("failed after %s", took)
				}
				r.await("the end", func() bool { return r.count("kill demo/1") > 0 && len(r.living("demo")) == 0 })
			})
		})
	}
}

// TestNoFreePort: it is a failed try with a clear reason, and no port is lost.
func TestNoFreePort(t *testing.T) {
	p := plan(newApp("a", 8080), newApp("b", 8081))
	p.Ports = config.PortRange{From: 10000, To: 10000}
	p.ParallelRestarts = 1
	runWith(t, p, func(*rig) {}, func(r *rig) {
		r.alone("a")
		r.reaches("b", "failed")
		if why := r.status("b").LastError; !strings.Contains(why, "no free port in 10000-10000") {
			t.Errorf("last error %q", why)
		}
		r.do(control.VerbStop, "a").gives(control.ResultDone)
		r.do(control.VerbStart, "b").gives(control.ResultDone)
	})
}

// TestExternalPortIsNoInternalOne: not even before it is bound.
func TestExternalPortIsNoInternalOne(t *testing.T) {
	p := plan(newApp("a", 10000), newApp("b", 10001))
	prepare := func(r *rig) { r.binding = time.Minute }
	runWith(t, p, prepare, func(r *rig) {
		r.alone("a")
		r.alone("b")
		if r.count("log WARN app did not start") > 0 {
			t.Errorf("it was a failed try:\n%s", r.tale())
		}
		for _, name := range []string{"a/1", "b/1"} {
			if port := r.process(name).port; port < 10002 {
				t.Errorf("%s has port %d", name, port)
			}
		}
	})
}

func TestInternalHostThatIsNotFound(t *testing.T) {
	app := newApp("demo", 8080, func(a *config.App) { a.MaxRetries = 2 })
	prepare := func(r *rig) { r.lookupErr = errors.New("no such host") }
	runWith(t, plan(app), prepare, func(r *rig) {
		r.reaches("demo", "failed")
		if why := r.status("demo").LastError; !strings.Contains(why, "no such host") {
			t.Errorf("last error %q", why)
		}
		r.await("their end", func() bool { return len(r.living("demo")) == 0 })
	})
}

// TestOwnerSeenLate: an owner that is found at the second look is no failure.
func TestOwnerSeenLate(t *testing.T) {
	prepare := func(r *rig) { r.behave("demo", behaviour{ownerless: 3}) }
	runWith(t, plan(newApp("demo", 8080)), prepare, func(r *rig) {
		if n := r.alone("demo"); n != 1 {
			t.Errorf("instance %d serves", n)
		}
	})
}
