package supervisor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"gracevisor/internal/config"
	"gracevisor/internal/control"
)

// heard are the notices since the last call, but for changes, in short.
func (r *rig) heard() []string { return r.heardFrom(r.life) }

// heardFrom are those of a supervisor that may be over.
func (r *rig) heardFrom(l *life) (all []string) {
	r.t.Helper()
	r.settle()
	now, cancel := context.WithCancel(context.Background())
	cancel()
	taken, err := l.watch.Next(now)
	if err != nil && !errors.Is(err, context.Canceled) {
		r.t.Fatal(err)
	}
	for _, n := range taken {
		switch n.Kind {
		case control.NoticeJobNew:
			all = append(all, fmt.Sprintf("new %d %s %s", n.Job.ID, n.Job.Verb, n.Job.App))
		case control.NoticeJobRemoved:
			all = append(all, fmt.Sprintf("removed %d %s %s %s", n.Job.ID, n.Job.Verb, n.Job.App, n.Result))
		case control.NoticeReloading:
			all = append(all, fmt.Sprintf("reloading %v", *n.Reloading))
		case control.NoticeAppNew, control.NoticeAppRemoved:
			all = append(all, string(n.Kind)+" "+n.App)
		}
	}
	return all
}

func (r *rig) hears(want ...string) {
	r.t.Helper()
	if got := r.heard(); !slices.Equal(got, want) {
		r.t.Fatalf("heard %q, want %q\n%s", got, want, r.tale())
	}
}

// jobs are those under way, in short.
func (r *rig) jobs() (all []string) {
	r.t.Helper()
	list, err := r.s.Jobs(context.Background())
	if err != nil {
		r.t.Fatal(err)
	}
	for _, j := range list {
		all = append(all, fmt.Sprintf("%d %s %s %s", j.ID, j.Verb, j.App, j.State))
	}
	return all
}

func (r *rig) hasJobs(want ...string) {
	r.t.Helper()
	if got := r.jobs(); !slices.Equal(got, want) {
		r.t.Fatalf("jobs %q, want %q\n%s", got, want, r.tale())
	}
}

func (r *rig) cancelJob(id uint32) control.Code {
	r.t.Helper()
	err := r.s.CancelJob(context.Background(), id, "test")
	if err == nil {
		return ""
	}
	e, ok := errors.AsType[*control.Error](err)
	if !ok {
		r.t.Fatal(err)
	}
	return e.Code
}

func TestJobsAreToldFromBeginToEnd(t *testing.T) {
	run(t, plan(newApp("demo", 8080)), func(r *rig) {
		r.alone("demo")
		r.hears("app-new demo")
		r.always("demo", behaviour{readyAfter: time.Second})
		restart := r.do(control.VerbRestart, "demo")
		r.hasJobs("1 restart demo running")
		r.do(control.VerbRestart, "demo").gives(control.ResultDone)
		restart.gives(control.ResultSuperseded)
		r.hears("new 1 restart demo", "new 2 restart demo", "removed 1 restart demo superseded", "removed 2 restart demo done")
		r.hasJobs()
		r.do(control.VerbStart, "demo").gives(control.ResultUnchanged)
		r.hears("new 3 start demo", "removed 3 start demo done")
	})
}

// TestJobOfTheWhole: a reload is a job, and so is what it does for each app.
func TestJobOfTheWhole(t *testing.T) {
	p := plan(newApp("a", 8080), newApp("b", 8081))
	run(t, p, func(r *rig) {
		r.alone("a")
		r.alone("b")
		r.heard()
		r.apply(control.VerbUpdate, p).wait()
		r.hears("reloading true", "new 1 update ", "removed 1 update  done", "reloading false")
		failing := plan(newApp("a", 8080, retries(1)), newApp("b", 8081), newApp("c", 8082))
		r.always("a", behaviour{startErr: errors.New("no")})
		r.apply(control.VerbReload, failing).wait()
		got := r.heard()
		for _, want := range []string{
			"app-new c", "new 2 reload ", "new 3 reload a", "new 4 reload b", "new 5 reload c",
			"removed 3 reload a failed", "removed 4 reload b done", "removed 5 reload c done", "removed 2 reload  failed",
		} {
			if !slices.Contains(got, want) {
				t.Errorf("no %q in %q", want, got)
			}
		}
		r.apply(control.VerbReload, p, "b").wait()
		r.hears("reloading true", "new 6 reload b", "removed 6 reload b done", "reloading false")
	})
}

func TestTimeoutIsAResultOfItsOwn(t *testing.T) {
	run(t, plan(newApp("demo", 8080, retries(1), startTimeout(time.Second))), func(r *rig) {
		r.alone("demo")
		r.heard()
		r.always("demo", behaviour{readyAfter: never})
		r.do(control.VerbRestart, "demo").gives(control.ResultFailed)
		r.hears("new 1 restart demo", "removed 1 restart demo timeout")
	})
}

func TestCancelOfARestartLeavesTheOldOne(t *testing.T) {
	run(t, plan(newApp("demo", 8080)), func(r *rig) {
		r.alone("demo")
		r.always("demo", behaviour{readyAfter: time.Hour})
		restart := r.do(control.VerbRestart, "demo")
		r.pass(time.Second)
		if code := r.cancelJob(1); code != "" {
			t.Fatal(code)
		}
		restart.gives(control.ResultCanceled)
		if n := r.alone("demo"); n != 1 {
			t.Errorf("instance %d serves", n)
		}
		if code := r.cancelJob(1); code != control.CodeJobCanceled {
			t.Errorf("a second time: %s", code)
		}
		if code := r.cancelJob(99); code != control.CodeNoSuchJob {
			t.Errorf("of none: %s", code)
		}
	})
}

// TestCancelOfAStart: the app is stopped again, and not for ever starting.
func TestCancelOfAStart(t *testing.T) {
	run(t, plan(newApp("demo", 8080)), func(r *rig) {
		r.alone("demo")
		r.do(control.VerbStop, "demo").gives(control.ResultDone)
		r.always("demo", behaviour{readyAfter: time.Hour})
		first, second := r.do(control.VerbStart, "demo"), r.do(control.VerbStart, "demo")
		r.pass(time.Second)
		r.cancelJob(3)
		second.gives(control.ResultCanceled)
		if first.over() || r.status("demo").State != "starting" {
			t.Fatalf("the other job is gone, too:\n%s", r.tale())
		}
		r.cancelJob(2)
		first.gives(control.ResultCanceled)
		r.reaches("demo", "stopped")
	})
}

// TestCancelInTheSwitch comes too late.
func TestCancelInTheSwitch(t *testing.T) {
	run(t, plan(newApp("demo", 8080)), func(r *rig) {
		w, restart := switching(r)
		if code := r.cancelJob(1); code != control.CodeUnsupported {
			t.Errorf("code %q", code)
		}
		w.speak()
		restart.gives(control.ResultDone)
	})
}

func TestCancelOfAReload(t *testing.T) {
	p := plan(newApp("a", 8080), newApp("b", 8081))
	run(t, p, func(r *rig) {
		r.alone("a")
		r.alone("b")
		r.always("a", behaviour{readyAfter: time.Hour})
		reload := r.apply(control.VerbReload, p)
		r.pass(time.Minute)
		r.hasJobs("1 reload  running", "2 reload a running")
		if code := r.cancelJob(1); code != "" {
			t.Fatal(code)
		}
		reload.wait()
		if got := r.heard(); !slices.Contains(got, "removed 1 reload  canceled") {
			t.Errorf("heard %q", got)
		}
	})
}

// TestCancelWhileTheOldOneIsIll: it is replaced all the same, some time later.
func TestCancelWhileTheOldOneIsIll(t *testing.T) {
	run(t, plan(newApp("demo", 8080, checked)), func(r *rig) {
		r.alone("demo")
		r.always("demo", behaviour{readyAfter: time.Hour})
		r.process("demo/1").feel(ailing)
		r.pass(10 * time.Second)
		restart := r.do(control.VerbRestart, "demo")
		r.pass(time.Second)
		r.always("demo", behaviour{})
		r.cancelJob(1)
		restart.gives(control.ResultCanceled)
		r.await("another one", func() bool { return r.alone("demo") > 1 })
	})
}

// TestCancelOfAStopDoesNotUndoIt: what was told to stop stops.
func TestCancelOfAStopDoesNotUndoIt(t *testing.T) {
	run(t, plan(newApp("demo", 8080)), func(r *rig) {
		r.alone("demo")
		w := r.worker(1)
		w.request("demo")
		stop := r.do(control.VerbStop, "demo")
		r.pass(time.Second)
		r.cancelJob(1)
		stop.gives(control.ResultCanceled)
		w.answered("demo/1")
		r.reaches("demo", "stopped")
	})
}

// TestJobsOutliveTheDaemon: whoever waits for one hears its end from the
// successor, whichever way that took over.
func TestJobsOutliveTheDaemon(t *testing.T) {
	p := plan(newApp("a", 8080), newApp("b", 8081))
	eachWay(t, p, func(r *rig, takeOver func()) {
		r.alone("a")
		r.alone("b")
		w := r.worker(1)
		w.request("b")
		r.always("a", behaviour{readyAfter: 10 * time.Second})
		r.do(control.VerbStop, "b")
		r.apply(control.VerbReload, plan(newApp("a", 8080), newApp("b", 8081)))
		r.pass(time.Second)
		before := r.jobs()
		takeOver()
		r.pass(time.Second)
		r.hasJobs(before...)
		r.pass(time.Minute)
		w.answered("b/1")
		r.pass(time.Minute)
		r.hasJobs()
		got := r.heard()
		for _, want := range []string{"removed 1 stop b done", "removed 3 reload a done", "removed 2 reload  done", "reloading false"} {
			if !slices.Contains(got, want) {
				r.t.Errorf("no %q in %q\n%s", want, got, r.tale())
			}
		}
		r.do(control.VerbStart, "b").gives(control.ResultDone)
		if got := r.heard(); !slices.Contains(got, "removed 4 start b done") {
			r.t.Errorf("the next job has not the next number: %q", got)
		}
	})
}

// TestCancelAfterATakeOver calls the attempt off as if nothing had been.
func TestCancelAfterATakeOver(t *testing.T) {
	eachWay(t, plan(newApp("demo", 8080)), func(r *rig, takeOver func()) {
		r.alone("demo")
		r.always("demo", behaviour{readyAfter: time.Hour})
		r.do(control.VerbRestart, "demo")
		r.pass(time.Second)
		takeOver()
		r.pass(time.Second)
		if code := r.cancelJob(1); code != "" {
			r.t.Fatal(code)
		}
		if n := r.alone("demo"); n != 1 {
			r.t.Errorf("instance %d serves", n)
		}
	})
}

// TestReexecIsAJob that the successor ends, or the failure.
func TestReexecIsAJob(t *testing.T) {
	run(t, plan(newApp("demo", 8080)), func(r *rig) {
		r.alone("demo")
		r.heard()
		begun, _, err := r.s.BeginReexec(context.Background(), control.Request{Verb: control.VerbReexec})
		if err != nil || len(begun.Jobs) != 1 {
			t.Fatalf("%+v: %v", begun, err)
		}
		if code := r.cancelJob(1); code != control.CodeUnsupported {
			t.Errorf("canceled: %q", code)
		}
		r.hears("new 1 reexec ")
		r.exec()
		r.hears("removed 1 reexec  done")
		_, failed, err := r.s.BeginReexec(context.Background(), control.Request{Verb: control.VerbReexec})
		if err != nil {
			t.Fatal(err)
		}
		failed(errors.New("no such file"))
		r.hears("new 2 reexec ", "removed 2 reexec  failed")
	})
}

// TestEndIsToldAgainAfterACrash: the daemon may have died before it came to it.
func TestEndIsToldAgainAfterACrash(t *testing.T) {
	run(t, plan(newApp("demo", 8080)), func(r *rig) {
		r.alone("demo")
		r.do(control.VerbRestart, "demo").gives(control.ResultDone)
		r.crash()
		r.hears("removed 1 restart demo done")
		r.exec() // before which all is told
		r.hears()
		r.pass(time.Minute)
		r.crash()
		r.hears()
	})
}

func retries(n int) func(*config.App) { return func(a *config.App) { a.MaxRetries = n } }

func startTimeout(d time.Duration) func(*config.App) {
	return func(a *config.App) { a.StartTimeout = d }
}
