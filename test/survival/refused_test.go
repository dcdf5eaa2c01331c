package survival

import (
	"strings"
	"testing"

	"gracevisor/test/harness"
)

// TestRefusedReexec re-executes the daemon while something else than a daemon
// lies in the place of its binary: nothing happens, and it goes on.
func TestRefusedReexec(t *testing.T) {
	t.Parallel()
	s := prepare(t)
	s.OwnBinary()
	s.begin()
	pids, before, since := s.pids(), s.holds(s.Status().PID), s.Status().Since
	broken := s.WriteFile("broken", "#!/bin/sh\necho it is too old >&2\nexit 3\n")
	text := s.WriteFile("text", "no program at all\n")
	hanging := s.WriteFile("hanging", "#!/bin/sh\nexec sleep 1000\n")
	report := s.under("refused re-exec", s.steady(), func() {
		for _, c := range []struct{ binary, why string }{
			{broken, "it is too old"}, {text, "format"}, {hanging, "does not answer"}, {"", "no such file"},
		} {
			s.ReplaceBinary(c.binary)
			for _, args := range [][]string{{"reexec", "--check"}, {"reexec"}} {
				if r := s.Want(1, args...); !strings.Contains(r.Stderr, c.why) {
					t.Errorf("%q with %q was to be refused with %q:\n%s", args, c.binary, c.why, r)
				}
			}
			if status := s.Status(); !status.Since.Equal(since) {
				t.Errorf("the daemon is another one: %+v", status)
			}
		}
	})
	s.unbroken(report)
	s.samePIDs(pids)
	s.asBefore(before)

	daemon, err := harness.Binary("gracevisord")
	if err != nil {
		t.Fatal(err)
	}
	s.WriteFile("gracevisord", "")
	s.ReplaceBinary(daemon)
	s.Must("reexec")
	s.samePIDs(pids)
}

// TestReexecToAnotherBuild upgrades and downgrades: a worker of the new build
// takes over, and the old one ends with its last connection.
func TestReexecToAnotherBuild(t *testing.T) {
	t.Parallel()
	next, err := harness.OtherBuild("99.0.0")
	if err != nil {
		t.Fatal(err)
	}
	first, err := harness.Binary("gracevisord")
	if err != nil {
		t.Fatal(err)
	}
	s := prepare(t)
	s.OwnBinary()
	s.begin()
	pids, before := s.pids(), s.holds(s.Status().PID)
	report := s.under("re-exec to another build", s.steady(), func() {
		for _, binary := range []string{next, first}[:times(1, 2)] {
			was := s.Status()
			s.ReplaceBinary(binary)
			s.Must("reexec")
			s.awaitTakeOver()
			if now := s.Status(); now.Version == was.Version || now.PID != was.PID {
				t.Errorf("version %s, pid %d; before %s, %d", now.Version, now.PID, was.Version, was.PID)
			}
		}
	})
	s.unbroken(report)
	s.samePIDs(pids)
	s.awaitSettled()
	s.asBefore(before)
}

// awaitTakeOver waits until the newest worker serves, and all others drain.
func (s *scene) awaitTakeOver() {
	s.t.Helper()
	s.Await("a new worker to take over", func() bool {
		workers := s.Status().Workers
		for i, w := range workers {
			want := "draining"
			if i == len(workers)-1 {
				want = "serving"
			}
			if w.State != want {
				return false
			}
		}
		return len(workers) > 1
	})
}

// TestMaxWorkers: a worker too many ends the oldest.
func TestMaxWorkers(t *testing.T) {
	t.Parallel()
	first, err := harness.Binary("gracevisord")
	if err != nil {
		t.Fatal(err)
	}
	next, err := harness.OtherBuild("99.0.0")
	if err != nil {
		t.Fatal(err)
	}
	s := prepare(t)
	s.Set("max_workers", 2)
	s.Configure(s.web, s.line)
	s.OwnBinary()
	s.begin()
	oldest := s.Status().Workers[0].PID
	clients := s.load(s.quiet()) // they hold the first worker
	defer clients.Stop()
	s.ReplaceBinary(next)
	s.Must("reexec")
	s.awaitTakeOver()
	s.ReplaceBinary(first)
	s.Must("reexec")
	s.Await("the oldest worker to be ended", func() bool {
		workers := s.Status().Workers
		for _, w := range workers {
			if w.PID == oldest {
				return false
			}
		}
		return workers[len(workers)-1].State == "serving"
	})
}
