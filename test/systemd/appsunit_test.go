package systemd

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"gracevisor/internal/control"
)

// TestAppsUnitIsKilled kills everything in the unit of the apps: its cgroup goes,
// and when systemd has made another the proxy and the apps are back in it, whether
// the daemon was faster than systemd or not. Nobody has tried in vain meanwhile.
func TestAppsUnitIsKilled(t *testing.T) {
	t.Parallel()
	s := installed(t, demo())
	daemon := s.MainPID(daemonUnit)
	for n := range 4 { // more would be a crash loop
		before := s.awaitServing("demo")
		s.killApps(daemon, n%2 == 0)
		s.awaitApp("demo", "be served by another instance", func(a control.AppStatus) bool {
			return a.State == "serving" && len(a.Instances) == 1 && a.Instances[0].PID != before
		})
		s.Await("it to answer", func() (string, bool) {
			got, err := s.get(8080, "/info")
			return fmt.Sprint(got, err), err == nil
		})
		after := s.awaitServing("demo")
		if got := s.cgroup(after); !strings.HasPrefix(got, appsGroup+"/") {
			t.Errorf("the app is in %s", got)
		}
		if got := s.cgroup(s.worker()); !strings.HasPrefix(got, appsGroup+"/") {
			t.Errorf("the worker is in %s", got)
		}
	}
	s.AwaitActive(appsUnit)
	s.sameDaemon(daemon)
	for _, message := range s.warnings() {
		if strings.Contains(message, "cannot start") || strings.Contains(message, "make cgroup") {
			t.Errorf("the daemon says %q", message)
		}
	}
}

// killApps kills everything in the unit of the apps at once. The daemon may be
// held up until systemd has started the unit anew.
func (s *service) killApps(daemon int, held bool) {
	s.t.Helper()
	const kill = "echo 1 >/sys/fs/cgroup" + appsGroup + "/cgroup.kill"
	if !held {
		s.Shell(kill)
		return
	}
	before := s.Property(appsUnit, "InvocationID")
	s.Run("kill", "-STOP", strconv.Itoa(daemon))
	s.Shell(kill)
	s.Await("systemd to start the unit of the apps anew", func() (string, bool) {
		now := s.Property(appsUnit, "InvocationID")
		return now, now != before && s.Property(appsUnit, "ActiveState") == "active"
	})
	s.Run("kill", "-CONT", strconv.Itoa(daemon))
}
