package harness

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"gracevisor/internal/control"
)

var errExited = errors.New("it has exited")

// end ends the Box: it stops the daemon, looks for what should not be left,
// tells what has happened if the test has failed, and removes everything.
func (b *Box) end() {
	if b.daemon != nil {
		status := b.lastStatus()
		b.stopDaemon()
		b.nothingIsLeft()
		if b.t.Failed() {
			b.dump(status)
		}
	}
	if b.events != nil {
		b.check(b.events.Fault())
		b.check(b.events.Close())
	}
	if b.service != nil {
		b.check(b.service.close())
	}
	if b.keeper != nil {
		if os.Getenv("GV_TEST_KEEP") != "" {
			b.check(b.keeper.removeAtEnd())
			b.t.Logf("the folder of the box stays: %s", b.Dir)
		}
		b.check(b.keeper.close())
	}
	if b.ports != nil {
		b.check(b.ports.release())
	}
}

func (b *Box) check(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Errorf("end box: %v", err)
	}
}

// stopDaemon stops the daemon if it runs. One that does not stop is made to
// print its goroutines.
func (b *Box) stopDaemon() {
	d := b.daemon
	if d.exited != nil {
		return
	}
	// The test's own context has ended.
	wait := func() (syscall.WaitStatus, error) {
		ctx, cancel := context.WithTimeout(context.Background(), DeadMan)
		defer cancel()
		return b.keeper.wait(ctx, d.PID)
	}
	err := b.keeper.signal(d.PID, syscall.SIGTERM)
	status, waitErr := wait()
	if waitErr != nil {
		b.t.Errorf("the daemon does not stop: %v", errors.Join(err, waitErr))
		_ = b.keeper.signal(d.PID, syscall.SIGQUIT) // it may exit just now
		if status, err = wait(); err != nil {
			b.t.Errorf("the daemon does not even quit: %v", err)
			return
		}
	}
	d.exited = &status
	if !status.Exited() || status.ExitStatus() != 0 {
		b.t.Errorf("the daemon was to stop, and ended with %s", describe(status))
	}
}

// stays is what of the runtime directory outlives a daemon on purpose: its
// lock, which who removes it loses, the token of its clients, and the folder
// (but nothing in it) that instances have their own folders in.
var stays = []string{"gracevisord.lock", control.TokenFile, "apps"}

// nothingIsLeft looks for processes, files and reports that a daemon must not
// leave behind.
func (b *Box) nothingIsLeft() {
	b.noRaces()
	if b.tolerant {
		return
	}
	b.nothingRuns()
	for _, dir := range []string{b.RunDir, b.path("tmp")} {
		err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
			if err == nil && path != dir && !slices.Contains(stays, filepath.Base(path)) {
				b.t.Errorf("the daemon has left %s behind", path)
			}
			return err
		})
		b.check(err)
	}
}

// nothingRuns fails the test if a process is left. The daemon has exited, and
// may not have left anything; what it was the parent of is the guardian's now.
func (b *Box) nothingRuns() {
	if b.tolerant {
		return
	}
	all, err := descendants(b.keeper.pid())
	b.check(err)
	for _, p := range all {
		ended := p.Parent == b.keeper.pid() && p.State == 'Z' // the guardian is about to reap it
		if !ended {
			b.t.Errorf("the daemon has left a process behind: %s", p)
		}
	}
}

// noRaces fails the test with the reports of the race detector, if there are
// any: in the files that it was told to write, or, of processes that were not
// told, in the daemon's output.
func (b *Box) noRaces() {
	reports, err := filepath.Glob(filepath.Join(b.path("race"), "*"))
	b.check(err)
	for _, report := range append(reports, b.path("daemon.out")) {
		text, err := os.ReadFile(report)
		b.check(err)
		if strings.Contains(string(text), "WARNING: DATA RACE") {
			b.t.Errorf("the race detector reports in %s:\n%s", filepath.Base(report), text)
		}
	}
}

// lastStatus is the status before the end, for the dump.
func (b *Box) lastStatus() *control.Status {
	if !b.t.Failed() || b.daemon.exited != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), DeadMan)
	defer cancel()
	status, err := b.control.Status(ctx)
	if err != nil {
		b.t.Logf("no status: %v", err)
		return nil
	}
	return status
}

// dumpLines is how many lines a dump shows of each file.
const dumpLines = 100

// dump tells all that is known of a Box whose test has failed.
func (b *Box) dump(status *control.Status) {
	var text strings.Builder
	if status != nil {
		for _, w := range status.Workers {
			fmt.Fprintf(&text, "worker %+v\n", w)
		}
		for _, a := range status.Apps {
			fmt.Fprintf(&text, "app %+v\n", a)
		}
	}
	all := b.events.All()
	for _, e := range all[max(0, len(all)-dumpLines):] {
		fmt.Fprintf(&text, "event %s\n", e)
	}
	files := []string{filepath.Join(b.ConfDir, "gracevisor.yaml"), b.path("daemon.out")}
	logs, err := filepath.Glob(filepath.Join(b.LogDir, "*"))
	b.check(err)
	for _, path := range append(files, logs...) {
		content, err := os.ReadFile(path)
		if err != nil || len(content) == 0 {
			continue
		}
		lines := slices.Collect(strings.Lines(string(content)))
		from := max(0, len(lines)-dumpLines)
		fmt.Fprintf(&text, "--- %s (the last %d of %d lines)\n", path, len(lines)-from, len(lines))
		for _, line := range lines[from:] {
			fmt.Fprintf(&text, "%.500s\n", strings.TrimSuffix(line, "\n"))
		}
	}
	b.t.Logf("what was in the box:\n%s", &text)
}

func describe(status syscall.WaitStatus) string {
	if status.Signaled() {
		return "signal " + status.Signal().String()
	}
	return fmt.Sprintf("exit status %d", status.ExitStatus())
}
