package systemd

import (
	"fmt"
	"slices"
	"testing"

	"gracevisor/internal/control"
)

// TestDaemonHangs stops the daemon with a signal, under load, until systemd's
// watchdog has replaced it.
func TestDaemonHangs(t *testing.T) {
	t.Parallel()
	s := boot(t)
	s.dropIn("WatchdogSec=2s\n")
	s.configure(demo())
	s.install(firstVersion)
	s.awaitDaemon()
	before, daemon := s.awaitServing("demo"), s.MainPID(daemonUnit)
	s.underLoad(func() {
		s.Kill("STOP", daemon)
		s.awaitOtherDaemon(daemon)
	})
	if after := s.awaitServing("demo"); after != before {
		t.Errorf("the app was %d and is %d", before, after)
	}
	s.AwaitProperty(daemonUnit, "NRestarts", "1")
	s.oneOfEach()
}

// TestWorkerHangs stops the worker with a signal: the daemon replaces it, and
// is not taken for hung itself.
func TestWorkerHangs(t *testing.T) {
	t.Parallel()
	s := boot(t)
	s.dropIn("WatchdogSec=4s\n")
	s.configure(demo())
	s.install(firstVersion)
	s.awaitDaemon()
	before, daemon, worker := s.awaitServing("demo"), s.MainPID(daemonUnit), s.worker()
	s.Kill("STOP", worker)
	// It waits in the queue of the listener, where an administrator sees it, until
	// the next worker accepts.
	answered := make(chan answer, 1)
	// Ends with the answer.
	go func() {
		got, err := s.get(8080, "/info")
		if err != nil {
			t.Error(err)
		}
		answered <- got
	}()
	s.Await("the connection to be queued", func() (string, bool) {
		list := s.sockets()
		return fmt.Sprintf("%+v", list), slices.ContainsFunc(list, func(socket control.Socket) bool {
			return socket.Address == "127.0.0.1:8080" && socket.Queue == 1
		})
	})
	if got := <-answered; got.pid != before {
		t.Errorf("the app was %d and is %d", before, got.pid)
	}
	if after := s.worker(); after == worker {
		t.Error("the worker is the same")
	}
	s.sameDaemon(daemon)
}
