package survival

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"gracevisor/internal/control"
	"gracevisor/test/harness"
)

// calls are the system calls by which an instance is started and stopped, and
// what there is to know of it is stored: making its leaf, pipes, order and
// process, the ledger, the snapshot, the store, the word that lets it go, signals.
var calls = []string{
	"clone,clone3", "sendmsg", "pwrite64", "renameat,renameat2,rename", "pipe2", "memfd_create",
	"write", "pidfd_send_signal,kill", "waitid", "fcntl", "close", "openat", "socket", "connect",
}

// TestCrashAtEachCall kills the supervisor, in a restart of an app, as it enters a
// system call: the first of its kind on a thread, then the second, and so on.
func TestCrashAtEachCall(t *testing.T) {
	if _, err := exec.LookPath("strace"); err != nil {
		t.Fatal("strace is missing: see test/install-deps")
	}
	t.Parallel()
	s := served(t)
	line, before := s.pids()[line], s.holds(s.Status().PID)
	crashes := 0
	report := s.under("kill -9 at a system call of a restart", s.passing(), func() {
		for when := 1; when <= times(1, 5); when++ {
			for _, call := range calls[:times(6, len(calls))] {
				if s.restartUntil(call, when) {
					crashes++
				}
				s.AwaitServing(web)
			}
		}
	})
	s.unharmed(report)
	s.awaitSettled()
	if now := s.pids()["line"]; now != line {
		t.Errorf("the other app was %d and is %d", line, now)
	}
	s.asBefore(before)
	t.Logf("%d crashes", crashes)
	if crashes < times(3, 30) {
		t.Errorf("the supervisor was killed %d times only", crashes)
	}
}

// restartUntil restarts the web app while a tracer waits for the supervisor's
// call. It reports whether the supervisor was killed; the next one runs then.
func (s *scene) restartUntil(call string, when int) (killed bool) {
	s.t.Helper()
	pid, was := s.Status().PID, s.pids()[web]
	// A process that the tracer has started goes on without it.
	tracer := exec.Command("strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace="+call,
		"-e", fmt.Sprintf("inject=%s:signal=KILL:when=%d", call, when), "-p", fmt.Sprint(pid))
	tracer.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := tracer.Start(); err != nil {
		s.t.Fatal(err)
	}
	end := sync.OnceFunc(func() {
		_ = tracer.Process.Signal(syscall.SIGTERM) // it may have ended with the supervisor
		// One waits for ever if its tracee is killed in the wrong moment.
		late := time.AfterFunc(5*time.Second, func() { _ = tracer.Process.Kill() })
		defer late.Stop()
		_ = tracer.Wait()
	})
	defer end()
	s.Await("the tracer to be attached", func() bool { return traced(pid) })
	s.Ctl("restart", web, "--no-wait") // the supervisor may be dead before it answers
	s.Await("the restart, or the supervisor's end", func() bool {
		if !alive(pid) {
			return true
		}
		r := s.Ctl("--json", "status", web)
		var status control.Status
		if r.Status != 0 || json.Unmarshal([]byte(r.Stdout), &status) != nil || len(status.Apps) != 1 {
			return false
		}
		a := status.Apps[0]
		// The tracer may also have killed each launcher, which it follows.
		failed := strings.Contains(a.LastError, "killed by SIGKILL")
		return a.State == "serving" && len(a.Instances) == 1 && (failed || a.Instances[0].PID != was)
	})
	// As long as the tracer is there it may still kill it.
	end()
	s.Await("the supervisor to answer without it, or its end", func() bool {
		killed = !alive(pid)
		return killed || s.Ctl("status").Status == 0
	})
	if killed {
		s.service.Wait()
		s.service.Restart()
		s.AwaitAnswer()
	}
	return killed
}

// alive reports whether a process runs.
func alive(pid int) bool {
	_, err := harness.UsageOf(pid)
	return err == nil
}

// traced reports whether a process has a tracer, or has gone.
func traced(pid int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	return err != nil || !strings.Contains(string(text), "TracerPid:\t0\n")
}
