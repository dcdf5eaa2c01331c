package e2e

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"gracevisor/internal/control"
	"gracevisor/test/events"
	"gracevisor/test/harness"
	"gracevisor/test/load"
)

// TestIgnoredStop restarts and stops an app that ignores its stop signal: it is
// killed after stop_timeout, and clients notice nothing.
func TestIgnoredStop(t *testing.T) {
	t.Parallel()
	box := harness.New(t)
	app := box.App("demo", "--ignore-stop").With("stop_timeout", "300ms").With("stop_signal", "USR2")
	box.Configure(app)
	box.Start()
	old := box.AwaitServing("demo")[0]
	l := startLoad(t, load.Options{Address: app.Address(), Clients: load.Mix(6), PerConnection: 10})
	box.Must("restart", "demo", "--wait=drained")
	if e := box.NextEvent(events.Signal, "demo"); e.PID != old.PID || e.Detail != "user defined signal 2" {
		t.Errorf("the stop signal came as %s", e)
	}
	if alive(old.PID) {
		t.Errorf("pid %d is still there after its instance has gone", old.PID)
	}
	noFailures(t, l)
	box.Must("stop", "demo")
	status := box.Status("demo").Apps[0]
	if status.State != "stopped" || len(status.Instances) != 0 {
		t.Errorf("after a stop: %+v", status)
	}
	if a := get(t, app, "/"); a.status != 503 || a.header.Get("Retry-After") == "" {
		t.Errorf("a stopped app answers %+v", a)
	}
	box.Must("restart", "demo") // starts a stopped app
	if a := get(t, app, "/"); a.status != 200 {
		t.Errorf("the app answers %+v", a)
	}
}

// alive reports whether a process is there, be it as a zombie.
func alive(pid int) bool {
	_, err := os.Stat(fmt.Sprintf("/proc/%d", pid))
	return err == nil
}

// TestFamily has apps with children and grandchildren, which obey no signal and
// have left their process group. No way to end an instance leaves any.
func TestFamily(t *testing.T) {
	t.Parallel()
	family := []string{"--children=2", "--grandchildren=2", "--stubborn"}
	ends := []struct {
		name  string
		flags []string
		end   func(*harness.Box)
	}{
		{"restart", nil, func(box *harness.Box) { box.Must("restart", "demo", "--wait=drained") }},
		{"stop", nil, func(box *harness.Box) { box.Must("stop", "demo") }},
		{"kill", nil, func(box *harness.Box) { box.Must("kill", "demo") }},
		{"exit", []string{"--exit-after=200ms"}, func(*harness.Box) {}},
	}
	for _, c := range ends {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			box := harness.New(t)
			box.Configure(box.App("demo", append(c.flags, family...)...).With("stop_timeout", "300ms"))
			box.Start()
			var relatives []int
			for range 4 {
				relatives = append(relatives, box.NextEvent(events.Forked, "demo").PID)
			}
			relatives = append(relatives, box.NextEvent(events.Up, "demo").PID)
			if c.flags == nil {
				box.AwaitServing("demo")
			}
			c.end(box)
			for _, pid := range relatives {
				box.Await(fmt.Sprintf("the end of pid %d", pid), func() bool { return !alive(pid) })
			}
		})
	}
}

// TestWrappedApp has a shell between the daemon and the app, which becomes an
// orphan when the shell exits: the stop signal reaches it nevertheless.
func TestWrappedApp(t *testing.T) {
	t.Parallel()
	box := harness.New(t)
	testapp, err := harness.Binary("testapp")
	if err != nil {
		t.Fatal(err)
	}
	inner := box.App("demo") // for its environment
	app := inner.With("command", "/bin/sh -c '"+testapp+" --port={port}; exit 0'")
	box.Configure(app)
	box.Start()
	box.AwaitServing("demo")
	up := box.NextEvent(events.Up, "demo")
	box.Must("restart", "demo", "--wait=drained")
	if e := box.NextEvent(events.Signal, "demo"); e.PID != up.PID {
		t.Errorf("the stop signal has reached %s, not pid %d", e, up.PID)
	}
	if alive(up.PID) {
		t.Errorf("pid %d is still there", up.PID)
	}
}

// TestOutOfReach has an app that leaves behind a process which nothing connects
// with it any more: session, group, environment and parent are others. Where
// there are no cgroups it can not be stopped, and the status says so.
func TestOutOfReach(t *testing.T) {
	t.Parallel()
	box := harness.New(t)
	testapp, err := harness.Binary("testapp")
	if err != nil {
		t.Fatal(err)
	}
	app := box.App("demo").With("command", "/bin/sh -c 'env -i setsid sleep 600 & exec "+testapp+" --port={port}'")
	box.Configure(app)
	box.Start()
	box.AwaitServing("demo")
	box.Await("it to be on its own", func() bool { // before it is another program, in the app's group
		return slices.ContainsFunc(box.Processes(), func(p harness.Process) bool { return p.Name == "sleep" })
	})
	if strays := box.Status().Strays; len(strays) > 0 {
		t.Errorf("out of reach while the app runs: %q", strays)
	}
	box.Must("stop", "demo")
	var found []string
	box.Await("the status to tell of what is left", func() bool {
		found = regexp.MustCompile(`out of reach: pid (\d+) \(sleep\)`).FindStringSubmatch(box.Must("status").Stdout)
		return found != nil
	})
	pid, err := strconv.Atoi(found[1])
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	box.Await("it to be reaped", func() bool { return !alive(pid) && len(box.Status().Strays) == 0 })
}

// TestClosedStdout restarts an app that has closed its standard output.
func TestClosedStdout(t *testing.T) {
	t.Parallel()
	box := harness.New(t)
	app := box.App("demo", "--say=before the close", "--close-stdout", "--exit-at-once")
	box.Configure(app)
	box.Start()
	old := box.AwaitServing("demo")[0]
	l := startLoad(t, load.Options{Address: app.Address(), Clients: load.Mix(6), PerConnection: 10})
	box.Must("restart", "demo", "--wait=drained")
	if now := box.AwaitServing("demo")[0]; now.PID == old.PID || now.Reason != "restart" {
		t.Errorf("after the restart %+v serves", now)
	}
	awaitRequests(t, l, 1)
	noFailures(t, l)
	if r := box.Must("logs", "demo"); !strings.Contains(r.Stdout, "before the close") {
		t.Errorf("logs: %s", r)
	}
	if status := box.Status("demo").Apps[0]; status.Restarts != 0 {
		t.Errorf("closing its output was taken for a crash: %+v", status)
	}
}

// TestKill sends signals by hand.
func TestKill(t *testing.T) {
	t.Parallel()
	box := harness.New(t)
	app := box.App("demo", "--ignore-stop").With("stop_timeout", "100ms")
	box.Configure(app)
	box.Start()
	old := box.AwaitServing("demo")[0]
	box.Must("kill", "demo", "--signal", "HUP")
	if e := box.NextEvent(events.Signal, "demo"); e.Detail != "hangup" || e.PID != old.PID {
		t.Errorf("kill --signal HUP came as %s", e)
	}
	box.Must("kill", "demo")
	box.AwaitApp("demo", "be started anew", func(a control.AppStatus) bool {
		i := harness.Active(a)
		return a.State == "serving" && i.PID != 0 && i.PID != old.PID
	})
	if a := get(t, app, "/"); a.status != 200 {
		t.Errorf("the app answers %+v", a)
	}
	box.Want(2, "kill", "demo", "--signal", "NONSENSE")
}

// TestWaitDrained restarts an app with a request under way, which outlives the
// restart and not the wait for the end of the old instance.
func TestWaitDrained(t *testing.T) {
	t.Parallel()
	box := harness.New(t)
	app := box.TCPApp("demo", "--stop-delay=300ms")
	box.Configure(app)
	box.Start()
	first := box.AwaitServing("demo")[0]
	kept := openLine(t, app)
	kept.must("hello")
	box.Must("restart", "demo") // returns although the old one drains
	if status := box.Status("demo").Apps[0]; len(status.Instances) != 2 || !alive(first.PID) {
		t.Errorf("after the restart: %+v", status)
	}
	drained := box.CtlStart("restart", "demo", "--wait=drained")
	box.AwaitApp("demo", "serve with a third instance", func(a control.AppStatus) bool {
		return harness.Active(a).Number == 3
	})
	if pid := kept.must("still there?"); pid != strconv.Itoa(first.PID) {
		t.Errorf("the connection has moved to %s", pid)
	}
	if err := kept.conn.Close(); err != nil {
		t.Fatal(err)
	}
	if r := drained.Wait(); r.Status != 0 || alive(first.PID) {
		t.Errorf("the wait has ended with %s, and the first instance lives: %v", r, alive(first.PID))
	}
	if status := box.Status("demo").Apps[0]; len(status.Instances) != 1 {
		t.Errorf("after the wait: %+v", status)
	}
}

// TestDrainTimeout has a request that takes longer than an old instance may.
func TestDrainTimeout(t *testing.T) {
	t.Parallel()
	box := harness.New(t)
	app := box.App("demo", "--exit-at-once").With("drain_timeout", "200ms")
	box.Configure(app)
	box.Start()
	box.AwaitServing("demo")
	long := begin(t, box, app, "/stream?chunks=10000&ms=100")
	box.Must("restart", "demo", "--wait=drained")
	if a, err := long.end(); err == nil {
		t.Errorf("an answer that was cut off looks complete: %+v", a)
	}
}
