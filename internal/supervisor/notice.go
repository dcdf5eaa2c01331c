package supervisor

import (
	"time"

	"golang.org/x/sys/unix"

	"gracevisor/internal/control"
)

// tell keeps a notice for whoever watches until the state that it tells of is
// saved: the number of a job must not be given to another one after a crash.
func (s *Supervisor) tell(n control.Notice) {
	if s.feed == nil || !s.feed.Watched() {
		return
	}
	if n.Time.IsZero() {
		n.Time = time.Now()
	}
	s.untold = append(s.untold, n)
}

// tellNews passes on what was kept, and tells of the apps that have changed since
// it was last called, and of the daemon, if that has. It is called when all
// messages that wait are dealt with, so that what is only passed through is not
// told.
func (s *Supervisor) tellNews() {
	s.tellChanges()
	for _, n := range s.untold {
		s.feed.Tell(n)
	}
	s.untold = nil
}

func (s *Supervisor) tellChanges() {
	if s.feed == nil || !s.feed.Watched() {
		return
	}
	state := control.DaemonState{Apps: len(s.order)}
	for _, name := range s.order {
		a := s.apps[name]
		if a.state() == "failed" {
			state.Failed++
		}
		if a.news {
			a.news = false
			status := s.appStatus(a, nil)
			status.Counters = nil
			s.tell(control.Notice{Kind: control.NoticeAppChanged, App: name, State: &status})
		}
	}
	if w := s.newestWorker(); w != nil && w.acknowledged > 0 {
		state.Worker, state.WorkerPID = w.generation, w.pid
	}
	if state != s.toldState {
		s.toldState = state
		s.tell(control.Notice{Kind: control.NoticeDaemonChanged, Daemon: &state})
	}
}

// tellApplying counts the operations that apply a configuration, and tells of
// the first that begins and of the last that ends.
func (s *Supervisor) tellApplying(change int) {
	before := s.jobs.applying
	s.jobs.applying += change
	if now := s.jobs.applying > 0; now != (before > 0) {
		s.tell(control.Notice{Kind: control.NoticeReloading, Reloading: &now})
	}
}

// sinceBoot is the time on CLOCK_MONOTONIC, which goes on over processes.
func sinceBoot() time.Duration {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		return 0 // there is no such system
	}
	return time.Duration(now.Nano())
}
