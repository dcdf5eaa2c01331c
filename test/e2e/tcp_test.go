package e2e

import (
	"strconv"
	"testing"
	"time"

	"gracevisor/test/harness"
	"gracevisor/test/load"
)

// TestTCPRestart restarts an app whose connections live longer than several
// restarts. Each ends when its client ends it, and with the instance that it
// began with.
func TestTCPRestart(t *testing.T) {
	t.Parallel()
	const restarts = 50
	box := harness.New(t)
	app := box.TCPApp("demo", "--exit-at-once").With("max_draining", restarts)
	box.Configure(app)
	box.Start()
	first := box.AwaitServing("demo")[0]
	l := startLoad(t, load.Options{
		Address: app.Address(), Clients: map[load.Kind]int{load.TCP: 16}, PerConnection: 50, Pause: 5 * time.Millisecond,
	})
	kept := openLine(t, app)
	kept.must("hello")
	for range restarts {
		box.Must("restart", "demo")
		if i := harness.Active(box.Status("demo").Apps[0]); openLine(t, app).must("new") != strconv.Itoa(i.PID) {
			t.Errorf("a new connection did not go to instance %d", i.Number)
		}
		awaitRequests(t, l, 5)
	}
	if pid := kept.must("still there?"); pid != strconv.Itoa(first.PID) {
		t.Errorf("the first connection has moved from pid %d to %s", first.PID, pid)
	}
	report := noFailures(t, l)
	if len(report.PIDs()) < 2 {
		t.Errorf("all connections stayed with one instance: %v", report.PIDs())
	}
}

// TestTCPHalfClose ends the client's direction first: all of the answer comes.
func TestTCPHalfClose(t *testing.T) {
	t.Parallel()
	box := harness.New(t)
	app := box.TCPApp("demo")
	box.Configure(app)
	box.Start()
	box.AwaitServing("demo")
	l := startLoad(t, load.Options{
		Address: app.Address(), Clients: map[load.Kind]int{load.TCP: 4}, PerConnection: 1,
	})
	awaitRequests(t, l, 20)
	noFailures(t, l) // its farewell is a half-close, which the app answers with its own
}

// TestMaxDraining holds more connections than instances may drain: the oldest
// instance is stopped, the others go on.
func TestMaxDraining(t *testing.T) {
	t.Parallel()
	box := harness.New(t)
	app := box.TCPApp("demo").With("max_draining", 2).With("stop_timeout", "100ms")
	box.Configure(app)
	box.Start()
	box.AwaitServing("demo")
	var lines []*line
	for range 4 {
		l := openLine(t, app)
		l.must("hello")
		lines = append(lines, l)
		box.Must("restart", "demo")
	}
	for i, l := range lines[:2] {
		if pid, err := l.echo("still there?"); err == nil {
			// The instance is told to stop, and killed a moment later.
			box.Await("the end of connection "+strconv.Itoa(i), func() bool {
				_, err := l.echo("still there?")
				return err != nil
			})
			t.Logf("pid %s lived on for a moment", pid)
		}
	}
	for _, l := range lines[2:] {
		l.must("still there?")
	}
}
