package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"gracevisor/internal/control"
	"gracevisor/test/harness"
	"gracevisor/test/load"
)

// lastWords are what a version that does not start has to say.
const lastWords = "what the operator is to read"

// TestBadVersions restarts an app with versions of it that do not start. The
// old one serves on, and the operator is told why.
func TestBadVersions(t *testing.T) {
	cases := []struct {
		name, flags  string
		startTimeout any
		during       func(t *testing.T, box *harness.Box) // while it starts
		reason       string
	}{
		{"exits at start", "--exit-after=0s\n--exit-code=3", nil, nil, "exit status 3"},
		{"never listens", "--never-listen", 1, nil, "start_timeout"},
		{"is not healthy", "--health-status=500", 1, nil, "start_timeout"},
		{"answers no health check", "--health-status=0", 2, nil, "start_timeout"},
		{"is killed while starting", "--never-listen", nil, killCandidate, "killed"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			box := harness.New(t)
			options := filepath.Join(box.Dir, "options")
			app := box.App("demo", "--exit-at-once", "--options-file="+options).
				With("healthcheck", "/health").With("max_retries", 1).With("start_timeout", c.startTimeout)
			box.Configure(app)
			box.Start()
			old := box.AwaitServing("demo")[0]
			l := startLoad(t, load.Options{Address: app.Address(), Clients: load.Mix(6)})
			box.WriteFile("options", c.flags+"\n--say-error="+lastWords+"\n")
			restart := box.CtlStart("restart", "demo")
			if c.during != nil {
				c.during(t, box)
			}
			r := restart.Wait()
			if r.Status != 1 || !strings.Contains(r.Stderr, c.reason) || !strings.Contains(r.Stderr, lastWords) {
				t.Errorf("want exit status 1, the reason %q and %q, got %s", c.reason, lastWords, r)
			}
			if now := box.AwaitServing("demo")[0]; now.PID != old.PID {
				t.Errorf("pid %d serves, not the old one %d", now.PID, old.PID)
			}
			awaitRequests(t, l, 1)
			if err := os.Remove(options); err != nil {
				t.Fatal(err)
			}
			box.Must("restart", "demo")
			awaitRequests(t, l, 1)
			noFailures(t, l)
		})
	}
}

// killCandidate kills the instance that is starting beside the one that serves,
// when it has had its say.
func killCandidate(t *testing.T, box *harness.Box) {
	t.Helper()
	app := box.AwaitApp("demo", "start an instance", func(a control.AppStatus) bool {
		return len(a.Instances) == 2 && a.Instances[1].PID != 0 && a.Instances[1].State == "probing"
	})
	box.Await("last words", func() bool {
		said, err := os.ReadFile(filepath.Join(box.Dir, "log", "app_demo.err"))
		return err == nil && strings.Contains(string(said), lastWords)
	})
	if err := syscall.Kill(app.Instances[1].PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
}

// TestBadCommands has apps that cannot be started at all beside one that can.
func TestBadCommands(t *testing.T) {
	t.Parallel()
	box := harness.New(t)
	box.Configure(
		box.App("good"),
		box.Command("missing", "/no/such/program --port={port}").With("max_retries", 2),
		box.App("directory").With("directory", "/no/such/directory").With("max_retries", 1),
	)
	box.Start()
	good := box.AwaitServing("good")[0]
	reasons := map[string]string{"missing": "/no/such/program", "directory": "/no/such/directory"}
	for name, reason := range reasons {
		app := box.AwaitApp(name, "fail", func(a control.AppStatus) bool { return a.State == "failed" })
		if !strings.Contains(app.LastError, reason) {
			t.Errorf("the status of %s does not tell %q: %q", name, reason, app.LastError)
		}
		if r := box.Want(1, "restart", name); !strings.Contains(r.Stderr, reason) {
			t.Errorf("restart does not tell %q: %s", reason, r)
		}
	}
	if now := box.AwaitServing("good")[0]; now.PID != good.PID {
		t.Errorf("apps that do not start have disturbed another one")
	}
}
