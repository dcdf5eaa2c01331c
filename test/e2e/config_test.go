package e2e

import (
	"fmt"
	"net"
	"os"
	"regexp"
	"strings"
	"testing"

	"gracevisor/internal/control"
	"gracevisor/test/harness"
)

// TestConfigFaults tries a configuration with several faults by --check, at
// the start, and by a reload.
func TestConfigFaults(t *testing.T) {
	t.Parallel()
	box := harness.New(t)
	good := box.App("demo")
	box.Configure(good)
	if r := box.Run("--check"); r.Status != 0 {
		t.Errorf("check of a right configuration: %s", r)
	}
	daemon := box.Start()
	old := box.AwaitServing("demo")[0]
	box.WriteConfig(`port_range: {from: 12000, to: 11000}
logger:
    log_dir: ` + box.Dir + `/made/by/nobody
    max_log_sizes: 5
apps:
    - name: demo
      command: /bin/app --port={port}
      start_timeout: soon
    - name: demo
      command: "/bin/app 'unfinished"
      user: {username: no-such-user}
`)
	faults := []string{
		":1:", "port_range", // it ends before it begins
		":4:5", "max_log_size", // the nearest key
		":8:22", "start_timeout",
		":9:13", "demo", // a second app of that name
		":10:", "quote",
		":11:24", "no-such-user",
	}
	tries := map[string]func() string{
		"check": func() string {
			r := box.Run("--check")
			if r.Status != 1 {
				t.Errorf("check: %s", r)
			}
			return r.Stdout
		},
		"reload": func() string { return box.Want(1, "reload").Stderr },
		"update": func() string { return box.Want(1, "update").Stderr },
	}
	for name, try := range tries {
		said := try()
		for _, fault := range faults {
			if !strings.Contains(said, fault) {
				t.Errorf("%s does not tell %q:\n%s", name, fault, said)
			}
		}
	}
	for verb, apps := range map[string]string{"reload": `""`, "restart": "other"} {
		if verb == "restart" {
			box.Want(1, "restart", "other")
		}
		line := fmt.Sprintf(`operation refused"? +verb=%s apps=%s caller="uid %d, pid [0-9]+" error=`, verb, apps, os.Geteuid())
		box.Await("a line "+line, func() bool { return regexp.MustCompile(line).MatchString(box.DaemonOutput()) })
	}

	if _, err := os.Stat(box.Dir + "/made"); err == nil {
		t.Error("a configuration that is not valid has made a folder")
	}
	if now := box.AwaitServing("demo")[0]; now.PID != old.PID {
		t.Errorf("pid %d serves instead of %d", now.PID, old.PID)
	}
	daemon.Stop()
}

// TestFaultyStart starts the daemon on a wrong configuration and on none.
func TestFaultyStart(t *testing.T) {
	t.Parallel()
	box := harness.New(t)
	if r := box.Run(); r.Status != 1 || !strings.Contains(r.Stdout, "gracevisor.yaml") {
		t.Errorf("start without a configuration: %s", r)
	}
	box.WriteConfig("apps: nonsense\n")
	if r := box.Run(); r.Status != 1 || !strings.Contains(r.Stdout, "gracevisor.yaml:1:7") {
		t.Errorf("start with a wrong configuration: %s", r)
	}
}

// TestSecondDaemon starts another daemon on the same folders.
func TestSecondDaemon(t *testing.T) {
	t.Parallel()
	box := harness.New(t)
	app := box.App("demo")
	box.Configure(app)
	first := box.Start()
	old := box.AwaitServing("demo")[0]
	if r := box.Run(); r.Status != 1 || r.Stdout == "" {
		t.Errorf("a second daemon: %s", r)
	}
	if status := box.Status(); status.PID != first.PID || harness.Active(status.Apps[0]).PID != old.PID {
		t.Errorf("the second daemon has disturbed the first: %+v", status)
	}
	first.Stop()
}

// TestPortInUse has an external port that a stranger listens on. The other app
// starts, the status says why this one is not served, and it is as soon as the
// stranger goes.
func TestPortInUse(t *testing.T) {
	t.Parallel()
	box := harness.New(t)
	taken, free := box.App("taken"), box.App("free")
	stranger, err := net.Listen("tcp", taken.Address())
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	box.Configure(taken.With("external_host", "127.0.0.1"), free)
	box.Start()
	box.AwaitServing("free")
	if a := get(t, free, "/"); a.status != 200 {
		t.Errorf("the app beside it answers %+v", a)
	}
	app := box.AwaitApp("taken", "tell why it is not served", func(a control.AppStatus) bool { return a.ListenError != "" })
	if !strings.Contains(app.ListenError, "in use") {
		t.Errorf("the reason is %q", app.ListenError)
	}
	if r := box.Must("status"); !strings.Contains(r.Stdout, "not served: taken") {
		t.Errorf("status: %s", r)
	}
	if err := stranger.Close(); err != nil {
		t.Fatal(err)
	}
	box.AwaitApp("taken", "be served", func(a control.AppStatus) bool { return a.ListenError == "" && a.State == "serving" })
	if a := get(t, taken, "/"); a.status != 200 {
		t.Errorf("the app answers %+v", a)
	}
}

// TestParallelRestarts lets two of three apps start at the same time: the third
// waits until one of them is ready.
func TestParallelRestarts(t *testing.T) {
	t.Parallel()
	box := harness.New(t)
	box.Set("parallel_restarts", 2)
	var apps []harness.App
	names := []string{"a", "b", "c"}
	for _, name := range names {
		box.WriteFile(name, "503")
		apps = append(apps, box.App(name, "--health-file="+box.Dir+"/"+name).With("healthcheck", "/health"))
	}
	box.Configure(apps...)
	box.Start()
	starting := func() (begun, waiting []string) {
		for _, app := range box.Status().Apps {
			if len(app.Instances) > 0 && app.Instances[0].State == "probing" {
				begun = append(begun, app.Name)
			} else {
				waiting = append(waiting, app.Name)
			}
		}
		return begun, waiting
	}
	var begun, waiting []string
	box.Await("two apps to start", func() bool {
		begun, waiting = starting()
		return len(begun) == 2
	})
	if third := box.Status(waiting[0]).Apps[0]; len(third.Instances) > 0 {
		t.Errorf("a third app was started beside two: %+v", third)
	}
	box.WriteFile(begun[0], "200")
	box.AwaitServing(begun[0])
	box.AwaitApp(waiting[0], "start", func(a control.AppStatus) bool { return len(a.Instances) > 0 })
	for _, name := range names {
		box.WriteFile(name, "200")
	}
	box.AwaitServing(names...)
}
