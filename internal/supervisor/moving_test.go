package supervisor

import (
	"slices"
	"testing"
	"time"

	"gracevisor/internal/control"
)

// TestWorkersAreTied: a worker that a newer one takes over from is told to give
// it its connections, before it is told to drain.
func TestWorkersAreTied(t *testing.T) {
	run(t, plan(newApp("demo", 8080)), func(r *rig) {
		r.alone("demo")
		w := r.worker(1)
		w.request("demo")
		next := r.secondWorker()
		r.await("the first one to drain", w.isDraining)
		if w.heir != 2 || !slices.Equal(next.takesFrom, []uint64{1}) {
			t.Errorf("1 moves to %d, 2 takes over from %v", w.heir, next.takesFrom)
		}
		if r.move(w, "demo/1") != next {
			t.Error("it can not move")
		}
	})
}

// TestOldWorkerIsNotAsked: one that does not know how to move is told nothing
// that it does not understand, and drains.
func TestOldWorkerIsNotAsked(t *testing.T) {
	prepare := func(r *rig) { r.oldWorkers = 1 }
	runWith(t, plan(newApp("demo", 8080)), prepare, func(r *rig) {
		r.alone("demo")
		w := r.worker(1)
		next := r.secondWorker()
		r.await("the first one to drain", w.isDraining)
		if w.heir != 0 || len(next.takesFrom) > 0 {
			t.Errorf("1 moves to %d, 2 takes over from %v", w.heir, next.takesFrom)
		}
	})
}

// TestMovedTunnelKeepsItsInstance: an instance is not stopped as long as a tunnel
// of it lives, in whichever worker: not even if the new worker has said, before it
// got it, that it has none.
func TestMovedTunnelKeepsItsInstance(t *testing.T) {
	test := func(r *rig, between func()) {
		r.alone("demo")
		w := r.worker(1)
		w.request("demo")
		next := r.secondWorker()
		r.await("the first one to drain", w.isDraining)
		r.do(control.VerbRestart, "demo").gives(control.ResultDone)
		r.await("the word of the new worker", func() bool { return r.count("drained demo/1 at worker 2") > 0 })
		between()
		if r.move(w, "demo/1") != next {
			r.t.Fatalf("it can not move\n%s", r.tale())
		}
		r.pass(time.Minute)
		if r.count("signal demo/1") > 0 {
			r.t.Fatalf("stopped with a tunnel:\n%s", r.tale())
		}
		w.die()
		r.pass(time.Minute)
		if r.count("signal demo/1") > 0 {
			r.t.Fatalf("stopped with a tunnel:\n%s", r.tale())
		}
		next.answered("demo/1")
		r.await("its end", func() bool { return len(r.living("demo")) == 1 })
	}
	t.Run("alone", func(t *testing.T) {
		run(t, plan(newApp("demo", 8080)), func(r *rig) { test(r, func() {}) })
	})
	eachWay(t, plan(newApp("demo", 8080)), func(r *rig, takeOver func()) {
		test(r, func() { takeOver(); r.pass(time.Second) })
	})
}

// TestDeathAfterAMove: the worker that dies may have given a tunnel to its heir,
// and not have come to say that it has none itself.
func TestDeathAfterAMove(t *testing.T) {
	run(t, plan(newApp("demo", 8080)), func(r *rig) {
		r.alone("demo")
		w := r.worker(1)
		w.request("demo")
		w.request("demo")
		next := r.secondWorker()
		r.await("the first one to drain", w.isDraining)
		r.do(control.VerbRestart, "demo").gives(control.ResultDone)
		r.await("the word of the new worker", func() bool { return r.count("drained demo/1 at worker 2") > 0 })
		if r.move(w, "demo/1") != next {
			t.Fatal("it can not move")
		}
		w.die()
		r.pass(time.Minute)
		if r.count("signal demo/1") > 0 {
			t.Fatalf("stopped with a tunnel:\n%s", r.tale())
		}
		next.answered("demo/1")
		r.await("its end", func() bool { return len(r.living("demo")) == 1 })
	})
}

// TestHeirDies: the next worker inherits from all that still drain.
func TestHeirDies(t *testing.T) {
	eachWay(t, plan(newApp("demo", 8080)), func(r *rig, takeOver func()) {
		r.alone("demo")
		w := r.worker(1)
		w.request("demo")
		second := r.secondWorker()
		r.await("the first one to drain", w.isDraining)
		second.die()
		third := r.worker(3)
		r.await("another heir", func() bool { return r.heirOf(w) == 3 })
		takeOver() // whether both were told nobody knows
		r.await("to be told again", func() bool { return r.count("worker 1 moves to 3") == 2 })
		if r.move(w, "demo/1") != third {
			r.t.Error("it can not move")
		}
	})
}

func (r *rig) heirOf(w *fakeWorker) uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.heir
}

// TestCountersOutliveWorkers: what a worker has counted is not lost with it, nor
// with the supervisor.
func TestCountersOutliveWorkers(t *testing.T) {
	eachWay(t, plan(newApp("demo", 8080)), func(r *rig, takeOver func()) {
		r.alone("demo")
		for generation := uint64(1); generation <= 3; generation++ {
			w := r.worker(generation)
			w.counts("demo", 10)
			r.settle()
			if got := r.status("demo"); got.Requests != 10*generation || got.Instances[0].Requests != 10*generation || got.Connections != 5 {
				r.t.Errorf("%d requests, %d of the instance, %d connections", got.Requests, got.Instances[0].Requests, got.Connections)
			}
			w.die()
			r.worker(generation + 1)
			takeOver()
		}
		if got := r.status("demo"); got.Requests != 30 || got.Connections != 0 {
			r.t.Errorf("%d requests, %d connections", got.Requests, got.Connections)
		}
	})
}

// TestWorkerList tells who holds what.
func TestWorkerList(t *testing.T) {
	run(t, plan(newApp("demo", 8080), newApp("other", 8081)), func(r *rig) {
		r.alone("demo")
		r.worker(1).counts("demo", 10)
		r.settle()
		list, err := r.s.Workers(r.t.Context())
		want := []control.WorkerApp{{Name: "demo", Idle: 1, Waiting: 1, Requests: 1, Tunnels: 1, TCP: 1}}
		if err != nil || len(list) != 1 || !slices.Equal(list[0].Apps, want) || list[0].MovedIn != 3 || list[0].MovedOut != 2 {
			t.Errorf("got %+v, %v", list, err)
		}
		status, err := r.s.Status(r.t.Context(), nil)
		if err != nil || status.Workers[0].Apps != nil || status.Workers[0].MovedIn != 3 {
			t.Errorf("got %+v, %v", status.Workers, err)
		}
	})
}
