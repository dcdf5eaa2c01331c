package systemd

import (
	"strings"
	"testing"
)

const brokenYAML = "apps: [\n"

// TestBrokenConfigurationAtBoot boots with the last good addresses and plan.
func TestBrokenConfigurationAtBoot(t *testing.T) {
	t.Parallel()
	s := installed(t, demo())
	listen := s.Property(socketUnit, "Listen")
	good := s.Read("/etc/gracevisor/gracevisor.yaml")
	s.Write("/etc/gracevisor/gracevisor.yaml", brokenYAML)

	s.underLoad(func() { s.Run("systemctl", "daemon-reload") })
	if got := s.Property(socketUnit, "Listen"); got != listen {
		t.Errorf("after a daemon-reload the socket unit listens on %q", got)
	}
	s.Reboot()
	if got := s.Property(socketUnit, "Listen"); got != listen {
		t.Errorf("after a boot the socket unit listens on %q", got)
	}
	s.awaitDaemon()
	s.mustGet(8080, "/info")
	s.awaitMessage("/etc/gracevisor/gracevisor.yaml", "last")

	s.Write("/etc/gracevisor/gracevisor.yaml", good)
	s.Run("systemctl", "reload", "gracevisor")
}

// TestNoApps has nothing to listen on: the socket unit is inactive and has not
// failed, and the service is idle.
func TestNoApps(t *testing.T) {
	t.Parallel()
	s := installed(t)
	s.idle()
	s.Reboot()
	s.awaitDaemon()
	s.idle()

	// Named by a name: the daemon binds it.
	s.Shell("echo '127.0.0.1 app.test' >>/etc/hosts")
	byName := demo()
	byName.keys += "external_host: app.test\n"
	s.configure(byName)
	s.Run("gracevisorctl", "update")
	s.mustGet(8080, "/info")
	s.Reboot()
	s.awaitDaemon()
	s.mustGet(8080, "/info")
	s.sources(map[string]string{"127.0.0.1:8080": "bound"})
}

func (s *service) idle() {
	s.t.Helper()
	if got := s.Property(socketUnit, "ActiveState"); got != "inactive" {
		s.t.Errorf("the socket is %s", got)
	}
	if got := s.Property(daemonUnit, "StatusText"); got != "0 apps serving" {
		s.t.Errorf("the status of the daemon is %q", got)
	}
	if failed := s.Run("systemctl", "--failed", "--no-legend"); failed != "" {
		s.t.Errorf("failed units: %s", failed)
	}
	// The API on loopback is all.
	for line := range strings.Lines(s.Run("ss", "-Hltn")) {
		if !strings.Contains(line, "127.0.0.1:9001") && !strings.Contains(line, "[::1]:9001") {
			s.t.Errorf("listens: %s", line)
		}
	}
}
