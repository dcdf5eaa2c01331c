package systemd

import (
	"encoding/json"
	"strings"
	"testing"

	"gracevisor/internal/control"
)

// TestReload reloads under load: all apps are replaced.
func TestReload(t *testing.T) {
	t.Parallel()
	s := installed(t, demo())
	before, daemon := s.awaitServing("demo"), s.MainPID(daemonUnit)
	s.underLoad(func() { s.Run("systemctl", "reload", "gracevisor") })
	if after := s.awaitServing("demo"); after == before {
		t.Error("the app was not restarted")
	}
	s.sameDaemon(daemon)
}

// sameDaemon fails the test unless the unit runs with the main process that it
// had.
func (s *service) sameDaemon(pid int) {
	s.t.Helper()
	s.AwaitActive(daemonUnit) // READY=1 may come after the answer to who has asked
	if got := s.MainPID(daemonUnit); got != pid {
		s.t.Errorf("the main process was %d and is %d", pid, got)
	}
	if got := s.Property(daemonUnit, "NRestarts"); got != "0" {
		s.t.Errorf("systemd has restarted the service %s times", got)
	}
}

// TestReloadOfBrokenConfiguration changes nothing, and an administrator sees why.
func TestReloadOfBrokenConfiguration(t *testing.T) {
	t.Parallel()
	s := installed(t, demo())
	before, daemon := s.awaitServing("demo"), s.MainPID(daemonUnit)
	s.Write("/etc/gracevisor/apps.d/broken.yaml", "name: broken\ncommand: sleep {port}\nexternal_prot: 8181\n")
	s.underLoad(func() {
		if got := s.Try("systemctl", "reload", "gracevisor"); got.Code != 1 {
			t.Errorf("%v", got)
		}
	})
	s.sameDaemon(daemon)
	if after := s.awaitServing("demo"); after != before {
		t.Errorf("the app was %d and is %d", before, after)
	}
	const place = "/etc/gracevisor/apps.d/broken.yaml:3:1"
	s.awaitMessage(place, "external_prot")
	if got := s.Try("systemctl", "status", "--no-pager", "--full", "gracevisor"); got.Code != 0 || !strings.Contains(got.Stdout, place) {
		t.Errorf("%v", got)
	}

	s.Run("rm", "/etc/gracevisor/apps.d/broken.yaml")
	s.Run("systemctl", "reload", "gracevisor")
	s.sameDaemon(daemon)
}

// TestReloadOfFailingApp keeps the old instance, and tells why the new one has
// failed.
func TestReloadOfFailingApp(t *testing.T) {
	t.Parallel()
	s := installed(t, demo())
	before, daemon := s.awaitServing("demo"), s.MainPID(daemonUnit)
	failing := demo("--exit-after=0", "--exit-code=3", "--say-error=no-such-database")
	failing.keys += "max_retries: 2\n"
	s.configure(failing)
	s.underLoad(func() {
		if got := s.Try("systemctl", "reload", "gracevisor"); got.Code != 1 {
			t.Errorf("%v", got)
		}
	})
	s.sameDaemon(daemon)
	if after := s.awaitServing("demo"); after != before {
		t.Errorf("the app was %d and is %d", before, after)
	}
	s.awaitMessage("demo", "exit status 3")
	s.awaitMessage("no-such-database")
}

// TestReloadIsTold reloads past systemctl: the unit is reloading as long as the
// apps are.
func TestReloadIsTold(t *testing.T) {
	t.Parallel()
	s := boot(t)
	s.Write("/usr/local/bin/notifier", notifier)
	s.Run("chmod", "755", "/usr/local/bin/notifier")
	s.Write("/run/ready", "")
	s.configure(notifying(""))
	s.install(firstVersion)
	s.awaitDaemon()
	daemon := s.MainPID(daemonUnit)
	s.Run("rm", "/run/ready")
	reload := s.Start("gracevisorctl", "reload")
	s.AwaitProperty(daemonUnit, "ActiveState", "reloading")
	s.Write("/run/ready", "")
	if reload.Code() != 0 {
		t.Errorf("exit status %d: %s", reload.Code(), reload.Output())
	}
	s.AwaitActive(daemonUnit)
	s.sameDaemon(daemon)

	// An app that fails is named in what systemctl status shows.
	billing := app{name: "billing", port: 8181, flags: []string{"--exit-after=0"}, keys: "max_retries: 1\n"}
	s.configure(billing)
	if got := s.Try("gracevisorctl", "update"); got.Code != 1 {
		t.Errorf("%v", got)
	}
	s.AwaitProperty(daemonUnit, "StatusText", "1 app serving, 1 failed: billing")
}

// TestNewApp adds an app by configuration. Its address is the daemon's, and
// from the next boot on systemd's.
func TestNewApp(t *testing.T) {
	t.Parallel()
	s := installed(t, demo())
	before := s.awaitServing("demo")
	since := s.Property(socketUnit, "ActiveEnterTimestampMonotonic")
	s.configure(app{name: "second", port: 8181})
	s.underLoad(func() { s.Run("gracevisorctl", "update") })
	s.mustGet(8181, "/info")
	if after := s.awaitServing("demo"); after != before {
		t.Errorf("the other app was %d and is %d", before, after)
	}
	s.sources(map[string]string{"127.0.0.1:8080": "systemd", "[::1]:8080": "systemd", "127.0.0.1:8181": "bound", "[::1]:8181": "bound"})

	// Its listener outlives the daemon, as systemd's do.
	s.underLoad(func() {
		daemon := s.MainPID(daemonUnit)
		s.Kill("KILL", daemon)
		s.awaitOtherDaemon(daemon)
	})
	s.mustGet(8181, "/info")

	// The unit learns of the address, and must not touch the ones it has.
	s.underLoad(func() { s.Run("systemctl", "daemon-reload") })
	s.mustGet(8181, "/info")
	if got := s.Property(socketUnit, "ActiveEnterTimestampMonotonic"); got != since {
		t.Error("the socket unit was started again")
	}
	s.Reboot()
	s.sources(map[string]string{"127.0.0.1:8080": "systemd", "[::1]:8080": "systemd", "127.0.0.1:8181": "systemd", "[::1]:8181": "systemd"})
	s.mustGet(8181, "/info")
}

// sources fails the test unless these are the external addresses, and where
// their sockets came from.
func (s *service) sources(want map[string]string) {
	s.t.Helper()
	got := s.sockets()
	for _, socket := range got {
		if want[socket.Address] != socket.Source || socket.Error != "" {
			s.t.Errorf("socket %+v", socket)
		}
		if socket.Backlog != 4096 {
			s.t.Errorf("backlog of %s: %d", socket.Address, socket.Backlog)
		}
	}
	if len(got) != len(want) {
		s.t.Errorf("sockets %+v", got)
	}
}

func (s *service) sockets() []control.Socket {
	s.t.Helper()
	var list control.SocketList
	if err := json.Unmarshal([]byte(s.Run("gracevisorctl", "--json", "sockets")), &list); err != nil {
		s.t.Fatal(err)
	}
	return list.Sockets
}
