package harness

import (
	"os"
	"strings"
	"testing"

	"gracevisor/test/events"
	"gracevisor/test/load"
)

func TestMain(m *testing.M) { os.Exit(Main(m)) }

// TestBox runs a daemon with an app as a test would.
func TestBox(t *testing.T) {
	t.Parallel()
	box := New(t)
	app := box.App("demo", "--exit-at-once", "--say=it's me")
	box.Configure(app)
	daemon := box.Start()
	box.AwaitServing("demo")
	first := box.NextEvent(events.Up, "demo")
	l, err := load.Start(load.Options{Address: app.Address(), Clients: load.Mix(6)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Stop() })
	if err := l.Await(t.Context(), 1); err != nil {
		t.Error(err)
	}
	box.Must("restart", "demo")
	second := box.NextEvent(events.Up, "demo")
	if err := l.Await(t.Context(), 1); err != nil {
		t.Error(err)
	}
	if report := l.Stop(); report.Failures() > 0 || len(report.PIDs()) != 2 {
		t.Errorf("the load reports:\n%s", report)
	}
	if serving := box.AwaitServing("demo")[0]; serving.PID != second.PID || first.PID == second.PID {
		t.Errorf("pid %d serves, the events tell of %d and then %d", serving.PID, first.PID, second.PID)
	}
	if r := box.Want(1, "restart", "nobody"); !strings.Contains(r.Stderr, "nobody") {
		t.Errorf("restart of nobody: %s", r)
	}
	daemon.Stop()
	if left := box.Processes(); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}
