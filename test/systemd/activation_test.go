package systemd

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// TestFirstConnection lets a connection start the service: after a stop, and
// after a boot at which only the socket was started.
func TestFirstConnection(t *testing.T) {
	t.Parallel()
	s := installed(t, demo())
	s.Run("systemctl", "stop", daemonUnit)
	s.AwaitProperty(daemonUnit, "ActiveState", "inactive")
	s.mustGet(8080, "/info")
	s.awaitDaemon()

	s.Run("systemctl", "disable", daemonUnit)
	s.Run("systemctl", "enable", socketUnit)
	s.Reboot()
	if got := s.Property(daemonUnit, "ActiveState"); got != "inactive" {
		t.Fatalf("after a boot without a connection the service is %s", got)
	}
	if got, err := s.getFrom("::1", 8080, "/info"); err != nil || got.status != 200 {
		t.Errorf("got %+v, %v", got, err)
	}
	s.awaitDaemon()
}

// TestQueuedConnections connects while the service cannot start.
func TestQueuedConnections(t *testing.T) {
	t.Parallel()
	s := installed(t, demo())
	s.Write("/etc/systemd/system/gracevisor.service.d/gate.conf", "[Service]\nExecStartPre=test -e /run/gate\n")
	s.Run("systemctl", "daemon-reload")
	s.Run("systemctl", "stop", daemonUnit)

	const clients = 50
	answers := make([]answer, clients)
	errs := make([]error, clients)
	var waiting sync.WaitGroup
	for i := range clients {
		waiting.Go(func() { answers[i], errs[i] = s.get(8080, "/info") })
	}
	s.Await("the service to have failed 5 times", func() (string, bool) {
		seen := s.Property(daemonUnit, "NRestarts")
		n, err := strconv.Atoi(seen)
		return seen, err == nil && n >= 5
	})
	s.Await("all connections to be queued", func() (string, bool) {
		seen := s.Run("ss", "-Hltn", "src", "127.0.0.1:8080")
		fields := strings.Fields(seen)
		return seen, len(fields) > 1 && fields[1] == strconv.Itoa(clients)
	})
	s.Write("/run/gate", "")
	waiting.Wait()
	for i := range clients {
		if errs[i] != nil || answers[i].status != 200 || answers[i].pid == 0 {
			t.Errorf("got %+v, %v", answers[i], errs[i])
		}
	}
	s.awaitDaemon()
}

// TestForeignSockets passes sockets from units that an administrator has
// written: one has the name of an app, and the others fit nothing.
func TestForeignSockets(t *testing.T) {
	t.Parallel()
	s := boot(t)
	for name, text := range map[string]string{
		"other": "ListenStream=127.0.0.1:8282\nFileDescriptorName=named\n",
		"spare": "ListenStream=127.0.0.1:9999\n",
		"wrong": "ListenDatagram=127.0.0.1:9998\n",
		// A second one of the same name is the app's as well.
		"also": "ListenStream=127.0.0.1:8383\nFileDescriptorName=named\n",
	} {
		s.Write("/etc/systemd/system/"+name+".socket", "[Socket]\nService=gracevisor.service\n"+text+"[Install]\nWantedBy=sockets.target\n")
		s.Run("systemctl", "enable", name+".socket")
	}
	s.Run("systemctl", "daemon-reload")
	// Its address is not one that the generator could know.
	s.Shell("echo '127.0.0.5 app.test' >>/etc/hosts")
	s.configure(demo(), app{name: "named", port: 8484, keys: "external_host: app.test\n"})
	s.install(firstVersion)
	s.Reboot() // systemd passes the sockets that are there at the start
	s.awaitDaemon()
	s.awaitServing("named")
	s.mustGet(8080, "/info")
	for _, port := range []int{8282, 8383} {
		if got, err := s.get(port, "/info"); err != nil || got.status != 200 {
			t.Errorf("the app's named socket: %+v, %v", got, err)
		}
	}
	s.awaitMessage("wrong.socket")
	s.awaitMessage("127.0.0.1:9999")
}

// awaitMessage waits for an entry of the daemon's unit that has these words.
func (s *service) awaitMessage(words ...string) {
	s.t.Helper()
	s.Await(fmt.Sprintf("%q in the journal", words), func() (string, bool) {
		text := s.Run("journalctl", "--quiet", "--no-pager", "--output=cat", "--unit="+daemonUnit)
		for line := range strings.Lines(text) {
			missing := false
			for _, word := range words {
				missing = missing || !strings.Contains(line, word)
			}
			if !missing {
				return "", true
			}
		}
		return text, false
	})
}

// TestUnixSocket reaches an app at a path on which systemd listens.
func TestUnixSocket(t *testing.T) {
	t.Parallel()
	s := installed(t, app{name: "local", keys: "external_socket: /run/local.sock\n"})
	ask := func() {
		t.Helper()
		got := s.Run("curl", "--silent", "--show-error", "--fail", "--unix-socket", "/run/local.sock", "http://local/info")
		if !strings.Contains(got, `"pid"`) {
			t.Errorf("got %q", got)
		}
	}
	ask()
	s.Run("systemctl", "stop", daemonUnit)
	ask()
	if got := s.Property(socketUnit, "Listen"); got != "/run/local.sock (Stream)" {
		t.Errorf("the socket unit listens on %q", got)
	}
	s.sources(map[string]string{"/run/local.sock": "systemd"})
}
