package survival

import (
	"testing"
	"time"
)

// TestCrash kills the supervisor again and again.
func TestCrash(t *testing.T) {
	s := served(t)
	pids, worker, before := s.pids(), s.Status().Workers[0].PID, s.holds(s.Status().PID)
	report := s.under("kill -9 of the supervisor", s.steady(), func() {
		for range times(5, 80) {
			s.service.Crash()
			s.AwaitAnswer()
		}
	})
	s.unbroken(report)
	s.samePIDs(pids)
	s.asBefore(before)
	if now := s.Status().Workers[0].PID; now != worker {
		t.Errorf("the worker was %d and is %d", worker, now)
	}
}

// TestCrashDuringRestart kills the supervisor at random points of a restart of
// an app.
func TestCrashDuringRestart(t *testing.T) {
	s := served(t)
	random, before := dice(t), s.holds(s.Status().PID)
	report := s.under("kill -9 during a restart", s.passing(), func() {
		for range times(5, 40) {
			s.Must("restart", web, "--no-wait")
			pass(random, 200*time.Millisecond)
			s.service.Crash()
			s.AwaitAnswer()
			s.AwaitServing(web)
		}
	})
	s.unharmed(report)
	s.awaitSettled()
	s.asBefore(before)
}
