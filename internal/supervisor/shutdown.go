package supervisor

import (
	"time"

	"gracevisor/internal/supervisor/lifecycle"
	"gracevisor/internal/wire"
)

// shutdown is the daemon's stop under way.
type shutdown struct {
	began time.Time
	// workersTold: the apps have gone, and the workers were told to leave.
	workersTold bool
	hurried     bool
}

// Stop drains and stops everything; Run returns when that is done. A second
// call stops at once.
func (s *Supervisor) Stop() { s.post(askStop{}) }

// Ended is closed when Run has returned.
func (s *Supervisor) Ended() <-chan struct{} { return s.ended }

func (s *Supervisor) stop() {
	if s.stopping != nil {
		s.killEverything("asked to stop a second time")
		return
	}
	s.stopping = &shutdown{began: time.Now()}
	s.log.Info("stopping", "apps", len(s.apps), "shutdown_timeout", s.plan.ShutdownTimeout.String())
	for _, w := range s.workers {
		// Nothing new is accepted; what is under way finishes.
		if w.ready {
			w.draining = true
			w.outbox.Post(&wire.Drain{})
		}
	}
	for _, name := range append([]string(nil), s.order...) {
		s.stopApp(s.apps[name], stopped, "the daemon stops")
	}
	for _, waiting := range s.awaitingAck {
		waiting.then() // no later table matters to them
	}
	s.awaitingAck = nil
	s.closeSockets() // who connects now need not wait for an answer that never comes
	time.AfterFunc(s.plan.ShutdownTimeout, func() { s.post(shutdownTimeout{}) })
	s.soon(s.checkStopped)
}

// killEverything ends what is left at once.
func (s *Supervisor) killEverything(why string) {
	if s.stopping == nil || s.stopping.hurried {
		return
	}
	s.stopping.hurried = true
	s.log.Warn("killing what is left", "reason", why)
	for _, a := range s.apps {
		for _, i := range append([]*instance(nil), a.instances...) {
			s.step(i, lifecycle.Kill)
		}
	}
	s.soon(s.checkStopped)
}

// checkStopped ends Run once no instance and no worker is left. The workers go
// last: they carry the answers of the apps.
func (s *Supervisor) checkStopped() {
	if s.stopping == nil {
		return
	}
	for _, a := range s.apps {
		if len(a.instances) > 0 {
			return
		}
	}
	if !s.stopping.workersTold {
		s.stopping.workersTold = true
		for _, w := range s.workers {
			s.dismiss(w)
		}
	}
	if len(s.workers) == 0 {
		s.log.Info("stopped", "took", time.Since(s.stopping.began).Round(time.Millisecond).String())
		s.finished = true
	}
}
