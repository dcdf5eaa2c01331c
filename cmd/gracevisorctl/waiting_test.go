package main

import (
	"context"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"gracevisor/internal/control"
)

// heldOperation lets the test send an operation's events. begun yields when one
// has begun.
func (f *fakeDaemon) heldOperation() (events chan control.Event, begun chan struct{}) {
	events, begun = make(chan control.Event), make(chan struct{}, 1)
	f.starts(func(control.Request) (*control.Operation, error) {
		begun <- struct{}{}
		return &control.Operation{Events: events}, nil
	})
	return events, begun
}

// interrupted starts the program, waits until ready and interrupts it.
func interrupted(t *testing.T, cmd *exec.Cmd, ready func()) result {
	t.Helper()
	var out, errOut strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errOut
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ready()
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	return result{cmd.ProcessState.ExitCode(), out.String(), errOut.String()}
}

func TestInterruptLeavesTheOperation(t *testing.T) {
	d := newDaemon(t)
	events, begun := d.heldOperation()
	for _, json := range []bool{false, true} {
		args := []string{"restart", "demo"}
		if json {
			args = append(args, "--json")
		}
		ctx, cancel := context.WithTimeout(context.Background(), deadMan)
		defer cancel()
		got := interrupted(t, d.command(ctx, args...), func() {
			receive(t, begun, "the operation")
			events <- control.Event{Kind: control.EventStep, App: "demo", Message: "going on"}
		})
		if got.status != exitInterrupted || !strings.Contains(got.err, "the operation goes on") {
			t.Errorf("%+v", got)
		}
		if json != strings.Contains(got.out, `"code": "interrupted"`) {
			t.Errorf("printed %s", got.out)
		}
	}
}

func TestInterruptEndsFollowing(t *testing.T) {
	d := newDaemon(t)
	begun := make(chan struct{}, 1)
	d.prints(func(int, bool) ([]control.OutputLine, <-chan control.OutputLine, error) {
		begun <- struct{}{}
		return nil, make(chan control.OutputLine), nil
	})
	ctx, cancel := context.WithTimeout(context.Background(), deadMan)
	defer cancel()
	got := interrupted(t, d.command(ctx, "logs", "-f", "demo"), func() { receive(t, begun, "the follower") })
	if got.status != exitDone || got.err != "" {
		t.Errorf("%+v", got)
	}
}

func TestDaemonLostInTheMiddle(t *testing.T) {
	d := newDaemon(t)
	events, begun := d.heldOperation()
	done := make(chan result, 1)
	// Ends with the program.
	go func() { done <- d.run(t, "restart", "demo", "--json") }()
	receive(t, begun, "the operation")
	events <- control.Event{Kind: control.EventStep, App: "demo", Message: "going on"}
	// The second can be taken only when the first has been sent.
	events <- control.Event{Kind: control.EventStep, App: "demo", Message: "still"}
	d.close(t)
	got := receive(t, done, "the program")
	if got.status != exitFailed || !strings.Contains(got.err, "connection to the daemon was lost") {
		t.Errorf("%+v", got)
	}
	for _, want := range []string{`"ok": false`, `"going on"`, `"code": "lost"`} {
		if !strings.Contains(got.out, want) {
			t.Errorf("lacks %s: %s", want, got.out)
		}
	}
}

func TestReexecWaitsForTheDaemonToComeBack(t *testing.T) {
	for _, c := range []struct {
		name      string
		pid       int
		status    int
		out, says string
	}{
		{"in place", 700, exitDone, "done", ""},
		{"started anew", 701, exitFailed, "", "the daemon ended and was started anew"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newDaemon(t)
			events, begun := d.heldOperation()
			done := make(chan result, 1)
			// Ends with the program.
			go func() { done <- d.run(t, "reexec") }()
			receive(t, begun, "the operation")
			events <- control.Event{Kind: control.EventStep, Message: "executing"}
			d.close(t)
			d.change(func(a *answers) {
				a.status = func([]string) (*control.Status, error) {
					s := sampleStatus()
					s.PID, s.Version = c.pid, "1.2.4"
					return s, nil
				}
			})
			d.open(t)
			got := receive(t, done, "the program")
			if got.status != c.status || !strings.Contains(got.out, c.out) || !strings.Contains(got.err, c.says) {
				t.Errorf("%+v", got)
			}
			if c.status == exitDone && !strings.Contains(got.out, "pid 700, version 1.2.4 (was 1.2.3)") {
				t.Errorf("printed %s", got.out)
			}
		})
	}
}

func TestReexecThatIsRefused(t *testing.T) {
	d := newDaemon(t)
	d.tells(control.Event{Kind: control.EventResult, Result: control.ResultFailed, Error: "the new binary cannot read the state"})
	got := d.run(t, "reexec")
	if got.status != exitFailed || !strings.Contains(got.err, "reexec gracevisord: failed: the new binary") {
		t.Errorf("%+v", got)
	}
	d.fails(control.Error{Code: control.CodeUnsupported, Message: "not yet"})
	d.change(func(a *answers) {
		a.status = func([]string) (*control.Status, error) { return sampleStatus(), nil }
	})
	if got := d.run(t, "reexec"); got.status != exitFailed || !strings.Contains(got.err, "not yet") {
		t.Errorf("%+v", got)
	}
}
