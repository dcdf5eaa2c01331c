package systemd

import "testing"

// TestWithoutHolder takes away the cgroup for apps: the daemon says so in one
// line, and does without.
func TestWithoutHolder(t *testing.T) {
	t.Parallel()
	s := boot(t)
	s.Run("systemctl", "mask", appsUnit)
	s.configure(demo("--grandchildren=1"))
	s.install(firstVersion)
	s.awaitDaemon()
	before := s.awaitServing("demo")
	s.awaitMessage("no delegated cgroup")
	s.underLoad(func() { s.Run("gracevisorctl", "restart", "demo") })
	if after := s.awaitServing("demo"); after == before {
		t.Error("the app was not restarted")
	}
	s.Run("systemctl", "stop", daemonUnit)
	if left := s.processes("testapp"); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
}

// TestWithoutDBus stops the bus for good. What the daemon wants of systemd goes
// without it.
func TestWithoutDBus(t *testing.T) {
	t.Parallel()
	s := boot(t)
	s.Run("systemctl", "mask", "--now", "dbus.service", "dbus.socket")
	s.configure(demo())
	s.install(firstVersion)
	s.awaitDaemon()
	before := s.awaitServing("demo")
	s.awaitMessage("not on D-Bus; all else works")
	s.underLoad(func() {
		s.Run("systemctl", "restart", "gracevisor")
		s.Run("systemctl", "reload", "gracevisor")
	})
	if after := s.awaitServing("demo"); after == before {
		t.Error("the app was not restarted by the reload")
	}
}

// withoutSystemd takes systemd's marks away from the commands that follow: for
// them the machine was booted by something else (sd_booted(3)).
const withoutSystemd = `
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /var/log/gracevisor
umount /sys/fs/cgroup
init() { sh /usr/share/doc/gracevisor/examples/init.d/gracevisor "$1"; }
expect() {
	want=$1
	shift
	"$@" || got=$?
	[ "${got:-0}" = "$want" ] || { echo "$*: exit status ${got:-0} instead of $want" >&2; exit 1; }
	got=0
}
ask() { curl --silent --show-error --fail --output /dev/null http://127.0.0.1:8080/info; }
`

// TestInitScript starts, reloads and stops the daemon where there is no systemd.
func TestInitScript(t *testing.T) {
	t.Parallel()
	s := installed(t, demo())
	s.Run("systemctl", "disable", "--now", socketUnit, daemonUnit)
	s.Run("unshare", "--mount", "sh", "-euc", withoutSystemd+`
expect 3 init status
expect 0 init start
expect 0 init status
expect 0 init start
ask
expect 0 init reload
ask
expect 0 init restart
ask
echo 'apps: [' >>/etc/gracevisor/gracevisor.yaml
expect 1 init reload
ask
expect 0 init stop
expect 3 init status
expect 0 init stop
`)
	if left := s.processes("testapp"); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
}
