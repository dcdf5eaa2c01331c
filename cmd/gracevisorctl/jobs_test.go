package main

import (
	"bufio"
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"gracevisor/internal/control"
)

func TestJobs(t *testing.T) {
	f := newDaemon(t)
	if got := f.run(t, "list-jobs"); got.status != exitDone || got.out != "JOB  TYPE  APP  STATE  SINCE\n" {
		t.Errorf("%+v", got)
	}
	f.change(func(a *answers) {
		a.jobs = []control.Job{
			{ID: 7, Verb: control.VerbReload, State: control.JobRunning, Since: sampleTime},
			{ID: 8, Verb: control.VerbReload, App: "demo\x1b[2J", State: control.JobWaiting, Since: sampleTime},
		}
	})
	golden(t, "jobs.json", f.run(t, "--json", "list-jobs").out)
	got := f.run(t, "list-jobs")
	for _, want := range []string{"7    reload  -", `8    reload  demo\x1b[2J  waiting`} {
		if !strings.Contains(got.out, want) {
			t.Errorf("no %q in\n%s", want, got.out)
		}
	}
	if got := f.run(t, "cancel", "7", "8"); got.status != exitDone || got.out != "job 7: canceled\njob 8: canceled\n" || len(f.calledOff()) != 2 {
		t.Errorf("%+v; canceled %v", got, f.calledOff())
	}
	if got := f.run(t, "cancel", "9"); got.status != exitFailed || !strings.Contains(got.err, "no job has this number") {
		t.Errorf("%+v", got)
	}
	for _, args := range [][]string{{"cancel"}, {"cancel", "demo"}, {"cancel", "4294967296"}, {"list-jobs", "demo"}, {"monitor", "demo"}} {
		if got := f.run(t, args...); got.status != exitUsage {
			t.Errorf("%q: %+v", args, got)
		}
	}
}

func TestMonitor(t *testing.T) {
	f := newDaemon(t)
	ctx, cancel := context.WithTimeout(t.Context(), deadMan)
	defer cancel()
	cmd := f.command(ctx, "monitor")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(deadMan); !f.feed.Watched() && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	job, on := &control.Job{ID: 7, Verb: control.VerbRestart, App: "demo"}, true
	f.feed.Tell(control.Notice{Kind: control.NoticeJobNew, Job: job})
	f.feed.Tell(control.Notice{Kind: control.NoticeJobRemoved, Job: job, Result: control.ResultFailed, Error: "exit status 1\x1b"})
	f.feed.Tell(control.Notice{Kind: control.NoticeReloading, Reloading: &on})
	f.feed.Tell(control.Notice{Kind: control.NoticeAppChanged, App: "demo", State: &sampleStatus().Apps[0]})
	lines := bufio.NewScanner(out)
	for _, want := range []string{
		"job 7: restart demo begins", `job 7: restart demo failed: exit status 1\x1b`, "the configuration is being applied",
		"demo: restarting, instance 8 serving (pid 801), instance 10 draining (pid 802); instance 7 exited with status 1",
	} {
		if !lines.Scan() || !strings.HasSuffix(lines.Text(), "  "+want) {
			t.Errorf("%q, want %q", lines.Text(), want)
		}
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("to interrupt it is no failure: %v", err)
	}
}

// TestBusThatIsNotThere: --bus does not fall back, and excludes other doors.
func TestBusThatIsNotThere(t *testing.T) {
	f := newDaemon(t)
	ctx, cancel := context.WithTimeout(t.Context(), deadMan)
	defer cancel()
	cmd := f.command(ctx, "--bus", "status")
	cmd.Env = append(cmd.Env, "DBUS_SYSTEM_BUS_ADDRESS=unix:path=/nowhere/bus")
	if got := finish(t, cmd); got.status != exitUnreachable || !strings.Contains(got.err, "system bus") {
		t.Errorf("%+v", got)
	}
	if got := f.run(t, "--bus", "--host", "localhost", "status"); got.status != exitUsage {
		t.Errorf("%+v", got)
	}
}
