package systemd

import (
	"fmt"
	"strings"
	"testing"

	"gracevisor/internal/control"
)

// TestUpgradeWhileActivating upgrades while the service waits for its app to get
// ready: the new version runs, and waits for the same process.
func TestUpgradeWhileActivating(t *testing.T) {
	t.Parallel()
	s := boot(t)
	s.Write("/usr/local/bin/notifier", notifier)
	s.Run("chmod", "755", "/usr/local/bin/notifier")
	s.Write("/run/ready", "")
	s.configure(notifying("start_timeout: 600\n"))
	s.install(firstVersion)
	s.awaitServing("demo")
	s.Run("systemctl", "stop", daemonUnit)
	s.Run("rm", "/run/ready")
	s.Run("systemctl", "start", "--no-block", daemonUnit)
	before := s.awaitApp("demo", "to have started", func(a control.AppStatus) bool {
		return len(a.Instances) == 1 && a.Instances[0].PID != 0
	})
	if got := s.Property(daemonUnit, "ActiveState"); got != "activating" {
		t.Fatalf("before its app is ready the unit is %s", got)
	}
	done := make(chan error, 1)
	// Ends when the package is installed.
	go func() {
		_, err := s.tryInstall(nextVersion)
		done <- err
	}()
	s.Await("the new version to run", func() (string, bool) {
		status, err := s.status()
		if err != nil {
			return err.Error(), false
		}
		return fmt.Sprintf("%+v", status), strings.Contains(status.Version, nextVersion)
	})
	s.Write("/run/ready", "")
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if now, was := s.awaitServing("demo"), before.Instances[0].PID; now != was {
		t.Errorf("the app was %d and is %d", was, now)
	}
	s.AwaitActive(daemonUnit)
}
