package supervisor

import (
	"context"
	"fmt"
	"syscall"
	"testing"
	"time"

	"gracevisor/internal/config"
	"gracevisor/internal/control"
)

// ends waits until the supervisor has ended, and returns how long that took.
func (r *rig) ends() time.Duration {
	r.t.Helper()
	began := time.Now()
	select {
	case <-r.s.Ended():
	case <-time.After(patience):
		r.t.Fatalf("it does not end:\n%s", r.tale())
	}
	return time.Since(began).Round(time.Second)
}

func TestShutdownDrains(t *testing.T) {
	run(t, plan(newApp("a", 8080), newApp("b", 8081)), func(r *rig) {
		r.alone("a")
		r.alone("b")
		w := r.worker(1)
		w.request("a")
		r.s.Stop()
		r.pass(10 * time.Second)
		if r.count("signal a/1") > 0 || r.count("worker 1 ended") > 0 {
			t.Fatalf("a request is cut off:\n%s", r.tale())
		}
		if sockets, err := r.s.Sockets(context.Background()); err != nil || !w.isDraining() || len(sockets) > 0 {
			t.Errorf("new connections are not refused: %+v, %v", sockets, err)
		}
		if _, err := r.s.Operate(context.Background(), control.Request{Verb: control.VerbStart, Apps: []string{"b"}}); err == nil {
			t.Error("an app can be started")
		}
		w.answered("a/1")
		r.ends()
		r.inOrder("drained a/1", "signal a/1 SIGTERM", "empty a/1", "worker 1 ended")
		if _, err := r.s.Status(context.Background(), nil); err == nil {
			t.Error("an ended supervisor has a status")
		}
	})
}

func TestShutdownTimeout(t *testing.T) {
	run(t, plan(newApp("demo", 8080)), func(r *rig) {
		r.alone("demo")
		r.worker(1).request("demo")
		r.s.Stop()
		if took := r.ends(); took != time.Minute {
			t.Errorf("it took %s", took)
		}
		r.inOrder("kill demo/1", "worker 1 ended")
	})
}

func TestSecondStopIsAtOnce(t *testing.T) {
	run(t, plan(newApp("demo", 8080)), func(r *rig) {
		r.alone("demo")
		r.worker(1).request("demo")
		r.s.Stop()
		r.pass(10 * time.Second)
		r.s.Stop()
		if took := r.ends(); took != 0 {
			t.Errorf("it took %s", took)
		}
	})
}

// TestShutdownAtAnyTime: whatever is under way when it comes.
func TestShutdownAtAnyTime(t *testing.T) {
	type stage struct {
		demo      behaviour // of all its instances
		when      func(*rig)
		noWorkers bool
	}
	for name, at := range map[string]stage{
		"before there is a worker":   {when: func(*rig) {}},
		"while workers do not start": {when: func(r *rig) { r.pass(time.Minute) }, noWorkers: true},
		"while an app is cloned":     {demo: behaviour{cloneTakes: 10 * time.Second}, when: func(r *rig) { r.pass(time.Second) }},
		"while an app is not ready":  {demo: behaviour{readyAfter: never}, when: func(r *rig) { r.pass(time.Second) }},
		"when an app has failed":     {demo: behaviour{launchErr: context.Canceled}, when: func(r *rig) { r.reaches("demo", "failed") }},
		"in the switch":              {when: func(r *rig) { switching(r) }},
		"while a worker is deaf":     {when: func(r *rig) { r.alone("demo"); r.worker(1).hang(true) }},
		"when a worker has died":     {when: func(r *rig) { r.alone("demo"); r.worker(1).die() }},
	} {
		t.Run(name, func(t *testing.T) {
			prepare := func(r *rig) { r.always("demo", at.demo); r.failWorkers(at.noWorkers) }
			runWith(t, plan(newApp("demo", 8080)), prepare, func(r *rig) {
				at.when(r)
				r.s.Stop()
				r.ends()
			})
		})
	}
}

// TestShutdownEndsOperations: each has its result before Run returns.
func TestShutdownEndsOperations(t *testing.T) {
	run(t, plan(newApp("a", 8080), newApp("b", 8081), newApp("c", 8082), newApp("d", 8083)), func(r *rig) {
		for _, app := range []string{"a", "b", "c", "d"} {
			r.alone(app)
		}
		w := r.worker(1)
		for _, app := range []string{"b", "c"} {
			w.request(app)
		}
		r.always("a", behaviour{readyAfter: time.Hour})
		restart := r.do(control.VerbRestart, "a")
		drained := r.operate(control.Request{Verb: control.VerbRestart, Apps: []string{"b"}, Drained: true})
		stop := r.do(control.VerbStop, "c")
		r.pass(time.Second)
		w.hang(true)
		rest := plan(newApp("a", 8080), newApp("b", 8081), newApp("c", 8082))
		update := r.apply(control.VerbUpdate, rest)
		r.s.Stop()
		r.ends()
		for _, f := range []*followed{restart, drained, stop, update} {
			f.wait()
		}
		if got := update.results["d"].Result; got != control.ResultDone {
			t.Errorf("the removal is %s", got)
		}
	})
}

// TestShutdownLeavesNoAccessLog: the log store waits for the end of these pipes.
func TestShutdownLeavesNoAccessLog(t *testing.T) {
	app := newApp("demo", 8080, func(a *config.App) { a.Traffic.AccessLog = "json" })
	run(t, plan(app), func(r *rig) {
		r.alone("demo")
		if w := r.worker(1); !w.holds("access:demo") {
			t.Error("the worker has no access log")
		}
	})
}

// TestWorkerThatLeavesAtAStop: it may go while it is still being sent something,
// which is no error.
func TestWorkerThatLeavesAtAStop(t *testing.T) {
	run(t, plan(newApp("demo", 8080)), func(r *rig) {
		r.alone("demo")
		r.worker(1).request("demo")
		r.s.Stop()
		r.settle()
		r.look(func(s *Supervisor) { s.workerHungUp(s.workers[1], fmt.Errorf("send: %w", syscall.ECONNRESET)) })
		r.ends()
		if n := r.count("log ERROR"); n > 0 {
			t.Errorf("%d errors are told:\n%s", n, r.tale())
		}
	})
}
