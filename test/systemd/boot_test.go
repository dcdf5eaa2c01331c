package systemd

import (
	"strings"
	"testing"
)

// TestBoot boots a machine that has the package: the listeners are systemd's,
// and apps answer on them.
func TestBoot(t *testing.T) {
	t.Parallel()
	s := installed(t, demo())
	s.Reboot()
	listen := s.Property(socketUnit, "Listen")
	for _, address := range []string{"127.0.0.1:8080", "[::1]:8080"} {
		if !strings.Contains(listen, address+" (Stream)") {
			t.Errorf("the socket unit listens on %q", listen)
		}
		if got := s.Run("ss", "-Hltnp", "src", address); !strings.Contains(got, `"systemd",pid=1,`) {
			t.Errorf("who listens on %s: %s", address, got)
		}
	}
	s.awaitDaemon()
	s.mustGet(8080, "/info")
	if got := s.Property(daemonUnit, "StatusText"); got != "1 app serving" {
		t.Errorf("its status is %q", got)
	}
}

// TestShutdown shuts the machine down while an app answers.
func TestShutdown(t *testing.T) {
	t.Parallel()
	s := installed(t, demo())
	request := s.hold()
	s.RebootWhile(func() {
		s.awaitStopping()
		request.release()
	})
	if err := <-request.answered; err != nil {
		t.Errorf("the request under way: %v", err)
	}
}

// TestBootIsNotHeldUp boots with an app that never gets ready.
func TestBootIsNotHeldUp(t *testing.T) {
	t.Parallel()
	s := installed(t, demo())
	s.configure(app{name: "late", port: 8181, flags: []string{"--never-listen"}})
	s.Shell("echo 'ready_timeout: 1' >>/etc/gracevisor/gracevisor.yaml")
	s.Reboot()
	s.awaitDaemon()
	s.mustGet(8080, "/info")
	s.AwaitProperty(daemonUnit, "StatusText", "1 app serving, 1 starting")
}
