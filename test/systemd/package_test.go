package systemd

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// TestInstall installs the package without an app, and looks at what an
// administrator would look at.
func TestInstall(t *testing.T) {
	t.Parallel()
	s := installed(t)
	for _, command := range [][]string{
		{"systemctl", "is-system-running"},
		{"systemctl", "is-enabled", daemonUnit, socketUnit},
		{"gracevisorctl", "status"},
		{"gracevisord", "--conf", "/etc/gracevisor", "--check"},
		{"getent", "passwd", "gracevisor-proxy"},
		{"getent", "group", "gracevisor"},
	} {
		s.Run(command...)
	}
	if got := s.Run("dpkg", "--verify", "gracevisor"); got != "" {
		t.Errorf("dpkg --verify: %s", got)
	}
	verify := s.Try("systemd-analyze", "verify", "--man=no", daemonUnit, socketUnit, appsUnit, targetUnit, "gracevisor.slice")
	if verify.Code != 0 || verify.Stdout+verify.Stderr != "" {
		t.Errorf("%v", verify)
	}
	security := lines(s.Run("systemd-analyze", "security", "--no-pager", daemonUnit))
	architecture, err := os.ReadFile("../../ARCHITECTURE.md")
	if level := security[len(security)-1]; err != nil || !strings.Contains(string(architecture), level) {
		t.Errorf("ARCHITECTURE.md does not quote %q: %v", level, err)
	}
	if missing := s.warnings(); len(missing) > 0 {
		t.Errorf("the daemon complains: %q", missing)
	}
	for _, path := range []string{"/usr/share/man/man8/gracevisord.8.gz", "/usr/share/man/man1/gracevisorctl.1.gz",
		"/usr/share/man/man5/gracevisor.yaml.5.gz", "/usr/share/bash-completion/completions/gracevisorctl",
		"/usr/share/doc/gracevisor/copyright"} {
		if !s.Exists(path) {
			t.Errorf("missing: %s", path)
		}
	}
}

// warnings are the daemon's entries in the journal of priority warning or worse.
func (s *service) warnings() (messages []string) {
	s.t.Helper()
	for _, entry := range s.Journal("--unit="+daemonUnit, "--priority=warning") {
		messages = append(messages, entry["MESSAGE"])
	}
	return messages
}

// TestUpgrade upgrades under load: apps and listeners stay, and so does what
// the administrator has changed.
func TestUpgrade(t *testing.T) {
	t.Parallel()
	s := installed(t, demo())
	before := s.awaitServing("demo")
	since := s.Property(socketUnit, "ActiveEnterTimestampMonotonic")
	s.Shell("echo '# mine' >>/etc/gracevisor/gracevisor.yaml")
	s.underLoad(func() { t.Log(s.install(nextVersion)) })
	if after := s.awaitServing("demo"); after != before {
		t.Errorf("the app was %d and is %d", before, after)
	}
	if got := s.Property(socketUnit, "ActiveEnterTimestampMonotonic"); got != since {
		t.Error("the socket unit was started again")
	}
	if got := s.Read("/etc/gracevisor/gracevisor.yaml"); !strings.HasSuffix(got, "# mine\n") {
		t.Error("the configuration was overwritten")
	}
	if got := s.Run("gracevisord", "--version"); !strings.Contains(got, nextVersion) {
		t.Errorf("installed is %s", got)
	}
	s.awaitDaemon()
	s.AwaitActive(appsUnit)
	if status, err := s.status(); err != nil || !strings.Contains(status.Version, nextVersion) {
		t.Errorf("running is %+v, %v", status, err)
	}
	// What the old version has started can be replaced by the new one.
	s.underLoad(func() { s.Run("gracevisorctl", "restart", "demo") })
	s.oneOfEach()
}

// TestDowngrade goes back to an older version.
func TestDowngrade(t *testing.T) {
	t.Parallel()
	s := boot(t)
	s.configure(demo())
	s.install(nextVersion)
	s.awaitDaemon()
	before := s.awaitServing("demo")
	s.underLoad(func() { s.install(firstVersion) })
	if after := s.awaitServing("demo"); after != before {
		t.Errorf("the app was %d and is %d", before, after)
	}
	s.oneOfEach()
}

// TestRemove removes the package: the service is gone, logs and configuration
// stay, and a new installation goes on with them. A purge leaves nothing.
func TestRemove(t *testing.T) {
	t.Parallel()
	s := installed(t, demo("--grandchildren=1", "--stubborn"))
	s.Run("apt-get", "remove", "--yes", "gracevisor")
	s.nothingRuns()
	for _, path := range []string{"/var/log/gracevisor/gracevisor.log", "/etc/gracevisor/gracevisor.yaml", "/etc/gracevisor/apps.d/demo.yaml"} {
		if !s.Exists(path) {
			t.Errorf("gone with the package: %s", path)
		}
	}
	s.Reboot()
	s.nothingRuns()

	s.install(firstVersion)
	s.awaitServing("demo")
	s.mustGet(8080, "/info")

	s.Run("apt-get", "purge", "--yes", "gracevisor")
	s.nothingRuns()
	if units := s.Run("systemctl", "list-units", "--all", "--no-legend", "gracevisor*"); units != "" {
		s.t.Errorf("units are left: %s", units)
	}
	if left := strings.Fields(s.Run("find", "/etc", "/opt", "/run", "/srv", "/tmp", "/usr", "/var", "-xdev", "-name", "*gracevisor*")); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
	s.Reboot()
	s.nothingRuns()
}

// nothingRuns fails the test if anything of the service is there.
func (s *service) nothingRuns() {
	s.t.Helper()
	if left := slices.Concat(s.processes("testapp"), s.processes("gracevisor")); len(left) > 0 {
		s.t.Errorf("processes are left: %q", left)
	}
	if got := s.Run("ss", "-Hltn"); got != "" {
		s.t.Errorf("listens: %s", got)
	}
	// Until the purge it stays enabled, for the next installation; but there is
	// nothing to be started.
	for _, unit := range []string{daemonUnit, socketUnit, appsUnit, targetUnit} {
		if got := s.Property(unit, "LoadState"); got != "not-found" {
			s.t.Errorf("%s is %s", unit, got)
		}
	}
	if files := s.Try("systemctl", "list-unit-files", "--no-legend", "gracevisor*"); files.Stdout != "" {
		s.t.Errorf("unit files are left: %s", files.Stdout)
	}
	if state := s.Try("systemctl", "is-system-running"); state.Code != 0 {
		s.t.Errorf("%v%s", state, s.Run("systemctl", "--failed", "--no-legend"))
	}
	if left := s.Run("find", "/run", "-name", "gracevisor*", "-not", "-path", "/run/credentials/*"); left != "" {
		s.t.Errorf("left in /run: %s", left)
	}
}
