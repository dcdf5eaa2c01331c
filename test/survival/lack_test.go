package survival

import (
	"fmt"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"gracevisor/internal/activation"
	"gracevisor/internal/control"
	"gracevisor/test/harness"
)

// TestCrashAgainAndAgain kills the supervisor until it backs off: the worker serves
// meanwhile, and the last crash is told to operator and service manager.
func TestCrashAgainAndAgain(t *testing.T) {
	t.Parallel()
	s := served(t)
	pids, before := s.pids(), s.holds(s.Status().PID)
	report := s.under("kill -9 until the supervisor backs off", s.steady(), func() {
		for n := range 5 {
			s.Signal(syscall.SIGKILL)
			s.service.Wait()
			s.service.Edit(func(stored []harness.StoredFile) []harness.StoredFile { return justCrashed(t, stored) })
			s.service.Restart()
			s.Await("the crash to be noted", func() bool {
				return strings.Count(s.DaemonOutput(), "the daemon before this one has crashed") > n
			})
		}
		s.Await("the supervisor to back off", func() bool { return strings.Contains(s.DaemonOutput(), "too many crashes; waiting") })
		s.AwaitAnswer()
	})
	s.unbroken(report)
	s.samePIDs(pids)
	s.asBefore(before)
	status := s.Status()
	if status.LastCrash == nil {
		t.Fatal("the crash is not in the status")
	}
	s.Await("the service manager to be told", func() bool {
		return strings.Contains(s.service.Told().Status, "last crash of the daemon: "+status.LastCrash.Format("2006-01-02"))
	})
	if text := s.Must("status").Stdout; !strings.Contains(text, "crash") {
		t.Errorf("the crash is not shown:\n%s", text)
	}
}

// justCrashed makes the crashes that the state tells of recent ones, however long
// it has taken a slow machine to come to each of them.
func justCrashed(t *testing.T, stored []harness.StoredFile) []harness.StoredFile {
	t.Helper()
	return edited(t, stored, func(state string) (string, error) {
		crashes := regexp.MustCompile(`"crashes":\["[^]]*\]`)
		return crashes.ReplaceAllStringFunc(state, func(text string) string {
			now := time.Now().Add(harness.DeadMan).Format(time.RFC3339)
			return regexp.MustCompile(`"[^",]*T[^",]*"`).ReplaceAllString(text, `"`+now+`"`)
		}), nil
	})
}

// TestOtherVersions crashes the daemon and makes its state that of another version:
// of the next one it is understood, of one after that it is not.
func TestOtherVersions(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		ahead string
		same  bool
	}{{"2", true}, {"3", false}} {
		t.Run(c.ahead, func(t *testing.T) {
			t.Parallel()
			s := served(t)
			pids, before := s.pids(), s.holds(s.Status().PID)
			all := s.passing()
			if c.same {
				all = s.steady()
			}
			report := s.under("kill -9, state of version "+c.ahead, all, func() {
				s.Signal(syscall.SIGKILL)
				s.service.Wait()
				s.service.Edit(func(stored []harness.StoredFile) []harness.StoredFile {
					return rewritten(t, stored, `"version":1`, `"version":`+c.ahead+`,"unheard_of":{"a":[1,2]}`)
				})
				s.service.Restart()
				s.AwaitAnswer()
				s.AwaitServing(web, line)
			})
			if c.same {
				s.unbroken(report)
				s.samePIDs(pids)
			} else {
				s.unharmed(report)
			}
			s.awaitSettled()
			s.asBefore(before)
		})
	}
}

// rewritten replaces a text in the state among the files of a store.
func rewritten(t *testing.T, stored []harness.StoredFile, old, now string) []harness.StoredFile {
	t.Helper()
	return edited(t, stored, func(state string) (string, error) {
		if !strings.Contains(state, old) {
			return "", fmt.Errorf("the state has no %q", old)
		}
		return strings.Replace(state, old, now, 1), nil
	})
}

// edited writes the state among the files of a store anew.
func edited(t *testing.T, stored []harness.StoredFile, edit func(string) (string, error)) []harness.StoredFile {
	t.Helper()
	for _, file := range stored {
		if file.Name != kept+"state" {
			continue
		}
		snapshot := activation.OpenSnapshot(file.File)
		state, err := snapshot.Read()
		text := ""
		if err == nil {
			text, err = edit(string(state))
		}
		if err == nil {
			err = snapshot.Write([]byte(text))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return stored
}

// TestTooFewDescriptors lets the next daemon have fewer file descriptors than it
// takes: it says so and leaves everything as it is, until one can have enough.
func TestTooFewDescriptors(t *testing.T) {
	t.Parallel()
	s := served(t)
	pids, before := s.pids(), s.holds(s.Status().PID)
	report := s.under("kill -9, too few descriptors", s.steady(), func() {
		s.service.SetFiles(40)
		for range 2 {
			s.service.Crash()
			if status := s.service.Wait(); !status.Exited() || status.ExitStatus() != 1 {
				t.Errorf("the daemon has ended with %#x", status)
			}
			if !strings.Contains(s.DaemonOutput(), "file descriptors are needed, and the limit is 40") {
				t.Errorf("it was to be told:\n%s", s.DaemonOutput())
			}
			s.service.SetFiles(0)
			s.service.Restart()
			s.AwaitAnswer()
			s.service.SetFiles(40)
		}
	})
	s.unbroken(report)
	s.samePIDs(pids)
	s.asBefore(before)
}

// TestPromisedFiles tells the next daemon of more files than it gets.
func TestPromisedFiles(t *testing.T) {
	t.Parallel()
	s := served(t)
	pids, before := s.pids(), s.holds(s.Status().PID)
	report := s.under("kill -9, files that were promised", s.steady(), func() {
		s.service.Promise(3)
		s.service.Crash()
		s.AwaitAnswer()
	})
	s.unbroken(report)
	s.samePIDs(pids)
	if !strings.Contains(s.DaemonOutput(), "the service manager promises files that it has not passed") {
		t.Errorf("it was to be told:\n%s", s.DaemonOutput())
	}
	s.awaitSettled()
	s.asBefore(before)
}

// TestRunsOutOfDescriptors takes a running daemon its descriptors: what it can not
// do fails with the reason, all else goes on, and with descriptors it works again.
func TestRunsOutOfDescriptors(t *testing.T) {
	t.Parallel()
	s := foreground(t)
	pids, daemon := s.pids(), s.Status().PID
	before := s.holds(daemon)
	report := s.under("no descriptors for a restart", s.passing(), func() {
		usage, err := harness.UsageOf(daemon)
		if err != nil {
			t.Fatal(err)
		}
		var limit unix.Rlimit
		if err := unix.Prlimit(daemon, unix.RLIMIT_NOFILE, nil, &limit); err != nil {
			t.Fatal(err)
		}
		few := unix.Rlimit{Cur: uint64(usage.FDs + 3), Max: limit.Max}
		if err := unix.Prlimit(daemon, unix.RLIMIT_NOFILE, &few, nil); err != nil {
			t.Fatal(err)
		}
		r := s.Want(1, "restart", web)
		if !strings.Contains(r.Stderr, "too many open files") {
			t.Errorf("the reason was to be told: %s", r)
		}
		s.samePIDs(pids)
		if err := unix.Prlimit(daemon, unix.RLIMIT_NOFILE, &limit, nil); err != nil {
			t.Fatal(err)
		}
		s.Must("restart", web)
	})
	s.unharmed(report)
	s.awaitSettled()
	s.asBefore(before)
}

// TestAppDiesWithoutDaemon kills an app while there is no daemon: the next one
// tells how it has ended, where the kernel tells that, and replaces it.
func TestAppDiesWithoutDaemon(t *testing.T) {
	t.Parallel()
	s := served(t)
	pids, before := s.pids(), s.holds(s.Status().PID)
	s.Signal(syscall.SIGKILL)
	s.service.Wait()
	if err := syscall.Kill(pids[web], syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	s.awaitEnd(pids[web])
	s.service.Restart()
	s.AwaitAnswer()
	s.AwaitApp(web, "be replaced", func(a control.AppStatus) bool {
		return a.State == "serving" && harness.Active(a).PID != pids[web]
	})
	want := "exit status unknown"
	if kernelTellsExits(t) {
		want = "killed by SIGKILL"
	}
	if out := s.DaemonOutput(); !strings.Contains(out, want) {
		t.Errorf("it was to be told with %q:\n%s", want, out)
	}
	if now := s.pids()[line]; now != pids[line] {
		t.Errorf("the other app was %d and is %d", pids[line], now)
	}
	s.awaitSettled()
	s.asBefore(before)
}

// kernelTellsExits: PIDFD_INFO_EXIT is there (Linux 6.15).
func kernelTellsExits(t *testing.T) bool {
	t.Helper()
	fd, err := unix.PidfdOpen(syscall.Getpid(), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	return unix.IoctlPidfdInfo(fd, &unix.PidfdInfo{Mask: unix.PIDFD_INFO_EXIT}) == nil
}
