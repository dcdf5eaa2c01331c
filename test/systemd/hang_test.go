package systemd

import "testing"

// TestDaemonHangs stops the daemon with a signal, under load, until systemd's
// watchdog has replaced it.
func TestDaemonHangs(t *testing.T) {
	t.Parallel()
	s := boot(t)
	s.Write("/etc/systemd/system/gracevisor.service.d/watchdog.conf", "[Service]\nWatchdogSec=2s\n")
	s.configure(demo())
	s.install(firstVersion)
	s.awaitDaemon()
	before, daemon := s.awaitServing("demo"), s.MainPID(daemonUnit)
	s.underLoad(func() {
		s.Kill("STOP", daemon)
		s.awaitOtherDaemon(daemon)
	})
	if after := s.awaitServing("demo"); after != before {
		t.Errorf("the app was %d and is %d", before, after)
	}
	s.AwaitProperty(daemonUnit, "NRestarts", "1")
	s.oneOfEach()
}

// TestWorkerHangs stops the worker with a signal: the daemon replaces it, and
// is not taken for hung itself.
func TestWorkerHangs(t *testing.T) {
	t.Parallel()
	s := boot(t)
	s.Write("/etc/systemd/system/gracevisor.service.d/watchdog.conf", "[Service]\nWatchdogSec=4s\n")
	s.configure(demo())
	s.install(firstVersion)
	s.awaitDaemon()
	before, daemon, worker := s.awaitServing("demo"), s.MainPID(daemonUnit), s.worker()
	s.Kill("STOP", worker)
	// It waits in the queue of the listener until the next worker accepts.
	if got := s.mustGet(8080, "/info"); got != before {
		t.Errorf("the app was %d and is %d", before, got)
	}
	if after := s.worker(); after == worker {
		t.Error("the worker is the same")
	}
	s.sameDaemon(daemon)
}
