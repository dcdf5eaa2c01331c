package e2e

import (
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"gracevisor/internal/control"
	"gracevisor/test/harness"
	"gracevisor/test/load"
)

// crashes is how often a test lets something crash.
const crashes = 5

// TestCrash kills the instance that serves. Its own requests may be lost, each
// client's at most once; new ones, and idle connections, are not.
func TestCrash(t *testing.T) {
	t.Parallel()
	box := harness.New(t)
	app := box.App("demo")
	box.Configure(app)
	box.Start()
	old := box.AwaitServing("demo")[0]
	busy := startLoad(t, load.Options{Address: app.Address(), Clients: load.Mix(12)})
	idle := startLoad(t, load.Options{Address: app.Address(), Clients: map[load.Kind]int{load.Idle: 4, load.IdleKept: 4}})
	for range crashes {
		killed(t, old.PID)
		after := startLoad(t, load.Options{Address: app.Address(), Clients: map[load.Kind]int{load.Get: 8}})
		awaitRequests(t, after, 1)
		noFailures(t, after)
		now := harness.Active(box.AwaitApp("demo", "serve anew", func(a control.AppStatus) bool {
			return a.State == "serving" && harness.Active(a).PID != old.PID
		}))
		if now.Reason != "crash" {
			t.Errorf("instance %d was started for %q, not for the crash", now.Number, now.Reason)
		}
		old = now
		awaitAnswers(box, busy, now.PID)
	}
	report := busy.Stop()
	for kind, r := range report.Kinds {
		if r.Failures > 2*crashes { // there are two clients of each kind
			t.Errorf("%s: more failures than requests in flight at %d crashes:\n%s", kind, crashes, report)
		}
	}
	if report := noFailures(t, idle); report.IdleClosed() > 0 {
		t.Errorf("idle connections were closed:\n%s", report)
	}
	if status := box.Status("demo").Apps[0]; status.Restarts != crashes {
		t.Errorf("%d restarts counted, not %d", status.Restarts, crashes)
	}
}

// killed kills a process and returns when it is dead, which is before anybody has
// noticed: kill(2) returns while it may still accept, and what it accepts then is
// in flight on it as it dies.
func killed(t *testing.T, pid int) {
	t.Helper()
	pidfd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pidfd)
	if err := unix.PidfdSendSignal(pidfd, unix.SIGKILL, nil, 0); err != nil {
		t.Fatal(err)
	}
	// Readable when all its threads have ended, and their files are closed.
	dead := []unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}
	n, err := unix.Poll(dead, 30_000)
	for err == unix.EINTR {
		n, err = unix.Poll(dead, 30_000)
	}
	if n != 1 {
		t.Fatalf("pid %d lives on: %v", pid, err)
	}
}

// TestCrashLoop has an app that exits again and again. It is given up with an
// answer that says so, and each new start tries afresh.
func TestCrashLoop(t *testing.T) {
	t.Parallel()
	box := harness.New(t)
	app := box.App("demo", "--exit-after=0s", "--exit-code=7", "--say-error=no database").With("max_retries", 3)
	box.Configure(app)
	box.Start()
	failed := func(a control.AppStatus) bool { return a.State == "failed" }
	box.AwaitApp("demo", "fail", failed)
	tries := func() int { return len(box.Events("exiting")) }
	box.Await("three tries", func() bool { return tries() == 3 })
	a := get(t, app, "/")
	if a.status != 503 || a.header.Get("Retry-After") == "" || strings.Contains(a.body, "database") {
		t.Errorf("answer of an app that has failed: %+v", a)
	}
	r := box.Want(1, "start", "demo")
	if !strings.Contains(r.Stderr, "exit status 7") || !strings.Contains(r.Stderr, "no database") {
		t.Errorf("start: %s", r)
	}
	box.Await("three tries more", func() bool { return tries() == 6 })
}

// TestFailedRetry has an app whose tries are used up. It is tried again by and
// by, and serves when what was wrong is mended.
func TestFailedRetry(t *testing.T) {
	t.Parallel()
	box := harness.New(t)
	options := box.WriteFile("options", "--exit-after=0s\n--exit-code=3\n")
	app := box.App("demo", "--options-file="+options).With("max_retries", 1).With("failed_retry_interval", "200ms")
	box.Configure(app)
	box.Start()
	box.AwaitApp("demo", "fail", func(a control.AppStatus) bool { return a.State == "failed" })
	if err := os.Remove(options); err != nil {
		t.Fatal(err)
	}
	box.AwaitServing("demo")
	if a := get(t, app, "/"); a.status != 200 {
		t.Errorf("the app answers %+v", a)
	}
}

// TestWorkerCrash kills the proxy worker. Its connections break, but no new one
// is refused, and no app notices.
func TestWorkerCrash(t *testing.T) {
	t.Parallel()
	box := harness.New(t)
	app := box.App("demo").With("healthcheck", "/health")
	box.Configure(app)
	box.Start()
	old := box.AwaitServing("demo")[0]
	for range crashes {
		busy := startLoad(t, load.Options{Address: app.Address(), Clients: load.Mix(12)})
		awaitRequests(t, busy, 1)
		refused := dialAll(app.Address())
		worker := box.Status().Workers[0]
		if err := syscall.Kill(worker.PID, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		box.Await("a new worker", func() bool {
			workers := box.Status().Workers
			return len(workers) == 1 && workers[0].PID != worker.PID && workers[0].State == "serving"
		})
		awaitRequests(t, busy, 2)
		if report := busy.Stop(); report.Failures() > 12 || strings.Contains(report.String(), "refused") {
			t.Errorf("more was lost than what each client had under way:\n%s", report)
		}
		if err := refused(); err != nil {
			t.Errorf("a new connection: %v", err)
		}
		after := startLoad(t, load.Options{Address: app.Address(), Clients: load.Mix(12)})
		awaitRequests(t, after, 1)
		noFailures(t, after)
	}
	if now := box.AwaitServing("demo")[0]; now.PID != old.PID {
		t.Errorf("the app was restarted: pid %d instead of %d", now.PID, old.PID)
	}
}

// TestHungWorker stops the proxy worker without ending it. It is killed after a
// while, a restart that waits for its word goes on, and a request that came
// meanwhile is answered.
func TestHungWorker(t *testing.T) {
	t.Parallel()
	box := harness.New(t)
	app := box.App("demo", "--exit-at-once")
	box.Configure(app)
	box.Start()
	box.AwaitServing("demo")
	hung := box.Status().Workers[0]
	if err := syscall.Kill(hung.PID, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	answered := make(chan result, 1)
	go func() { // ends with the answer
		a, err := ask(t.Context(), app, "/", "")
		answered <- result{a, err}
	}()
	box.Must("restart", "demo")
	if r := <-answered; r.err != nil || r.answer.status != 200 {
		t.Errorf("a request to a worker that hangs: %+v", r)
	}
	box.Await("another worker to serve alone", func() bool {
		workers := box.Status().Workers
		return len(workers) == 1 && workers[0].PID != hung.PID && workers[0].State == control.WorkerServing && !alive(hung.PID)
	})
}

// dialAll opens connections, one after the other, until what it returns is
// called, which tells the first failure.
func dialAll(address string) (end func() error) {
	stop := make(chan struct{})
	var dialing sync.WaitGroup
	var failed error
	dialing.Go(func() { // ends when stop is closed
		for failed == nil {
			select {
			case <-stop:
				return
			default:
			}
			var conn net.Conn
			if conn, failed = net.Dial("tcp", address); failed == nil {
				failed = conn.Close()
			}
		}
	})
	return func() error {
		close(stop)
		dialing.Wait()
		return failed
	}
}
