package supervisor

import (
	"errors"
	"testing"
	"time"

	"gracevisor/internal/config"
	"gracevisor/internal/control"
	"gracevisor/internal/wire"
)

// ways are how a supervisor may give way to another.
var ways = map[string]func(*rig){"exec": (*rig).exec, "crash": (*rig).crash}

// eachWay runs a test for each of them.
func eachWay(t *testing.T, p *config.Plan, test func(r *rig, takeOver func())) {
	t.Helper()
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			run(t, p, func(r *rig) { test(r, func() { way(r) }) })
		})
	}
}

// TestTakeOver: apps, worker, listeners and requests in flight are what they
// were, again and again.
func TestTakeOver(t *testing.T) {
	eachWay(t, plan(newApp("demo", 8080), newApp("other", 8081, checked)), func(r *rig, takeOver func()) {
		r.alone("demo")
		r.alone("other")
		w := r.worker(1)
		w.request("demo")
		since := r.status("demo").Instances[0].Since
		for range 5 {
			takeOver()
			r.pass(time.Minute)
			status := r.status("demo")
			if status.State != "serving" || status.Instances[0].Number != 1 || !status.Instances[0].Since.Equal(since) {
				r.t.Fatalf("status %+v\n%s", status, r.tale())
			}
			if got := w.request("other"); got != "other/1" {
				r.t.Errorf("a request goes to %q", got)
			}
			w.answered("other/1")
		}
		if r.count("clone") != 2 || r.count("worker 1 ended") != 0 || r.count("signal")+r.count("kill") != 0 {
			r.t.Errorf("something was touched:\n%s", r.tale())
		}
		r.boundOnce("127.0.0.1:8080", "127.0.0.1:8081")
		r.do(control.VerbRestart, "demo").gives(control.ResultDone)
		r.pass(time.Minute)
		if r.count("signal") > 0 {
			r.t.Errorf("stopped with a request in flight:\n%s", r.tale())
		}
		w.answered("demo/1")
		if n := r.alone("demo"); n != 2 {
			r.t.Errorf("instance %d serves", n)
		}
		r.process("other/1").feel(mute)
		if r.pass(time.Second); r.alone("other") != 2 {
			r.t.Errorf("it is not checked any more:\n%s", r.tale())
		}
	})
}

// TestTakeOverByAnotherBuild: a worker of it is tried until one serves, and until
// then the old one does.
func TestTakeOverByAnotherBuild(t *testing.T) {
	eachWay(t, plan(newApp("demo", 8080)), func(r *rig, takeOver func()) {
		r.alone("demo")
		old := r.worker(1)
		r.failWorkers(true)
		r.build = "another"
		takeOver()
		r.pass(time.Minute)
		if n := r.count("log ERROR cannot start worker"); n < 20 || n > 200 {
			r.t.Errorf("tried %d times in a minute", n)
		}
		if got := old.request("demo"); got != "demo/1" || old.isDraining() {
			r.t.Errorf("a request goes to %q:\n%s", got, r.tale())
		}
		r.failWorkers(false)
		r.await("the old worker to drain", old.isDraining)
		old.answered("demo/1")
		r.pass(time.Minute)
		if n := len(r.allWorkers()); n != 2 {
			r.t.Errorf("%d workers were started:\n%s", n, r.tale())
		}
	})
}

// TestCrashesBesideAStartingWorker: whoever ends meanwhile, one worker is started.
func TestCrashesBesideAStartingWorker(t *testing.T) {
	eachWay(t, plan(newApp("demo", 8080)), func(r *rig, takeOver func()) {
		r.alone("demo")
		r.failWorkers(true)
		r.build = "another"
		takeOver()
		r.pass(time.Minute) // the next is due some time from now
		r.worker(1).die()
		r.failWorkers(false)
		r.pass(time.Minute)
		if n := len(r.allWorkers()); n != 2 {
			r.t.Errorf("%d workers were started:\n%s", n, r.tale())
		}
		r.alone("demo")
	})
}

// TestCrashBesideAWorkerThatIsNotReady: it gets a second, and no more, in which
// it may become so.
func TestCrashBesideAWorkerThatIsNotReady(t *testing.T) {
	eachWay(t, plan(newApp("demo", 8080)), func(r *rig, takeOver func()) {
		r.alone("demo")
		r.silence(2)
		r.build = "another"
		takeOver()
		r.await("a worker on its way", func() bool { return len(r.allWorkers()) == 2 })
		r.worker(1).die()
		r.pass(workerPatience / 2)
		if n := len(r.allWorkers()); n != 2 {
			r.t.Errorf("%d workers were started:\n%s", n, r.tale())
		}
		r.pass(workerPatience)
		if w := r.worker(3); w.request("demo") != "demo/1" {
			r.t.Errorf("worker 3 does not serve:\n%s", r.tale())
		}
		r.pass(time.Minute) // the one that never came is killed
		if n := len(r.allWorkers()); n != 3 {
			r.t.Errorf("%d workers were started:\n%s", n, r.tale())
		}
	})
}

// TestTakeOverInARestart: at each stage of it, requests go on, and it comes to
// its end.
func TestTakeOverInARestart(t *testing.T) {
	slow := behaviour{cloneTakes: time.Second, readyAfter: time.Second}
	eachWay(t, plan(newApp("demo", 8080)), func(r *rig, takeOver func()) {
		last := r.alone("demo")
		w := r.worker(1)
		for _, stage := range []time.Duration{0, 500, 999, 1000, 1001, 1500, 1999, 2000, 2001, 2500, 3000, 3500, 4000, 4500} {
			r.process(r.living("demo")[0]).does = behaviour{stopTakes: time.Second, lingers: time.Second}
			r.always("demo", slow)
			before := w.request("demo")
			r.do(control.VerbRestart, "demo")
			r.pass(stage * time.Millisecond)
			w.answered(before)
			takeOver()
			if w.request("demo") == "" {
				r.t.Fatalf("after %d ms no instance takes requests:\n%s", stage, r.tale())
			}
			r.pass(time.Minute)
			for name := range w.instancesInUse() {
				w.answered(name)
			}
			now := r.alone("demo")
			if now <= last {
				r.t.Fatalf("after %d ms instance %d serves:\n%s", stage, now, r.tale())
			}
			last = now
		}
	})
}

// TestTakeOverInTheSwitch: the new instance is ready, and no worker has said
// that it uses it.
func TestTakeOverInTheSwitch(t *testing.T) {
	eachWay(t, plan(newApp("demo", 8080)), func(r *rig, takeOver func()) {
		w, _ := switching(r)
		takeOver()
		r.pass(time.Second)
		if r.count("signal demo/1") > 0 {
			r.t.Fatalf("stopped before the switch was complete:\n%s", r.tale())
		}
		r.process("demo/2").end(exitOne) // the old one is there still
		w.speak()
		if taken := w.request("demo"); taken != "" {
			w.answered(taken)
		}
		if n := r.alone("demo"); n != 3 {
			r.t.Errorf("instance %d serves", n)
		}
	})
}

// TestTakeOverKeepsWhatIsWanted: stopped stays stopped, and failed is tried
// again when its time has come.
func TestTakeOverKeepsWhatIsWanted(t *testing.T) {
	eachWay(t, plan(newApp("a", 8080), newApp("b", 8081), newApp("c", 8082)), func(r *rig, takeOver func()) {
		r.alone("a")
		r.alone("b")
		r.alone("c")
		r.do(control.VerbStop, "a").gives(control.ResultDone)
		r.always("b", behaviour{startErr: errors.New("no")})
		r.process("b/1").end(exitOne)
		r.reaches("b", "failed")
		w := r.worker(1)
		w.request("c")
		r.apply(control.VerbUpdate, plan(newApp("a", 8080), newApp("b", 8081))).wait()
		takeOver()
		r.pass(time.Second)
		if state := r.status("a").State; state != "stopped" {
			r.t.Errorf("a is %s", state)
		}
		if state := r.status("b").State; state != "failed" {
			r.t.Errorf("b is %s", state)
		}
		if got := w.route("b").Disposition; got != wire.Unavailable {
			r.t.Errorf("requests for b are %s", got)
		}
		r.always("b", behaviour{})
		r.pass(time.Minute)
		r.alone("b")
		if r.count("signal c/1") > 0 {
			r.t.Errorf("c is stopped with a request in flight:\n%s", r.tale())
		}
		w.answered("c/1")
		r.await("the end of c", func() bool { return len(r.living("c")) == 0 })
	})
}

// TestTakeOverOfTheDead: what has ended while no supervisor was there.
func TestTakeOverOfTheDead(t *testing.T) {
	eachWay(t, plan(newApp("a", 8080), newApp("b", 8081)), func(r *rig, takeOver func()) {
		r.alone("a")
		r.alone("b")
		r.process("b/1").does.lingers = never
		w := r.worker(1)
		r.whileNobodyIsThere(takeOver, func() {
			r.process("a/1").end(exitOne)
			r.process("b/1").end(exitOne)
			w.die()
		})
		if n := r.alone("a"); n != 2 {
			r.t.Errorf("instance %d of a serves", n)
		}
		if n := r.alone("b"); n != 2 {
			r.t.Errorf("instance %d of b serves", n)
		}
		r.boundOnce("127.0.0.1:8080", "127.0.0.1:8081")
	})
}

// TestTakeOverOfTheSick: it is replaced all the same, when its time has come.
func TestTakeOverOfTheSick(t *testing.T) {
	for name, ill := range map[string]health{"sick": ailing, "silent": mute} {
		t.Run(name, func(t *testing.T) {
			eachWay(t, plan(newApp("demo", 8080, checked)), func(r *rig, takeOver func()) {
				r.alone("demo")
				r.always("demo", behaviour{startErr: errors.New("no")})
				r.process("demo/1").feel(ill)
				r.pass(30 * time.Second) // every try has failed
				r.always("demo", behaviour{})
				takeOver()
				r.await("another one", func() bool { return r.alone("demo") > 1 })
			})
		})
	}
}

// TestTakeOverOfAnAddressThatNobodyWants: a listener that the successor has no
// app for is closed, also when it has no app at all.
func TestTakeOverOfAnAddressThatNobodyWants(t *testing.T) {
	eachWay(t, plan(newApp("demo", 8080)), func(r *rig, takeOver func()) {
		r.alone("demo")
		w := r.worker(1)
		w.request("demo")
		r.apply(control.VerbUpdate, plan()).gives(control.ResultDone)
		takeOver()
		r.pass(time.Second)
		w.answered("demo/1")
		r.await("the end of demo", func() bool { return len(r.living("demo")) == 0 })
		r.settle()
		r.apply(control.VerbUpdate, plan(newApp("next", 8080))).gives(control.ResultDone)
		r.leadsTo("127.0.0.1:8080", "next")
	})
}
