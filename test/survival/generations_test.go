package survival

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"gracevisor/internal/control"
	"gracevisor/test/harness"
	"gracevisor/test/load"
)

// replaced makes a scene in which a worker of another build has taken over from the
// first one, which still has requests that take so long.
func replaced(t *testing.T, answer time.Duration, settings map[string]any) (s *scene, old int, requests *load.Load) {
	t.Helper()
	next, err := harness.OtherBuild("99.0.0")
	if err != nil {
		t.Fatal(err)
	}
	s = prepare(t)
	for key, value := range settings {
		s.Set(key, value)
	}
	s.Configure(s.web, s.line)
	s.OwnBinary()
	s.begin()
	old = s.Status().Workers[0].PID
	requests, err = load.Start(load.Options{
		Address: s.web.Address(), Clients: map[load.Kind]int{load.Slow: 3}, MaxRequests: 1, SlowTime: answer,
		Patience: 2 * answer,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { requests.Stop() })
	s.Await("the requests to have come", func() bool { return s.Status(web).Apps[0].InFlight == 3 })
	s.ReplaceBinary(next)
	s.Must("reexec")
	return s, old, requests
}

// TestRestartWithTwoGenerations restarts an app while two workers live: it is done
// when both go by it, and the old instance stays until the old worker has its
// answers.
func TestRestartWithTwoGenerations(t *testing.T) {
	t.Parallel()
	s, old, requests := replaced(t, 6*time.Second, nil)
	s.Await("two workers", func() bool { return len(s.Status().Workers) == 2 })
	before := s.pids()[web]
	s.Must("restart", web)
	if syscall.Kill(old, 0) != nil {
		t.Error("the old worker has gone with requests on it")
	}
	if err := syscall.Kill(before, 0); err != nil {
		t.Error("the old instance has gone with requests on it")
	}
	if now := s.pids()[web]; now == before || now == 0 {
		t.Errorf("the restart is done, and the app is served by %d (before: %d)", now, before)
	}
	if report := requests.Stop(); report.Failures() > 0 || report.Requests() != 3 {
		t.Errorf("%v", report)
	}
	s.awaitEnd(old)
	s.awaitSettled()
}

// TestWorkerDrainTimeout: a worker that still has requests is ended when
// worker_drain_timeout has passed, and that is told.
func TestWorkerDrainTimeout(t *testing.T) {
	t.Parallel()
	s, old, _ := replaced(t, 30*time.Second, map[string]any{"worker_drain_timeout": 1})
	s.awaitEnd(old)
	if !strings.Contains(s.DaemonOutput(), "worker_drain_timeout has passed") {
		t.Errorf("it was to be told:\n%s", s.DaemonOutput())
	}
	s.AwaitApp(web, "serve", func(a control.AppStatus) bool { return a.State == "serving" })
}
