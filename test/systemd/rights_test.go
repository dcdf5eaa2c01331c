package systemd

import (
	"strings"
	"testing"
)

// TestLowPortWithoutRight takes the right to bind low ports from the daemon: what
// systemd passes works all the same, what it does not pass is told.
func TestLowPortWithoutRight(t *testing.T) {
	t.Parallel()
	s := boot(t)
	s.dropIn("CapabilityBoundingSet=~CAP_NET_BIND_SERVICE\n")
	s.configure(app{name: "web", port: 80, keys: "external_host: '*'\nhealthcheck: /health\n"})
	s.install(firstVersion)
	s.awaitDaemon()
	s.awaitServing("web")
	// One socket for both families.
	for _, host := range []string{"127.0.0.1", "::1"} {
		if got, err := s.getFrom(host, 80, "/info"); err != nil || got.pid == 0 {
			t.Errorf("on %s: %+v, %v", host, got, err)
		}
	}
	s.sources(map[string]string{"[::]:80": "systemd"})

	s.configure(app{name: "late", port: 81})
	s.Run("gracevisorctl", "update")
	s.awaitMessage("late", "CAP_NET_BIND_SERVICE")
	if got := s.Run("gracevisorctl", "sockets"); !strings.Contains(got, "CAP_NET_BIND_SERVICE") {
		t.Errorf("%s", got)
	}
	s.mustGet(80, "/info")
}

// TestUnprivilegedDaemon runs the daemon as a user without any right: with the
// socket passed it serves a low port, and what needs root is told.
func TestUnprivilegedDaemon(t *testing.T) {
	t.Parallel()
	s := installed(t)
	s.configure(app{name: "web", port: 80, asDaemon: true, keys: "healthcheck: /health\n"},
		app{name: "other", port: 8181, keys: "max_retries: 1\n"})
	s.Run("chgrp", "-R", "gracevisor-proxy", "/etc/gracevisor")
	s.Run("chmod", "-R", "g+rX", "/etc/gracevisor")
	s.dropIn("User=gracevisor-proxy\nCapabilityBoundingSet=\n")
	s.Reboot()
	s.awaitDaemon()
	s.awaitServing("web")
	s.mustGet(80, "/info")
	s.awaitMessage("user.username needs root", "www-data")
	s.awaitMessage("no delegated cgroup")
	s.AwaitProperty(daemonUnit, "StatusText", "1 app serving, 1 failed: other")
	for _, message := range s.warnings() {
		if strings.Contains(message, "unprivileged port") {
			t.Errorf("it complains of a port that it was given: %s", message)
		}
	}
	s.Run("gracevisorctl", "reload", "web")
	s.mustGet(80, "/info")
}

// TestReadOnlyCgroups: without a cgroup that can be written to process groups do,
// and limits that can not be set are told.
func TestReadOnlyCgroups(t *testing.T) {
	t.Parallel()
	s := boot(t)
	s.dropIn("ProtectControlGroups=yes\n")
	limited := demo("--children=1")
	limited.keys += "limits: {memory_max: 100}\n"
	s.configure(limited)
	s.install(firstVersion)
	s.awaitDaemon()
	s.awaitServing("demo")
	s.awaitMessage("no delegated cgroup", "read-only file system")
	s.awaitMessage("limits can not be set", "demo/1")
	s.underLoad(func() { s.Run("gracevisorctl", "restart", "demo") })
	s.Run("systemctl", "stop", daemonUnit)
	if left := s.processes("testapp"); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
}

// TestWrongListenFDs has more promised than is passed: that is told, and what was
// passed is used.
func TestWrongListenFDs(t *testing.T) {
	t.Parallel()
	s := boot(t)
	s.dropIn("Environment=LISTEN_FDS=77\n") // ours outdoes systemd's
	s.configure(demo())
	s.install(firstVersion)
	s.awaitDaemon()
	s.awaitServing("demo")
	s.awaitMessage("promises files that it has not passed", "files=")
	s.sources(map[string]string{"127.0.0.1:8080": "systemd", "[::1]:8080": "systemd"})
	s.underLoad(func() { s.Run("gracevisorctl", "restart", "demo") })
	before, daemon := s.awaitServing("demo"), s.MainPID(daemonUnit)
	s.underLoad(func() {
		s.Kill("KILL", daemon)
		s.awaitOtherDaemon(daemon)
	})
	if after := s.awaitServing("demo"); after != before {
		t.Errorf("the app was %d and is %d", before, after)
	}
}
