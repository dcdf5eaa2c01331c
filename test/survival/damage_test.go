package survival

import (
	"encoding/binary"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"gracevisor/test/harness"
	"gracevisor/test/load"
	"gracevisor/test/siege"
)

// kept is the beginning of the names of the daemon's files in the store.
const kept = "gracevisor/"

// TestDamagedState crashes the daemon and damages what it has left of its state.
// Nothing is known of the apps then: they are started anew beside those that
// run, which go when nothing uses them any more.
func TestDamagedState(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		damage func(t *testing.T, state *os.File)
	}{
		{"corrupt", func(t *testing.T, state *os.File) { overwrite(t, state, 200, "garbage") }},
		{"truncated", func(t *testing.T, state *os.File) { truncate(t, state, 100) }},
		{"empty", func(t *testing.T, state *os.File) { truncate(t, state, 0) }},
		{"future", func(t *testing.T, state *os.File) { overwrite(t, state, 0, "\x00\x00\x00\x00\x00\x00\x00\x00") }},
		{"missing", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := served(t)
			old, before := s.pids(), s.holds(s.Status().PID)
			report := s.under("kill -9, "+c.name+" state", s.passing(), func() {
				s.Signal(syscall.SIGKILL)
				s.service.Wait()
				s.service.Edit(func(stored []harness.StoredFile) []harness.StoredFile {
					return damaged(t, stored, c.damage)
				})
				s.service.Restart()
				s.AwaitAnswer()
				s.AwaitServing(web, line)
			})
			s.unharmed(report)
			for app, pid := range s.pids() {
				if pid == old[app] {
					t.Errorf("%s was to be started anew", app)
				}
			}
			s.asBefore(before) // the old processes have gone
		})
	}
}

// damaged damages the state among the files of a store, or without damage takes
// it out.
func damaged(t *testing.T, stored []harness.StoredFile, damage func(*testing.T, *os.File)) []harness.StoredFile {
	t.Helper()
	i := slices.IndexFunc(stored, func(s harness.StoredFile) bool { return s.Name == kept+"state" })
	if i < 0 {
		t.Fatal("the store has no state")
	}
	if damage != nil {
		damage(t, stored[i].File)
		return stored
	}
	stored[i].File.Close()
	return slices.Delete(stored, i, i+1)
}

// overwrite overwrites a part of both slots.
func overwrite(t *testing.T, state *os.File, at int64, text string) {
	t.Helper()
	const slot = 32 << 20
	for _, begin := range []int64{0, slot} {
		if _, err := state.WriteAt([]byte(text), begin+at); err != nil {
			t.Fatal(err)
		}
	}
}

func truncate(t *testing.T, state *os.File, size int64) {
	t.Helper()
	if err := state.Truncate(size); err != nil {
		t.Fatal(err)
	}
}

// TestTornState damages the newer of the two slots, as a crash in the middle of
// a write does: the older one counts.
func TestTornState(t *testing.T) {
	t.Parallel()
	s := served(t)
	pids, before := s.pids(), s.holds(s.Status().PID)
	report := s.under("kill -9 in a write of the state", s.steady(), func() {
		s.Signal(syscall.SIGKILL)
		s.service.Wait()
		s.service.Edit(func(stored []harness.StoredFile) []harness.StoredFile {
			return damaged(t, stored, tear)
		})
		s.service.Restart()
		s.AwaitAnswer()
	})
	s.unbroken(report)
	s.samePIDs(pids)
	s.awaitSettled()
	s.asBefore(before)
}

func tear(t *testing.T, state *os.File) {
	t.Helper()
	const slot, sequence = 32 << 20, 8
	newest, at := uint64(0), int64(0)
	for _, begin := range []int64{0, slot} {
		head := make([]byte, 16)
		if _, err := state.ReadAt(head, begin); err != nil {
			t.Fatal(err)
		}
		if n := binary.LittleEndian.Uint64(head[sequence:]); n > newest {
			newest, at = n, begin
		}
	}
	if _, err := state.WriteAt([]byte("torn"), at+100); err != nil {
		t.Fatal(err)
	}
}

// TestMissingFiles crashes the daemon and takes one kind of its files out of the
// store, or puts some in that nobody knows: the proxy goes on, and what is lost
// is told.
func TestMissingFiles(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, suffix, told string
		steady             bool // connections outlive it
		forGood            bool // as long as the process lives that it is of
	}{
		{"output", "/stdout", "cannot read on what an instance writes", true, true},
		{"pidfd of an app", "web/1/pidfd", "found a process that was not kept", true, false},
		{"pidfd of a worker", "worker/1/pidfd", "found a process that was not kept", true, false},
		{"log of a worker", "worker/1/log", "cannot read on the log of a worker", true, true},
		{"conversation", "worker/1/wire", "cannot take over worker", false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := served(t)
			pids, before := s.pids(), s.holds(s.Status().PID)
			all := s.passing()
			if c.steady {
				all = s.steady()
			}
			report := s.under("kill -9, lost: "+c.name, all, func() {
				s.Signal(syscall.SIGKILL)
				s.service.Wait()
				s.service.Edit(func(stored []harness.StoredFile) []harness.StoredFile {
					return without(stored, c.suffix)
				})
				s.service.Restart()
				s.AwaitAnswer()
			})
			if c.steady {
				s.unbroken(report)
			} else {
				s.unharmed(report)
			}
			s.samePIDs(pids)
			if !strings.Contains(s.DaemonOutput(), c.told) {
				t.Errorf("it was to be told with %q", c.told)
			}
			before.stored = slices.DeleteFunc(before.stored, func(name string) bool {
				return c.forGood && strings.HasSuffix(name, kinds([]string{c.suffix})[0])
			})
			s.awaitSettled()
			s.asBefore(before)
		})
	}
}

func without(stored []harness.StoredFile, suffix string) []harness.StoredFile {
	return slices.DeleteFunc(stored, func(s harness.StoredFile) bool {
		if !strings.HasSuffix(s.Name, suffix) {
			return false
		}
		s.File.Close()
		return true
	})
}

// TestUnknownFiles: files that nobody knows are told and closed.
func TestUnknownFiles(t *testing.T) {
	t.Parallel()
	s := served(t)
	pids, before := s.pids(), s.holds(s.Status().PID)
	report := s.under("kill -9, unknown files", s.steady(), func() {
		s.Signal(syscall.SIGKILL)
		s.service.Wait()
		s.service.Edit(func(stored []harness.StoredFile) []harness.StoredFile {
			for _, name := range []string{kept + "app/nobody/7/stdout", kept + "app/nobody/7/pidfd", kept + "what", "stranger"} {
				r, w, err := os.Pipe()
				if err != nil {
					t.Fatal(err)
				}
				stored = append(stored, harness.StoredFile{Name: name, File: r})
				w.Close()
			}
			return stored
		})
		s.service.Restart()
		s.AwaitAnswer()
	})
	s.unbroken(report)
	s.samePIDs(pids)
	before.stored = append([]string{"stranger"}, before.stored...) // it is not the daemon's to remove
	slices.Sort(before.stored)
	s.asBefore(before)
}

// TestFullStore gives the daemon a store that does not take all that it has. What
// costs requests is in it all the same, as long as it takes the listeners; if not,
// clients may be turned away at a crash, and no more. What comes after it serves.
func TestFullStore(t *testing.T) {
	t.Parallel()
	for _, limit := range []int{1, 3, 5, 8, 12} {
		s := prepare(t)
		s.service = s.Serve()
		s.service.SetLimit(limit)
		s.begin()
		if !strings.Contains(s.DaemonOutput(), "fd store is full") {
			t.Errorf("limit %d: it was to be told:\n%s", limit, s.DaemonOutput())
		}
		takesListeners := limit >= 5 // the state, and two for each app
		listener := "127.0.0.1_" + strconv.Itoa(s.web.Port)
		s.Await("the store to be full", func() bool {
			names := s.service.Names()
			has := slices.ContainsFunc(names, func(name string) bool { return strings.Contains(name, listener) })
			return len(names) == limit && (has || !takesListeners)
		})
		get := load.Options{Address: s.web.Address(), Clients: map[load.Kind]int{load.Get: 4}, Pause: siege.Pause}
		report := s.besiege(fmt.Sprintf("kill -9, a store of %d", limit), []load.Options{get}, func(under *siege.Siege) {
			s.service.Crash()
			s.AwaitAnswer()
			s.AwaitServing(web, line)
			s.await(under, 2)
			s.Must("restart", web)
			s.await(under, 2)
		})
		if takesListeners {
			s.unharmed(report)
		} else {
			s.onlyTurnedAway(report)
		}
		s.awaitSettled()
		s.Await("the old processes to have gone", func() bool {
			return len(s.Processes()) == 4 // daemon, worker and two apps
		})
	}
}

// onlyTurnedAway fails the test if anything else has failed than connections that
// were refused, or reset before anybody had accepted them.
func (s *scene) onlyTurnedAway(report *load.Report) {
	s.t.Helper()
	for kind, k := range report.Kinds {
		for _, text := range k.Errors {
			if !strings.Contains(text, "connection refused") && !strings.Contains(text, "connection reset") {
				s.t.Errorf("%s: %s", kind, text)
			}
		}
	}
}

// TestWithoutServiceManager kills a daemon that nobody keeps anything for: the
// worker finishes what it has and leaves, and the next daemon finds the apps that
// are left, stops them, and starts its own on other ports.
func TestWithoutServiceManager(t *testing.T) {
	t.Parallel()
	s := foreground(t)
	old, workers, ports := s.pids(), s.Status().Workers, s.internal()
	requests := s.hold(3, 3)
	d := s.Orphan()
	requests.answered() // the worker finishes what it has
	s.awaitEnd(workers[0].PID)
	s.Start()
	for port := range s.internal() {
		if ports[port] { // the old ones were still there
			t.Errorf("a second copy was started on port %s", port)
		}
	}
	s.awaitSettled()
	for app, pid := range s.pids() {
		if pid == old[app] {
			t.Errorf("%s has its old process", app)
		}
		s.awaitEnd(old[app])
	}
	if d.PID == s.Status().PID {
		t.Error("it is the same daemon")
	}
	s.Await("no process to be left", func() bool {
		return len(s.Processes()) == 4 // daemon, worker and two apps
	})
	var states []string
	for _, a := range s.Status().Apps {
		for _, i := range a.Instances {
			states = append(states, a.Name+" "+i.State)
		}
	}
	if want := []string{"web serving", "line serving"}; !slices.Equal(states, want) {
		t.Errorf("instances: %v", states)
	}
}

// internal are the internal ports of all instances.
func (s *scene) internal() map[string]bool {
	s.t.Helper()
	ports := make(map[string]bool)
	for _, a := range s.Status().Apps {
		for _, i := range a.Instances {
			ports[i.Internal[strings.LastIndexByte(i.Internal, ':')+1:]] = true
		}
	}
	return ports
}

// awaitEnd waits until a process has gone.
func (s *scene) awaitEnd(pid int) {
	s.t.Helper()
	s.Await("the end of a process", func() bool { return syscall.Kill(pid, 0) != nil })
}
