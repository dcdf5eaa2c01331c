package survival

import (
	"testing"
	"time"
)

// TestReexec re-executes the daemon again and again.
func TestReexec(t *testing.T) {
	t.Parallel()
	s := foreground(t)
	pids, worker, before := s.pids(), s.Status().Workers[0].PID, s.holds(s.Status().PID)
	report := s.under("re-exec", s.steady(), func() {
		for range times(5, 100) {
			s.Must("reexec")
		}
	})
	s.unbroken(report)
	s.samePIDs(pids)
	s.asBefore(before)
	if now := s.Status().Workers[0].PID; now != worker {
		t.Errorf("the worker was %d and is %d", worker, now)
	}
}

// TestReexecDuringRestart re-executes the daemon at random points of a restart
// of an app.
func TestReexecDuringRestart(t *testing.T) {
	t.Parallel()
	s := foreground(t)
	random, before := dice(t), s.holds(s.Status().PID)
	report := s.under("re-exec during a restart", s.passing(), func() {
		for range times(5, 50) {
			was := s.pids()[web]
			s.Must("restart", web, "--no-wait")
			pass(random, 200*time.Millisecond)
			s.Must("reexec")
			s.awaitOther(web, was)
		}
	})
	s.unharmed(report)
	s.awaitSettled()
	s.asBefore(before)
}

// awaitOther waits until an app is served by another process than before.
func (s *scene) awaitOther(app string, was int) {
	s.t.Helper()
	s.Await("another process of "+app, func() bool {
		now := s.pids()[app]
		return now != 0 && now != was
	})
	s.AwaitServing(app)
}
