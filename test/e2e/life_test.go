package e2e

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"gracevisor/internal/control"
	"gracevisor/test/events"
	"gracevisor/test/harness"
	"gracevisor/test/load"
)

// TestSickInstance lets running health checks fail. The replacement comes
// first, and clients notice nothing.
func TestSickInstance(t *testing.T) {
	t.Parallel()
	for name, status := range map[string]string{"answers 500": "500", "answers nothing": "0"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			box := harness.New(t)
			app := box.App("demo", "--exit-at-once").With("healthcheck", "/health").
				With("healthcheck_interval", "100ms").With("healthcheck_timeout", "10s").With("healthcheck_retries", 2)
			if status == "0" {
				app = app.With("healthcheck_timeout", "4s") // much more than a slow machine takes
			}
			box.Configure(app)
			box.Start()
			old := box.AwaitServing("demo")[0]
			l := startLoad(t, load.Options{Address: app.Address(), Clients: load.Mix(6), PerConnection: 10})
			sicken(t, app, status)
			box.AwaitApp("demo", "be replaced", func(a control.AppStatus) bool {
				return a.State == "serving" && harness.Active(a).PID != old.PID && len(a.Instances) == 1
			})
			awaitRequests(t, l, 1)
			report := l.Stop()
			// An instance that answers nothing at all may be taken for dead:
			// what it has under way is not waited for.
			if failures := report.Failures(); status != "0" && failures > 0 || failures > 6 {
				t.Errorf("%d requests failed:\n%s", failures, report)
			}
			if a := box.Status("demo").Apps[0]; a.Restarts != 1 {
				t.Errorf("%d restarts are counted", a.Restarts)
			}
		})
	}
}

// sicken sets the status that the app answers health checks with.
func sicken(t *testing.T, app harness.App, status string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+app.Address()+"/health?status="+status, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Close = true
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
}

// TestHeldRequests sends requests before there is an instance: they wait for
// it. Those of an app that is stopped meanwhile are told so.
func TestHeldRequests(t *testing.T) {
	t.Parallel()
	box := harness.New(t)
	health := box.WriteFile("health", "503")
	app := box.App("demo", "--health-file="+health).With("healthcheck", "/health").With("hold_timeout", 60)
	box.Configure(app)
	box.Start()
	held := func() []chan result {
		var all []chan result
		for range 10 {
			answered := make(chan result, 1)
			go func() { // ends with the answer
				a, err := ask(t.Context(), app, "/", "")
				answered <- result{a, err}
			}()
			all = append(all, answered)
		}
		box.AwaitApp("demo", "hold them", func(a control.AppStatus) bool {
			return a.Counters != nil && a.Counters.Holding == len(all)
		})
		return all
	}
	waiting := held()
	box.WriteFile("health", "200")
	for _, answered := range waiting {
		if r := <-answered; r.err != nil || r.answer.status != 200 {
			t.Errorf("a request that waited for the first instance: %+v", r)
		}
	}
	box.Must("stop", "demo")
	box.WriteFile("health", "503")
	start := box.CtlStart("start", "demo")
	box.AwaitApp("demo", "start again", func(a control.AppStatus) bool { return a.State == "starting" })
	waiting = held()
	box.Must("stop", "demo")
	for _, answered := range waiting {
		if r := <-answered; r.err != nil || r.answer.status != 503 || r.answer.header.Get("Retry-After") == "" {
			t.Errorf("a request that waited for an app that was stopped: %+v", r)
		}
	}
	if r := start.Wait(); r.Status != 1 {
		t.Errorf("a start that was called off: %s", r)
	}
}

// TestSupersede restarts an app whose restart is under way: the first attempt
// is given up, the second one is done.
func TestSupersede(t *testing.T) {
	t.Parallel()
	box := harness.New(t)
	health := box.WriteFile("health", "200")
	app := box.App("demo", "--exit-at-once", "--health-file="+health).With("healthcheck", "/health").
		With("healthcheck_retries", 1000)
	box.Configure(app)
	box.Start()
	box.AwaitServing("demo")
	l := startLoad(t, load.Options{Address: app.Address(), Clients: load.Mix(6), PerConnection: 10})
	box.WriteFile("health", "503")
	first := box.CtlStart("restart", "demo")
	box.AwaitApp("demo", "start instance 2", func(a control.AppStatus) bool {
		return len(a.Instances) == 2 && a.Instances[1].State == "probing"
	})
	second := box.CtlStart("--json", "restart", "demo")
	if r := first.Wait(); r.Status != 1 || !strings.Contains(r.Stderr, "superseded") {
		t.Errorf("the first restart: %s", r)
	}
	box.WriteFile("health", "200")
	r := second.Wait()
	var outcome struct {
		OK      bool
		Results []struct {
			App, Result string
			Instance    int
			Steps       []struct{ Message string }
		}
	}
	if err := json.Unmarshal([]byte(r.Stdout), &outcome); err != nil || r.Status != 0 {
		t.Fatalf("the second restart: %v, %s", err, r)
	}
	if !outcome.OK || len(outcome.Results) != 1 || outcome.Results[0].Result != "done" || len(outcome.Results[0].Steps) == 0 {
		t.Errorf("the second restart: %+v", outcome)
	}
	awaitRequests(t, l, 1)
	noFailures(t, l)
}

// TestInheritance looks at what an app is given: three files, a session and
// process group of its own, no ignored or blocked signals, and its environment.
func TestInheritance(t *testing.T) {
	t.Parallel()
	box := harness.New(t)
	app := box.App("demo").With("umask", "027")
	box.Setenv("SECRET_OF_THE_DAEMON", "1")
	box.Configure(app)
	box.Start()
	box.AwaitServing("demo")
	var info struct {
		FDs            map[int]string
		Status         map[string]string
		PID, PGID, SID int
		Env            []string
	}
	for range 2 { // the second instance is started while the daemon has more open
		if err := json.Unmarshal([]byte(get(t, app, "/info").body), &info); err != nil {
			t.Fatal(err)
		}
		if len(info.FDs) != 3 || !strings.HasPrefix(info.FDs[1], "pipe:") || info.FDs[0] != "/dev/null" {
			t.Errorf("the app has inherited %v", info.FDs)
		}
		if info.PGID != info.PID || info.SID != info.PID {
			t.Errorf("pid %d, process group %d, session %d", info.PID, info.PGID, info.SID)
		}
		for name, value := range map[string]string{"SigBlk": strings.Repeat("0", 16), "SigIgn": strings.Repeat("0", 16), "Umask": "0027"} {
			if info.Status[name] != value {
				t.Errorf("%s is %q, want %q", name, info.Status[name], value)
			}
		}
		if env := strings.Join(info.Env, " "); strings.Contains(env, "SECRET") || !strings.Contains(env, "HOME=") || !strings.Contains(env, events.Env) {
			t.Errorf("environment %v", info.Env)
		}
		box.Must("restart", "demo")
	}
}

// TestInternalHost has an app that listens on ::1 only.
func TestInternalHost(t *testing.T) {
	t.Parallel()
	box := harness.New(t)
	app := box.App("demo", "--host=::1", "--exit-at-once")
	box.Configure(app)
	box.Start()
	if i := box.AwaitServing("demo")[0]; !strings.HasPrefix(i.Internal, "[::1]:") {
		t.Errorf("the instance is reached at %q", i.Internal)
	}
	l := startLoad(t, load.Options{Address: app.Address(), Clients: load.Mix(6), PerConnection: 10})
	box.Must("restart", "demo", "--wait=drained")
	await(t, func(ctx context.Context) error { return l.Await(ctx, 1) })
	noFailures(t, l)
}
