package supervisor

import (
	"testing"
	"time"

	"gracevisor/internal/config"
	"gracevisor/internal/control"
	"gracevisor/internal/wire"
)

// clocks sets the bounds of an app.
func clocks(drain, stop time.Duration) func(*config.App) {
	return func(a *config.App) { a.DrainTimeout, a.StopTimeout = drain, stop }
}

// mayCutOff says that an instance of an app may be stopped although it has
// requests.
func (r *rig) mayCutOff(app string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cutOff[app] = true
}

func TestDrainTimeout(t *testing.T) {
	run(t, plan(newApp("demo", 8080, clocks(time.Minute, 0))), func(r *rig) {
		r.mayCutOff("demo")
		r.alone("demo")
		r.worker(1).request("demo")
		r.do(control.VerbRestart, "demo").gives(control.ResultDone)
		r.pass(59 * time.Second)
		if r.count("signal") > 0 {
			t.Fatalf("stopped too soon:\n%s", r.tale())
		}
		r.pass(2 * time.Second)
		if r.count("signal demo/1 SIGTERM") != 1 {
			t.Fatalf("not stopped:\n%s", r.tale())
		}
		if n := r.alone("demo"); n != 2 {
			t.Errorf("instance %d serves", n)
		}
	})
}

// TestDrainTimeoutBeginsWithTheSwitch: as long as a worker may still send
// requests to the old instance, it is not stopped, whatever the time.
func TestDrainTimeoutBeginsWithTheSwitch(t *testing.T) {
	run(t, plan(newApp("demo", 8080, clocks(time.Second, 0))), func(r *rig) {
		r.mayCutOff("demo")
		w, restart := switching(r)
		r.pass(5 * time.Second)
		if r.count("signal demo/1") > 0 {
			t.Fatalf("stopped before the switch was complete:\n%s", r.tale())
		}
		w.speak()
		restart.gives(control.ResultDone)
		r.alone("demo")
	})
}

func TestStopTimeout(t *testing.T) {
	run(t, plan(newApp("demo", 8080, clocks(0, 10*time.Second))), func(r *rig) {
		r.alone("demo")
		r.process("demo/1").does.stopTakes = never
		r.do(control.VerbRestart, "demo").gives(control.ResultDone)
		r.pass(9 * time.Second)
		if r.count("kill") > 0 {
			t.Fatalf("killed too soon:\n%s", r.tale())
		}
		r.pass(2 * time.Second)
		r.inOrder("signal demo/1 SIGTERM", "kill demo/1", "exit demo/1")
		r.alone("demo")
	})
}

// TestLeftoversAreKilled: what the main process leaves behind is bounded even
// without stop_timeout.
func TestLeftoversAreKilled(t *testing.T) {
	run(t, plan(newApp("demo", 8080)), func(r *rig) {
		r.alone("demo")
		r.process("demo/1").does.lingers = never
		r.do(control.VerbRestart, "demo").gives(control.ResultDone)
		r.pass(leftoversTimeout - time.Second)
		if r.count("empty demo/1") > 0 {
			t.Fatalf("killed too soon:\n%s", r.tale())
		}
		r.look(func(s *Supervisor) {
			for range 200 {
				if port, err := s.ports.Take(); err == nil && port == r.process("demo/1").port {
					t.Errorf("its port %d is given away", port)
				}
			}
		})
		r.pass(2 * time.Second)
		r.inOrder("exit demo/1", "kill demo/1", "empty demo/1")
		r.alone("demo")
	})
}

// TestMaxDraining: beyond it the oldest is stopped.
func TestMaxDraining(t *testing.T) {
	run(t, plan(newApp("demo", 8080, func(a *config.App) { a.MaxDraining = 2 })), func(r *rig) {
		r.mayCutOff("demo")
		r.alone("demo")
		w := r.worker(1)
		for range 2 {
			w.request("demo")
			r.do(control.VerbRestart, "demo").gives(control.ResultDone)
		}
		r.pass(time.Hour)
		if r.count("signal") > 0 {
			t.Fatalf("two may drain:\n%s", r.tale())
		}
		w.request("demo")
		r.do(control.VerbRestart, "demo").gives(control.ResultDone)
		r.pass(time.Second)
		if r.count("signal") != 1 || r.count("signal demo/1 SIGTERM") != 1 {
			t.Fatalf("the oldest is not stopped:\n%s", r.tale())
		}
		w.answered("demo/2")
		w.answered("demo/3")
		if n := r.alone("demo"); n != 4 {
			t.Errorf("instance %d serves", n)
		}
	})
}

// TestWaitForDrained: the operation lasts until the instances that were replaced
// have gone, and no longer: not until later ones have.
func TestWaitForDrained(t *testing.T) {
	run(t, plan(newApp("demo", 8080)), func(r *rig) {
		r.alone("demo")
		w := r.worker(1)
		w.request("demo")
		first := r.operate(control.Request{Verb: control.VerbRestart, Apps: []string{"demo"}, Drained: true})
		r.await("the switch", func() bool { return w.request("demo") == "demo/2" })
		r.pass(time.Minute)
		if first.over() {
			t.Fatalf("over before the old instance has gone:\n%s", r.tale())
		}
		second := r.operate(control.Request{Verb: control.VerbRestart, Apps: []string{"demo"}, Drained: true})
		r.await("the switch", func() bool { return r.count("launched demo/3") == 1 })
		w.answered("demo/1")
		first.gives(control.ResultDone)
		if second.over() {
			t.Fatalf("over before demo/2 has gone:\n%s", r.tale())
		}
		w.answered("demo/2")
		second.gives(control.ResultDone)
		r.alone("demo")
	})
}

// TestWaitForDrainedAndStop: the stop supersedes it.
func TestWaitForDrainedAndStop(t *testing.T) {
	run(t, plan(newApp("demo", 8080)), func(r *rig) {
		r.alone("demo")
		w := r.worker(1)
		w.request("demo")
		restart := r.operate(control.Request{Verb: control.VerbRestart, Apps: []string{"demo"}, Drained: true})
		r.await("the switch", func() bool { return w.request("demo") == "demo/2" })
		w.answered("demo/2")
		stop := r.do(control.VerbStop, "demo")
		restart.gives(control.ResultSuperseded)
		w.answered("demo/1")
		stop.gives(control.ResultDone)
	})
}

// TestCrashWhileDraining: nothing is replaced, it only goes.
func TestCrashWhileDraining(t *testing.T) {
	run(t, plan(newApp("demo", 8080)), func(r *rig) {
		r.alone("demo")
		r.worker(1).request("demo")
		r.do(control.VerbRestart, "demo").gives(control.ResultDone)
		r.process("demo/1").end(exitOne)
		if n := r.alone("demo"); n != 2 {
			t.Errorf("instance %d serves", n)
		}
		if n := r.count("clone"); n != 2 {
			t.Errorf("%d were started", n)
		}
	})
}

// TestStaleWord: that an instance had no request under an earlier table says
// nothing about now.
func TestStaleWord(t *testing.T) {
	run(t, plan(newApp("demo", 8080)), func(r *rig) {
		r.alone("demo")
		w := r.worker(1)
		w.request("demo")
		r.always("demo", behaviour{readyAfter: 10 * time.Second})
		restart := r.do(control.VerbRestart, "demo")
		r.pass(5 * time.Second)
		w.outbox <- &wire.Drained{Instance: "demo/1", Revision: w.tableRevision()}
		restart.gives(control.ResultDone)
		r.pass(time.Minute)
		if r.count("signal demo/1") > 0 {
			t.Fatalf("stopped with a request in flight:\n%s", r.tale())
		}
		w.answered("demo/1")
		r.alone("demo")
	})
}
