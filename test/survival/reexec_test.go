package survival

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gracevisor/internal/control"
)

// TestReexec re-executes the daemon again and again.
func TestReexec(t *testing.T) {
	t.Parallel()
	s := foreground(t)
	pids, worker, before := s.pids(), s.Status().Workers[0].PID, s.holds(s.Status().PID)
	report := s.under("re-exec", s.steady(), func() {
		for range times(5, 100) {
			s.Must("reexec")
		}
	})
	s.unbroken(report)
	s.samePIDs(pids)
	s.asBefore(before)
	if now := s.Status().Workers[0].PID; now != worker {
		t.Errorf("the worker was %d and is %d", worker, now)
	}
}

// TestReexecDuringRestart re-executes the daemon at random points of a restart
// of an app.
func TestReexecDuringRestart(t *testing.T) {
	t.Parallel()
	s := foreground(t)
	random, before := dice(t), s.holds(s.Status().PID)
	report := s.under("re-exec during a restart", s.passing(), func() {
		for range times(5, 50) {
			was := s.pids()[web]
			s.Must("restart", web, "--no-wait")
			pass(random, 200*time.Millisecond)
			s.Must("reexec")
			s.awaitOther(web, was)
		}
	})
	s.unharmed(report)
	s.awaitSettled()
	s.asBefore(before)
}

// awaitOther waits until an app is served by another process than before.
func (s *scene) awaitOther(app string, was int) {
	s.t.Helper()
	s.Await("another process of "+app, func() bool {
		now := s.pids()[app]
		return now != 0 && now != was
	})
	s.AwaitServing(app)
}

// TestReexecAnswers: who asks for a re-execution gets the result on the same
// connection, from the program that was executed, at both doors.
func TestReexecAnswers(t *testing.T) {
	t.Parallel()
	s := foreground(t)
	token, err := os.ReadFile(filepath.Join(s.RunDir, "rpc.token"))
	if err != nil {
		t.Fatal(err)
	}
	doors := map[string]*control.Client{
		"control socket": control.NewUnixClient(filepath.Join(s.RunDir, control.SocketFile)),
		"rpc address":    control.NewTCPClient("127.0.0.1", s.RPCPort, strings.TrimSpace(string(token))),
	}
	for name, door := range doors {
		var events []control.Event
		err := door.Do(t.Context(), control.Request{Verb: control.VerbReexec}, func(e control.Event) { events = append(events, e) })
		if err != nil || len(events) != 2 || events[1].Result != control.ResultDone {
			t.Fatalf("%s: %+v, %v", name, events, err)
		}
		if want := fmt.Sprintf("pid %d", s.Status().PID); !strings.Contains(events[0].Message, want) {
			t.Errorf("%s: %q does not tell the %s", name, events[0].Message, want)
		}
	}
	before := s.holds(s.Status().PID)
	if err := doors["control socket"].Do(t.Context(), control.Request{Verb: control.VerbReexec, Check: true}, func(control.Event) {}); err != nil {
		t.Error(err)
	}
	s.asBefore(before)
}
