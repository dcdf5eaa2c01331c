package survival

import (
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestReexecDuringReload re-executes the daemon at random points of a reload. No
// reload gets lost.
func TestReexecDuringReload(t *testing.T) {
	t.Parallel()
	s := foreground(t)
	random, before := dice(t), s.holds(s.Status().PID)
	report := s.under("re-exec during a reload", s.passing(), func() {
		for range times(3, 20) {
			was := s.pids()
			s.Signal(syscall.SIGHUP)
			s.awaitLogged("reload", was)
			pass(random, 200*time.Millisecond)
			s.Must("reexec")
			for app, pid := range was {
				s.awaitOther(app, pid)
			}
		}
	})
	s.unharmed(report)
	s.awaitSettled()
	s.asBefore(before)
}

// awaitLogged waits until the daemon has begun to start another process of an
// app: a signal tells its sender nothing.
func (s *scene) awaitLogged(reason string, was map[string]int) {
	s.t.Helper()
	s.Await("a "+reason, func() bool {
		for _, a := range s.Status().Apps {
			if a.State == "restarting" {
				return true
			}
			for _, i := range a.Instances {
				if i.Active && i.PID != was[a.Name] {
					return true
				}
			}
		}
		return false
	})
}

// TestReloadBeforeReexec: a reload that was asked for just before the exec is not
// lost with the program.
func TestReloadBeforeReexec(t *testing.T) {
	t.Parallel()
	s := foreground(t)
	before := s.holds(s.Status().PID)
	for range times(2, 20) {
		was := s.pids()
		s.Signal(syscall.SIGHUP)
		s.Must("reexec")
		for app, pid := range was {
			s.awaitOther(app, pid)
		}
	}
	s.awaitSettled()
	s.asBefore(before)
}

// TestSignals sends signals at random points around an exec.
func TestSignals(t *testing.T) {
	t.Parallel()
	s := foreground(t)
	random, before := dice(t), s.holds(s.Status().PID)
	signals := []syscall.Signal{syscall.SIGHUP, syscall.SIGUSR2, syscall.SIGUSR1, syscall.SIGUSR2}
	report := s.under("signals around a re-exec", s.passing(), func() {
		for range times(3, 20) {
			for range 5 {
				s.Signal(signals[random.IntN(len(signals))])
				pass(random, 30*time.Millisecond)
			}
			// One that was asked for by a signal may still be under way.
			s.Await("a last re-exec", func() bool { return s.Ctl("reexec").Status == 0 })
			s.AwaitServing(web, line)
		}
	})
	s.unharmed(report)
	s.awaitSettled()
	s.asBefore(before)
}

// TestStopAroundReexec asks the daemon to stop at random points around an exec.
// It stops, or, in the moment in which a program has no handler yet, dies; then
// the next daemon goes on where it was.
func TestStopAroundReexec(t *testing.T) {
	t.Parallel()
	random := dice(t)
	for range times(3, 20) {
		s := served(t)
		pids := s.pids()
		s.Signal(syscall.SIGUSR2)
		pass(random, 150*time.Millisecond)
		s.Signal(syscall.SIGTERM)
		status := s.service.Wait()
		if status.Exited() && status.ExitStatus() == 0 {
			continue // that nothing is left is seen to at the end of the test
		}
		if !status.Signaled() || status.Signal() != syscall.SIGTERM {
			t.Fatalf("the daemon has ended with %#x:\n%s", status, s.DaemonOutput())
		}
		s.service.Restart()
		s.AwaitAnswer()
		s.samePIDs(pids)
	}
}

// TestHalfWrittenConfiguration crashes the daemon while its file is being
// written: what it goes on with is its own copy.
func TestHalfWrittenConfiguration(t *testing.T) {
	t.Parallel()
	s := served(t)
	pids, before := s.pids(), s.holds(s.Status().PID)
	report := s.under("kill -9 with a half-written file", s.steady(), func() {
		s.WriteConfig("apps:\n  - name: web\n    comm")
		s.service.Crash()
		s.AwaitAnswer()
		s.Must("reexec")
	})
	s.unbroken(report)
	s.samePIDs(pids)
	if r := s.Want(1, "update"); !strings.Contains(r.Stderr, "gracevisor.yaml") {
		t.Errorf("the fault was to be told: %s", r)
	}
	s.awaitSettled()
	s.asBefore(before)
}

// TestUpdateAfterSurvival: a plan that went through a snapshot is the one that
// the same file gives: nothing is restarted.
func TestUpdateAfterSurvival(t *testing.T) {
	t.Parallel()
	s := served(t)
	pids, before := s.pids(), s.holds(s.Status().PID)
	s.Must("reexec")
	s.Must("update")
	s.service.Crash()
	s.AwaitAnswer()
	s.Must("update")
	s.awaitSettled()
	s.samePIDs(pids)
	s.asBefore(before)
}
