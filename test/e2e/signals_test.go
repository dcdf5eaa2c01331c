package e2e

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"gracevisor/test/events"
	"gracevisor/test/harness"
	"gracevisor/test/load"
)

// TestHangup reloads by SIGHUP, under load.
func TestHangup(t *testing.T) {
	t.Parallel()
	box := harness.New(t)
	app := box.App("demo", "--exit-at-once")
	box.Configure(app)
	daemon := box.Start()
	old := box.AwaitServing("demo")[0]
	l := startLoad(t, load.Options{Address: app.Address(), Clients: load.Mix(6), PerConnection: 10})
	box.Configure(app.With("environment", []string{"NEW=1"}))
	daemon.Signal(syscall.SIGHUP)
	box.Await("a new instance", func() bool { return box.AwaitServing("demo")[0].PID != old.PID })
	if a := get(t, app, "/info"); !strings.Contains(a.body, `"NEW=1"`) {
		t.Errorf("SIGHUP has not applied the configuration: %s", a.body)
	}
	awaitRequests(t, l, 1)
	noFailures(t, l)
}

// TestReopenLogs moves the log files away, as logrotate does, and has them
// opened anew by SIGUSR1.
func TestReopenLogs(t *testing.T) {
	t.Parallel()
	box := harness.New(t)
	app := box.App("demo").With("access_log", "combined")
	box.Configure(app)
	daemon := box.Start()
	box.AwaitServing("demo")
	get(t, app, "/?first")
	written := map[string]string{"access_demo.log": "/?second", "gracevisor.log": "app serves"}
	for name := range written {
		path := filepath.Join(box.LogDir, name)
		box.Await(name+" to be written", func() bool { return readFile(t, path) != "" })
		if err := os.Rename(path, path+".1"); err != nil {
			t.Fatal(err)
		}
	}
	daemon.Signal(syscall.SIGUSR1)
	box.Await("the daemon to obey", func() bool { return strings.Contains(box.DaemonOutput(), "reopening log files") })
	get(t, app, "/?second")
	box.Must("restart", "demo")
	for name, text := range written {
		path := filepath.Join(box.LogDir, name)
		box.Await("new lines in "+name, func() bool { return strings.Contains(readFile(t, path), text) })
		if strings.Contains(readFile(t, path+".1"), "/?second") {
			t.Errorf("%s was written to after it was moved away", name)
		}
	}
}

// readFile returns what is in a file, which need not be there.
func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return string(text)
}

// TestTerminate stops the daemon while requests are under way, which all get
// their answers.
func TestTerminate(t *testing.T) {
	t.Parallel()
	box := harness.New(t)
	app := box.App("demo", "--exit-at-once")
	box.Configure(app)
	daemon := box.Start()
	box.AwaitServing("demo")
	var last []*pending
	for _, target := range []string{"/slow?ms=700", "/stream?chunks=10&ms=70", "/slow?ms=300"} {
		last = append(last, begin(t, box, app, target))
	}
	daemon.Stop()
	for _, p := range last {
		if a, err := p.end(); err != nil || a.status != 200 {
			t.Errorf("a request under way at the stop: %+v, %v", a, err)
		}
	}
	if r := box.Want(3, "status"); r.Stderr == "" {
		t.Errorf("status without a daemon: %s", r)
	}
}

// TestTerminateTwice stops a daemon that has a request without an end and an
// app that ignores its stop signal. The second signal ends all at once.
func TestTerminateTwice(t *testing.T) {
	t.Parallel()
	box := harness.New(t)
	app := box.App("demo", "--ignore-stop")
	box.Set("shutdown_timeout", 600)
	box.Configure(app)
	daemon := box.Start()
	box.AwaitServing("demo")
	endless := begin(t, box, app, "/hang")
	daemon.Signal(syscall.SIGTERM)
	log := filepath.Join(box.LogDir, "gracevisor.log")
	box.Await("the stop to begin", func() bool { return strings.Contains(readFile(t, log), "msg=stopping") })
	daemon.Stop()
	if a, err := endless.end(); err == nil && a.status == 200 {
		t.Errorf("an endless request has ended well: %+v", a)
	}
}

// TestShutdownTimeout stops a daemon whose app does not.
func TestShutdownTimeout(t *testing.T) {
	t.Parallel()
	box := harness.New(t)
	box.Set("shutdown_timeout", "500ms")
	box.Configure(box.App("demo", "--ignore-stop", "--children=1", "--stubborn"))
	daemon := box.Start()
	up := box.NextEvent(events.Up, "demo")
	box.AwaitServing("demo")
	daemon.Stop()
	if alive(up.PID) {
		t.Errorf("pid %d has survived the daemon", up.PID)
	}
}

// TestUnreadStandardError starts a daemon in the foreground whose log somebody
// reads for a while, as "gracevisord | head" does. It goes on without.
func TestUnreadStandardError(t *testing.T) {
	t.Parallel()
	box := harness.New(t)
	app := box.App("demo")
	box.Configure(app)
	// What the harness takes for a file is a pipe whose end is ours.
	output := filepath.Join(box.Dir, "daemon.out")
	if err := syscall.Mkfifo(output, 0o666); err != nil {
		t.Fatal(err)
	}
	reader, err := os.OpenFile(output, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	box.Start()
	if err := errors.Join(reader.Close(), os.Remove(output)); err != nil {
		t.Fatal(err)
	}
	box.WriteFile("daemon.out", "") // for the harness
	for range 3 {
		box.Must("restart", "demo") // each tells something
	}
	if a := get(t, app, "/"); a.status != 200 {
		t.Errorf("the app answers %+v", a)
	}
}
