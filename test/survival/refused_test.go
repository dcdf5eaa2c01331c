package survival

import (
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gracevisor/internal/control"
	"gracevisor/test/harness"
)

// TestRefusedReexec re-executes the daemon while something else than a daemon
// lies in the place of its binary: nothing happens, and it goes on.
func TestRefusedReexec(t *testing.T) {
	t.Parallel()
	s := prepare(t)
	s.OwnBinary()
	s.begin()
	pids, before, since := s.pids(), s.holds(s.Status().PID), s.Status().Since
	broken := s.WriteFile("broken", "#!/bin/sh\necho it is too old >&2\nexit 3\n")
	text := s.WriteFile("text", "no program at all\n")
	hanging := s.WriteFile("hanging", "#!/bin/sh\nexec sleep 1000\n")
	report := s.under("refused re-exec", s.steady(), func() {
		for _, c := range []struct{ binary, why string }{
			{broken, "it is too old"}, {text, "format"}, {hanging, "does not answer"}, {"", "no such file"},
		} {
			s.ReplaceBinary(c.binary)
			for _, args := range [][]string{{"reexec", "--check"}, {"reexec"}} {
				if r := s.Want(1, args...); !strings.Contains(r.Stderr, c.why) {
					t.Errorf("%q with %q was to be refused with %q:\n%s", args, c.binary, c.why, r)
				}
			}
			if status := s.Status(); !status.Since.Equal(since) {
				t.Errorf("the daemon is another one: %+v", status)
			}
		}
	})
	s.unbroken(report)
	s.samePIDs(pids)
	s.asBefore(before)

	daemon, err := harness.Binary("gracevisord")
	if err != nil {
		t.Fatal(err)
	}
	s.WriteFile("gracevisord", "")
	s.ReplaceBinary(daemon)
	s.Must("reexec")
	s.samePIDs(pids)
}

// TestChecksAtTheSameTime: that the binary is being asked by another is no answer,
// and a package would take it for a refusal.
func TestChecksAtTheSameTime(t *testing.T) {
	t.Parallel()
	s := prepare(t)
	s.OwnBinary()
	s.begin()
	asked := s.Dir + "/asked"
	s.ReplaceBinary(s.WriteFile("slow", "#!/bin/sh\n: >"+asked+"\nexec sleep 1\n"))
	first := make(chan error, 1)
	// Ends with the check.
	go func() { first <- s.check() }()
	s.Await("the binary to be asked", func() bool {
		_, err := os.Stat(asked)
		return err == nil
	})
	for n, err := range []error{s.check(), <-first} {
		if err != nil {
			t.Errorf("check %d: %v", n, err)
		}
	}
}

// check asks whether the daemon's binary could take over. It may be called from
// any goroutine.
func (s *scene) check() error {
	var last control.Event
	door := control.NewUnixClient(filepath.Join(s.RunDir, control.SocketFile))
	err := door.Do(s.t.Context(), control.Request{Verb: control.VerbReexec, Check: true}, func(e control.Event) { last = e })
	if err == nil && last.Result != control.ResultDone {
		err = errors.New(last.Error)
	}
	return err
}

// TestReexecToAnotherBuild upgrades and downgrades: a worker of the new build
// takes over, and the old one ends with its last connection.
func TestReexecToAnotherBuild(t *testing.T) {
	t.Parallel()
	next, err := harness.OtherBuild("99.0.0")
	if err != nil {
		t.Fatal(err)
	}
	first, err := harness.Binary("gracevisord")
	if err != nil {
		t.Fatal(err)
	}
	s := prepare(t)
	s.OwnBinary()
	s.begin()
	pids, before := s.pids(), s.holds(s.Status().PID)
	report := s.under("re-exec to another build", s.steady(), func() {
		for _, binary := range []string{next, first}[:times(1, 2)] {
			was := s.Status()
			s.ReplaceBinary(binary)
			s.Must("reexec")
			s.awaitTakeOver(was.Workers)
			if now := s.Status(); now.Version == was.Version || now.PID != was.PID {
				t.Errorf("version %s, pid %d; before %s, %d", now.Version, now.PID, was.Version, was.PID)
			}
		}
	})
	s.unbroken(report)
	s.samePIDs(pids)
	s.awaitSettled()
	s.asBefore(before)
}

// awaitTakeOver waits until a worker serves that is none of those before, and
// all others drain.
func (s *scene) awaitTakeOver(before []control.Worker) {
	s.t.Helper()
	s.Await("a new worker to take over", func() bool {
		workers := s.Status().Workers
		for _, w := range workers[:len(workers)-1] {
			if w.State != "draining" {
				return false
			}
		}
		newest := workers[len(workers)-1]
		return newest.State == "serving" && newest.Generation > before[len(before)-1].Generation
	})
}

// hang makes a request that is never answered, and waits until the app has it:
// the worker can not leave as long as the client is there.
func (s *scene) hang() net.Conn {
	s.t.Helper()
	c, err := net.Dial("tcp", s.web.Address())
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { c.Close() })
	if _, err := io.WriteString(c, "GET /hang HTTP/1.1\r\nHost: h\r\n\r\n"); err != nil {
		s.t.Fatal(err)
	}
	s.AwaitApp(web, "have the request", func(a control.AppStatus) bool { return a.InFlight > 0 })
	return c
}

// TestMaxWorkers: a worker too many ends the oldest.
func TestMaxWorkers(t *testing.T) {
	t.Parallel()
	first, err := harness.Binary("gracevisord")
	if err != nil {
		t.Fatal(err)
	}
	next, err := harness.OtherBuild("99.0.0")
	if err != nil {
		t.Fatal(err)
	}
	s := prepare(t)
	s.Set("max_workers", 2)
	s.Configure(s.web, s.line)
	s.OwnBinary()
	s.begin()
	workers, before := s.Status().Workers, s.holds(s.Status().PID)
	oldest := workers[0].PID
	s.hang() // it holds the first worker
	s.ReplaceBinary(next)
	s.Must("reexec")
	s.awaitTakeOver(workers)
	s.ReplaceBinary(first)
	s.Must("reexec")
	s.Await("the oldest worker to be ended", func() bool {
		workers := s.Status().Workers
		for _, w := range workers {
			if w.PID == oldest {
				return false
			}
		}
		return workers[len(workers)-1].State == "serving"
	})
	s.awaitSettled()
	s.asBefore(before)
}
