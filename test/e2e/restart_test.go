package e2e

import (
	"testing"
	"time"

	"gracevisor/test/harness"
	"gracevisor/test/load"
)

// TestRestartUnderLoad restarts an app that exits in the middle of everything
// when it is told to stop, so a request that is still its own then is lost.
func TestRestartUnderLoad(t *testing.T) {
	cases := []struct {
		name     string
		flags    []string
		check    any // healthcheck
		restarts int
	}{
		{"port", nil, nil, 50},
		{"health check", nil, "/health", 10},
		{"socket", []string{"--socket={socket}"}, "/health", 10},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			box := harness.New(t)
			app := box.App("demo", append(c.flags, "--exit-at-once")...).With("healthcheck", c.check).
				With("max_draining", 1000) // a WebSocket client that gets no processor time is no reason to fail
			box.Configure(app)
			box.Start()
			pids := map[int]bool{box.AwaitServing("demo")[0].PID: true}
			l := startLoad(t, load.Options{Address: app.Address(), Clients: load.Mix(32), PerConnection: 20, Pause: 2 * time.Millisecond})
			for range c.restarts {
				box.Must("restart", "demo")
				pid := harness.Active(box.Status("demo").Apps[0]).PID
				pids[pid] = true
				awaitAnswers(box, l, pid)
			}
			report := noFailures(t, l)
			if n := len(report.PIDs()); n != c.restarts+1 || len(pids) != n {
				t.Errorf("%d processes have answered and %d were active, want %d", n, len(pids), c.restarts+1)
			}
		})
	}
}
