package systemd

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// TestRestart restarts the service under load: apps stay.
func TestRestart(t *testing.T) {
	t.Parallel()
	s := installed(t, demo())
	before, daemon := s.awaitServing("demo"), s.MainPID(daemonUnit)
	s.underLoad(func() { s.Run("systemctl", "restart", "gracevisor") })
	if got := s.MainPID(daemonUnit); got == daemon {
		t.Error("the daemon is the same")
	}
	if after := s.awaitServing("demo"); after != before {
		t.Errorf("the app was %d and is %d", before, after)
	}
	s.oneOfEach()
}

// TestReexec lets the daemon execute itself again: for systemd it is the same
// process, which reloads.
func TestReexec(t *testing.T) {
	t.Parallel()
	s := installed(t, demo())
	before, daemon, worker := s.awaitServing("demo"), s.MainPID(daemonUnit), s.worker()
	stored := s.stored()
	s.underLoad(func() {
		for range 3 {
			s.Run("gracevisorctl", "reexec")
		}
	})
	s.sameDaemon(daemon)
	if after := s.awaitServing("demo"); after != before {
		t.Errorf("the app was %d and is %d", before, after)
	}
	if after := s.worker(); after != worker {
		t.Errorf("the worker was %d and is %d", worker, after)
	}
	s.awaitStored(stored)
}

// stored is the number of file descriptors that systemd keeps for the daemon.
func (s *service) stored() string {
	s.t.Helper()
	return s.Property(daemonUnit, "NFileDescriptorStore")
}

// awaitStored waits until systemd keeps as many as it did.
func (s *service) awaitStored(n string) {
	s.t.Helper()
	s.AwaitProperty(daemonUnit, "NFileDescriptorStore", n)
}

// TestStoreStaysSmall looks into systemd's store after whatever puts files there.
func TestStoreStaysSmall(t *testing.T) {
	t.Parallel()
	s := installed(t, demo())
	stored := s.stored()
	if stored == "0" {
		t.Error("nothing is kept for a crash")
	}
	for range 3 {
		s.Run("gracevisorctl", "restart", "--wait=drained", "demo")
		s.Run("systemctl", "reload", "gracevisor")
		s.Run("systemctl", "restart", "gracevisor")
	}
	s.oneOfEach()
	s.awaitStored(stored)
	s.Run("systemctl", "stop", "gracevisor")
	s.awaitStored("0")
}

// oneOfEach fails the test unless the unit has one daemon, one worker and one
// instance of demo, once what is on its way out has gone.
func (s *service) oneOfEach() {
	s.t.Helper()
	s.worker()
	s.awaitServing("demo")
	s.awaitDaemon()
	s.AwaitActive(appsUnit)
}

// TestKillDaemon kills the daemon under load: systemd starts it again, and
// apps and clients do not notice.
func TestKillDaemon(t *testing.T) {
	t.Parallel()
	s := installed(t, demo())
	before, daemon, worker := s.awaitServing("demo"), s.MainPID(daemonUnit), s.worker()
	s.underLoad(func() {
		s.Kill("KILL", daemon)
		s.awaitOtherDaemon(daemon)
	})
	if after := s.awaitServing("demo"); after != before {
		t.Errorf("the app was %d and is %d", before, after)
	}
	if after := s.worker(); after != worker {
		t.Errorf("the worker was %d and is %d", worker, after)
	}
	s.AwaitProperty(daemonUnit, "NRestarts", "1")
}

// awaitOtherDaemon waits until the unit is active with another main process.
func (s *service) awaitOtherDaemon(before int) {
	s.t.Helper()
	s.Await("another daemon", func() (string, bool) {
		seen := s.Run("systemctl", "show", "--property=ActiveState,MainPID", daemonUnit)
		return seen, s.MainPID(daemonUnit) != before && s.Property(daemonUnit, "ActiveState") == "active"
	})
}

// TestRestartWithoutAnAnswer restarts a daemon that can not ask systemd what is
// going on: that is a stop, after which everything is started anew.
func TestRestartWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	s := boot(t)
	s.dropIn("InaccessiblePaths=/run/systemd/private\n")
	s.configure(demo())
	s.install(firstVersion)
	s.awaitDaemon()
	before := s.awaitServing("demo")
	s.Run("systemctl", "restart", "gracevisor")
	s.awaitDaemon()
	if after := s.awaitServing("demo"); after == before {
		t.Error("the app has not been stopped")
	}
	s.mustGet(8080, "/info")
	for _, entry := range s.Journal("--unit="+daemonUnit, "--priority=err") {
		t.Errorf("it complains: %s", entry["MESSAGE"])
	}
}

// TestStopTakesItsTime stops the service while an app still answers for longer
// than TimeoutStopSec=: the daemon asks for more time, within its own limit.
func TestStopTakesItsTime(t *testing.T) {
	t.Parallel()
	s := boot(t)
	const ownTime = 2 * time.Second
	s.dropIn(fmt.Sprintf("TimeoutStopSec=%d\n", ownTime/time.Second))
	s.configure(demo())
	s.install(firstVersion)
	s.awaitDaemon()
	s.awaitServing("demo")
	request := s.hold()
	s.stopWhile(func() {
		since := time.Now()
		s.Await("the time to have passed that systemd gives it by itself", func() (string, bool) {
			return "", time.Since(since) > 3*ownTime
		})
		request.release()
	})
	if err := <-request.answered; err != nil {
		t.Errorf("the request under way: %v", err)
	}
	if got := s.Property(daemonUnit, "Result"); got != "success" {
		t.Errorf("its result is %q", got)
	}

	s.Shell("echo 'shutdown_timeout: 3' >>/etc/gracevisor/gracevisor.yaml")
	s.mustGet(8080, "/info") // which starts it
	s.awaitDaemon()
	request = s.hold()
	s.Run("systemctl", "stop", daemonUnit)
	if err := <-request.answered; err == nil {
		t.Error("a request was waited for beyond shutdown_timeout")
	}
	if got := s.Property(daemonUnit, "Result"); got != "success" {
		t.Errorf("its result is %q", got)
	}
	s.AwaitProperty(appsUnit, "ActiveState", "inactive")
}

// stopWhile stops the service, and does something once the daemon has begun with
// it.
func (s *service) stopWhile(do func()) {
	s.t.Helper()
	stop := s.Start("systemctl", "stop", daemonUnit)
	s.awaitStopping()
	do()
	if code := stop.Code(); code != 0 {
		s.t.Fatalf("systemctl stop: exit status %d: %s", code, stop.Output())
	}
}

// TestStop stops the service while an app answers: that is finished, nothing
// is left, not even what the app has hidden, and the socket goes on listening.
func TestStop(t *testing.T) {
	t.Parallel()
	s := installed(t, demo("--children=1", "--grandchildren=2", "--stubborn"))
	request := s.hold()
	s.stopWhile(request.release)
	if err := <-request.answered; err != nil {
		t.Errorf("the request under way: %v", err)
	}
	for property, want := range map[string]string{"ActiveState": "inactive", "Result": "success", "ExecMainStatus": "0"} {
		if got := s.Property(daemonUnit, property); got != want {
			t.Errorf("%s is %q", property, got)
		}
	}
	s.AwaitProperty(appsUnit, "ActiveState", "inactive")
	if got := s.Property(appsUnit, "Result"); got != "success" {
		t.Errorf("the holder's result is %q", got)
	}
	if left := slices.Concat(s.processes("testapp"), s.processes("gracevisor")); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
	if got := s.Property(socketUnit, "ActiveState"); got != "active" {
		t.Errorf("the socket is %s", got)
	}
	s.mustGet(8080, "/info")
}
