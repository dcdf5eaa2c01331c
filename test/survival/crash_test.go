package survival

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"gracevisor/test/load"
	"gracevisor/test/siege"
)

// TestCrash kills the supervisor again and again.
func TestCrash(t *testing.T) {
	t.Parallel()
	s := served(t)
	pids, worker, before := s.pids(), s.Status().Workers[0].PID, s.holds(s.Status().PID)
	report := s.under("kill -9 of the supervisor", s.steady(), func() {
		for range times(4, 80) {
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
	t.Parallel()
	s := served(t)
	random, before := dice(t), s.holds(s.Status().PID)
	report := s.under("kill -9 during a restart", s.passing(), func() {
		for range times(4, 20) {
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

// TestCrashAtOnce kills each daemon before it is done with what the one before
// has left.
func TestCrashAtOnce(t *testing.T) {
	t.Parallel()
	s := served(t)
	random, pids, before := dice(t), s.pids(), s.holds(s.Status().PID)
	report := s.under("kill -9 twice within a second", s.steady(), func() {
		for range times(2, 10) {
			s.service.Crash()
			pass(random, 50*time.Millisecond)
			s.service.Crash()
			s.AwaitAnswer()
		}
	})
	s.unbroken(report)
	s.samePIDs(pids)
	s.asBefore(before)
}

// TestHang stops the supervisor until the watchdog ends it.
func TestHang(t *testing.T) {
	t.Parallel()
	s := prepare(t)
	s.service = s.Serve()
	s.service.SetWatchdog(2 * time.Second)
	s.begin()
	pids, before := s.pids(), s.holds(s.Status().PID)
	report := s.under("watchdog", s.steady(), func() {
		s.Signal(syscall.SIGSTOP)
		s.service.AwaitSilence()
		s.service.Restart()
		s.AwaitAnswer()
	})
	s.unbroken(report)
	s.samePIDs(pids)
	s.asBefore(before)
}

// TestWorkerCrash kills the worker: only what it had in flight may fail, and
// nobody is refused.
func TestWorkerCrash(t *testing.T) {
	t.Parallel()
	s := foreground(t)
	pids, before := s.pids(), s.holds(s.Status().PID)
	kills := times(3, 20)
	report := s.besiege("kill -9 of the worker", s.steady(), func(under *siege.Siege) {
		for range kills {
			s.killWorker()
			s.await(under, 1)
		}
	})
	s.onlyInFlight(report, kills)
	s.samePIDs(pids)
	s.awaitSettled()
	s.asBefore(before)
}

// TestWorkerAndSupervisorCrash kills both.
func TestWorkerAndSupervisorCrash(t *testing.T) {
	t.Parallel()
	s := served(t)
	pids, before := s.pids(), s.holds(s.Status().PID)
	kills := times(2, 10)
	report := s.besiege("kill -9 of worker and supervisor", s.steady(), func(under *siege.Siege) {
		for range kills {
			s.killWorker()
			s.service.Crash()
			s.AwaitAnswer()
			s.await(under, 1)
		}
	})
	s.onlyInFlight(report, kills)
	s.samePIDs(pids)
	s.awaitSettled()
	s.asBefore(before)
}

// aWhile is after what time a worker that is killed is replaced at once.
const aWhile = 1100 * time.Millisecond

// killWorker kills the newest worker, once it has served for a while. The status
// may still tell of one that was killed.
func (s *scene) killWorker() {
	s.t.Helper()
	s.Await("a worker that has served for a while", func() bool {
		workers := s.Status().Workers
		n := len(workers)
		return n > 0 && workers[n-1].State == "serving" && time.Since(workers[n-1].Since) > aWhile &&
			syscall.Kill(workers[n-1].PID, syscall.SIGKILL) == nil
	})
}

// onlyInFlight fails the test if more has failed than each client's request
// under way at each kill, or if a connection was refused.
func (s *scene) onlyInFlight(report *load.Report, kills int) {
	s.t.Helper()
	for kind, k := range report.Kinds {
		if clients := siege.Lasting; k.Failures > clients*kills {
			s.t.Errorf("%s: %d failures of %d requests at %d kills", kind, k.Failures, k.Requests, kills)
		}
		for _, text := range k.Errors {
			if strings.Contains(text, "refused") || strings.Contains(text, "dial") {
				s.t.Errorf("%s: %s", kind, text)
			}
		}
	}
}
