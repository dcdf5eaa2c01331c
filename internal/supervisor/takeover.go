package supervisor

import (
	"time"

	"gracevisor/internal/wire"
)

// A worker of a new build takes over from those before it: when it goes by a
// table, it accepts from the same listeners, and they are told to give their
// connections to it (moving.go) and to drain. A worker that drains lives on until
// its last connection has been moved or has ended; it gets tables as the others
// do.

// retireWorkers has the workers drain that the newest one stands in for. Those
// that drain already, and whose successor has died, have a new one now.
func (s *Supervisor) retireWorkers() {
	newest := s.newestWorker()
	if newest == nil || newest.acknowledged == 0 || s.stopping != nil {
		return
	}
	for _, w := range s.workers {
		if w.generation >= newest.generation || !w.ready || w.gone {
			continue
		}
		s.tie(w, newest)
		if !w.draining {
			s.log.Info("worker drains: a newer one has taken over", "worker", w.generation, "pid", w.pid, "newer", newest.generation)
			w.draining, w.drainingSince = true, time.Now()
			s.unsaved = true
			s.beginWorkerDrain(w)
		}
	}
}

// beginWorkerDrain tells a worker to drain, which it may be told again, and
// bounds that. It is told where to move its connections to first.
func (s *Supervisor) beginWorkerDrain(w *worker) {
	s.onceSaved(func() { w.outbox.Post(&wire.Drain{}) })
	if bound := s.plan.WorkerDrainTimeout; bound > 0 {
		time.AfterFunc(remaining(bound, time.Since(w.drainingSince)), func() { s.post(workerDrainTimedOut{w}) })
	}
}

func (s *Supervisor) workerDrainTimedOut(w *worker) {
	if w.gone {
		return
	}
	s.log.Warn("ending a worker that still has connections: worker_drain_timeout has passed", "worker", w.generation, "pid", w.pid)
	s.dismiss(w)
}

// makeRoom ends the oldest workers that drain, so that one more does not make
// them more than max_workers.
func (s *Supervisor) makeRoom() {
	living := len(s.workers) + 1
	for generation := uint64(1); generation < s.nextGeneration && living > max(s.plan.MaxWorkers, 2); generation++ {
		w := s.workers[generation]
		if w == nil || !w.draining || w.gone {
			continue
		}
		living--
		s.log.Warn("ending a worker that still has connections: too many live", "worker", w.generation, "pid", w.pid, "max_workers", s.plan.MaxWorkers)
		s.dismiss(w)
	}
}
