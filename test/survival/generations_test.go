package survival

import (
	"strings"
	"syscall"
	"testing"

	"gracevisor/test/harness"
)

// replacement is a scene in which a worker of another build has taken over from
// the first one, which still has requests.
type replacement struct {
	*scene
	before   holdings
	old      int // the first worker
	requests *held
}

func replaced(t *testing.T, settings map[string]any) *replacement {
	t.Helper()
	next, err := harness.OtherBuild("99.0.0")
	if err != nil {
		t.Fatal(err)
	}
	s := prepare(t)
	for key, value := range settings {
		s.Set(key, value)
	}
	s.Configure(s.web, s.line)
	s.OwnBinary()
	s.begin()
	workers := s.Status().Workers
	r := &replacement{scene: s, before: s.holds(s.Status().PID), old: workers[0].PID}
	r.requests = s.hold(3, 0)
	s.ReplaceBinary(next)
	s.Must("reexec")
	s.awaitTakeOver(workers)
	return r
}

// TestRestartWithTwoGenerations restarts an app while two workers live: it is done
// when both go by it, and the old instance stays until the old worker has its
// answers.
func TestRestartWithTwoGenerations(t *testing.T) {
	t.Parallel()
	s := replaced(t, nil)
	if workers := s.Status().Workers; len(workers) != 2 {
		t.Fatalf("workers: %+v", workers)
	}
	before := s.pids()[web]
	s.Must("restart", web)
	if syscall.Kill(s.old, 0) != nil {
		t.Error("the old worker has gone with requests on it")
	}
	if err := syscall.Kill(before, 0); err != nil {
		t.Error("the old instance has gone with requests on it")
	}
	if now := s.pids()[web]; now == before || now == 0 {
		t.Errorf("the restart is done, and the app is served by %d (before: %d)", now, before)
	}
	s.requests.answered()
	s.awaitEnd(s.old)
	s.awaitEnd(before)
	s.awaitSettled()
	s.asBefore(s.before)
}

// TestWorkerDrainTimeout: a worker that still has requests is ended when
// worker_drain_timeout has passed, and that is told.
func TestWorkerDrainTimeout(t *testing.T) {
	t.Parallel()
	s := replaced(t, map[string]any{"worker_drain_timeout": 1})
	s.awaitEnd(s.old)
	if !strings.Contains(s.DaemonOutput(), "worker_drain_timeout has passed") {
		t.Errorf("it was to be told:\n%s", s.DaemonOutput())
	}
	s.awaitSettled()
	s.asBefore(s.before)
}
