package systemd

import (
	"fmt"
	"strings"
	"testing"

	"gracevisor/internal/control"
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
	answered := s.slowly(2000)
	s.Reboot()
	if err := <-answered; err != nil {
		t.Errorf("the request under way: %v", err)
	}
}

// slowly begins a request whose answer takes so many milliseconds, and waits
// until the app has it. The channel tells whether it was answered.
func (s *service) slowly(milliseconds int) <-chan error {
	s.t.Helper()
	answered := make(chan error, 1)
	// Ends with the answer, or with the connection.
	go func() {
		got, err := s.get(8080, fmt.Sprint("/slow?ms=", milliseconds))
		if err == nil && got.status != 200 {
			err = fmt.Errorf("got %+v", got)
		}
		answered <- err
	}()
	s.awaitApp("demo", "to have a request", func(a control.AppStatus) bool { return a.InFlight == 1 })
	return answered
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
