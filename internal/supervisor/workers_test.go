package supervisor

import (
	"context"
	"fmt"
	"testing"
	"time"

	"gracevisor/internal/config"
	"gracevisor/internal/control"
	"gracevisor/internal/wire"
)

// TestWorkerIsReplacedAtOnce: with the same listeners and instances.
func TestWorkerIsReplacedAtOnce(t *testing.T) {
	run(t, plan(newApp("demo", 8080)), func(r *rig) {
		r.alone("demo")
		r.leadsTo("127.0.0.1:8080", "demo")
		r.pass(time.Minute)
		began := time.Now()
		r.worker(1).die()
		w := r.worker(2)
		if took := time.Since(began); took > 10*time.Millisecond {
			t.Errorf("it took %s", took)
		}
		if got := w.request("demo"); got != "demo/1" {
			t.Errorf("a request goes to %q", got)
		}
		r.boundOnce("127.0.0.1:8080")
		if n := r.count("clone"); n != 1 {
			t.Errorf("%d instances were started", n)
		}
	})
}

// TestWorkerCrashLoop: the pauses grow, but stay short.
func TestWorkerCrashLoop(t *testing.T) {
	run(t, plan(newApp("demo", 8080)), func(r *rig) {
		for generation := range uint64(20) {
			r.worker(generation + 1).die()
		}
		began := time.Now()
		r.worker(21)
		took := time.Since(began)
		if took < firstPause || took > longestWorkerPause+10*time.Millisecond {
			t.Errorf("after 20 crashes it took %s", took)
		}
		r.alone("demo")
	})
}

func TestWorkerThatDoesNotStart(t *testing.T) {
	prepare := func(r *rig) { r.failWorkers(true) }
	runWith(t, plan(newApp("demo", 8080)), prepare, func(r *rig) {
		r.pass(time.Minute)
		if n := r.count("log ERROR cannot start worker"); n < 20 || n > 200 {
			t.Errorf("tried %d times in a minute", n)
		}
		if state := r.status("demo").State; state != "starting" {
			t.Errorf("without a worker the app is %s", state)
		}
		r.failWorkers(false)
		r.alone("demo")
	})
}

// TestHungWorkerIsKilled: it does not hold up a switch for ever.
func TestHungWorkerIsKilled(t *testing.T) {
	run(t, plan(newApp("demo", 8080)), func(r *rig) {
		r.alone("demo")
		second := r.secondWorker()
		second.hang(true)
		r.do(control.VerbRestart, "demo").gives(control.ResultDone)
		r.inOrder("log ERROR worker does not answer", "worker 2 ended")
		r.alone("demo")
		r.pass(time.Hour)
		if r.count("worker 1 ended") > 0 {
			t.Errorf("the other one was killed too")
		}
	})
}

// TestWorkerMayBeSlow: a pause that is shorter than the patience is none of the
// supervisor's business.
func TestWorkerMayBeSlow(t *testing.T) {
	run(t, plan(newApp("demo", 8080)), func(r *rig) {
		r.alone("demo")
		w := r.worker(1)
		for range 10 {
			w.hang(true)
			r.pass(8 * time.Second)
			w.hang(false)
			r.pass(2 * time.Second)
		}
		if r.count("worker 1 ended") > 0 {
			t.Errorf("it was killed:\n%s", r.tale())
		}
	})
}

// TestWorkerSaysWhatItMayNot: it is taken for broken.
func TestWorkerSaysWhatItMayNot(t *testing.T) {
	run(t, plan(newApp("demo", 8080)), func(r *rig) {
		r.alone("demo")
		r.worker(1).outbox <- &wire.TableOrder{Revision: 1}
		r.worker(2)
		r.inOrder("log ERROR worker says what only a supervisor may", "worker 1 ended")
	})
}

// TestWorkerSaysNonsense: what it claims of things that are not there, or not
// so, changes nothing.
func TestWorkerSaysNonsense(t *testing.T) {
	run(t, plan(newApp("demo", 8080)), func(r *rig) {
		r.alone("demo")
		w := r.worker(1)
		w.request("demo")
		w.outbox <- &wire.Ready{}
		for _, name := range []string{"", "/", "demo", "demo/", "demo/2", "nosuch/1", "demo/1/1"} {
			w.outbox <- &wire.Drained{Instance: name, Revision: 1 << 40}
			w.outbox <- &wire.ProbeResult{Instance: name, Verdict: wire.Dead}
		}
		w.outbox <- &wire.Ack{Revision: 1 << 40}
		w.outbox <- &wire.Ack{Revision: 0}
		for part := range 3 * maxCounterParts {
			w.outbox <- &wire.Counters{Part: part - maxCounterParts}
		}
		r.settle()
		r.look(func(s *Supervisor) {
			if n := len(s.workers[1].counters); n > maxCounterParts {
				t.Errorf("%d parts of counters are kept", n)
			}
		})
		restart := r.do(control.VerbRestart, "demo").gives(control.ResultDone)
		r.pass(time.Minute)
		if r.count("signal demo/1") > 0 || len(restart.results) != 1 {
			t.Errorf("stopped with a request in flight:\n%s", r.tale())
		}
		w.answered("demo/1")
		r.alone("demo")
	})
}

// TestBurstCostsTwoTables: what happens while one table is out goes into the
// next.
func TestBurstCostsTwoTables(t *testing.T) {
	var apps []*config.App
	for n := range 50 {
		apps = append(apps, newApp(fmt.Sprintf("app%d", n), 8080+n))
	}
	p := plan(apps...)
	p.ParallelRestarts = 50
	run(t, p, func(r *rig) {
		for _, a := range apps {
			r.alone(a.Name)
		}
		w := r.worker(1)
		r.forget()
		w.hang(true)
		for _, a := range apps {
			r.process(a.Name + "/1").end(exitOne)
		}
		r.pass(5 * time.Second)
		w.hang(false)
		for _, a := range apps {
			r.alone(a.Name)
		}
		if n := r.count("table at"); n > 20 {
			t.Errorf("%d tables were sent for 50 crashes", n)
		}
	})
}

// TestEveryWorkerIsToldToProbeNoMore: also one that has no table yet.
func TestEveryWorkerIsToldToProbeNoMore(t *testing.T) {
	run(t, plan(newApp("demo", 8080, checked)), func(r *rig) {
		w, _ := switching(r) // its table is not acknowledged, so no other goes out
		r.s.post(anotherWorker{})
		r.await("worker 2", func() bool { return len(r.allWorkers()) == 2 && r.allWorkers()[1].probing("demo/2") })
		r.process("demo/2").end(exitOne)
		r.pass(time.Second)
		if second := r.allWorkers()[1]; second.hasTable() || second.probing("demo/2") {
			t.Errorf("it goes on probing demo/2:\n%s", r.tale())
		}
		w.speak()
		r.alone("demo")
	})
}

func TestStatusOfWorkers(t *testing.T) {
	run(t, plan(newApp("demo", 8080)), func(r *rig) {
		r.alone("demo")
		r.secondWorker()
		for _, w := range r.livingWorkers() {
			w.outbox <- &wire.Counters{Connections: 3, Apps: []wire.AppCounters{{
				Name: "demo", Connections: 3, Requests: 5, Status: [5]uint64{0, 4, 0, 0, 1},
				LatencyBuckets: []uint64{5}, Instances: []wire.InstanceCounters{{
					ID: "demo/1", InFlight: 2, Requests: 5, Status: [5]uint64{0, 3}, Retries: 1, BytesIn: 7, BytesOut: 9, LatencyBuckets: []uint64{0, 3},
				}},
			}}}
		}
		r.settle()
		status, err := r.s.Status(context.Background(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if len(status.Workers) != 2 || status.Workers[0].State != "draining" || status.Workers[1].State != "serving" || status.Workers[0].Connections != 3 {
			t.Errorf("workers: %+v", status.Workers)
		}
		app := status.Apps[0]
		if app.Requests != 10 || app.Connections != 6 || app.InFlight != 4 || app.Instances[0].Requests != 10 ||
			app.Counters.Status[1] != 8 || app.Counters.Latency[0] != 10 {
			t.Errorf("app: %+v, counters %+v", app, app.Counters)
		}
		i := app.Instances[0].Counters
		if i.Status != [5]uint64{0, 6} || i.Retries != 2 || i.BytesIn != 14 || i.BytesOut != 18 || i.Latency[1] != 6 {
			t.Errorf("instance: %+v", i)
		}
	})
}

// TestOneWorkerProbes: the newest; when it dies, the next one, and not the one
// before, which drains.
func TestOneWorkerProbes(t *testing.T) {
	run(t, plan(newApp("demo", 8080, checked)), func(r *rig) {
		r.alone("demo")
		first, second := r.worker(1), r.secondWorker()
		r.settle()
		if first.probing("demo/1") || !second.probing("demo/1") {
			t.Error("both probe, or not the newest")
		}
		second.die()
		r.await("worker 3", func() bool { return len(r.allWorkers()) == 3 && r.allWorkers()[2].probing("demo/1") })
		if first.probing("demo/1") {
			t.Error("a worker probes that drains")
		}
	})
}
