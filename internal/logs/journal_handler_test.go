package logs

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestDaemonLogInTheJournal(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gracevisor.log")
	screen := &logbook{}
	j, journald := newTestJournal(t)
	log, d := newDaemonLog(Target{Path: path}, screen, slog.LevelInfo, j)
	entry := func(priority, message string, more ...string) {
		t.Helper()
		want := map[string]string{"PRIORITY": priority, "SYSLOG_IDENTIFIER": "gracevisord", "MESSAGE": message}
		for i := 0; i < len(more); i += 2 {
			want["GRACEVISOR_"+more[i]] = more[i+1]
		}
		journald.want(want)
	}
	log.Info("plain")
	entry("6", "plain")
	log.Debug("nobody wants to know")
	log.Info("instance started", "app", "demo", "instance", 7, "took", 3*time.Millisecond)
	entry("6", "instance started  app=demo instance=7 took=3ms", "APP", "demo", "INSTANCE", "7", "TOOK", "3ms")
	log.Warn("bad\x1b[2J", "error", errors.New("exit\nstatus 3"))
	entry("4", `"bad\x1b[2J"  error="exit\nstatus 3"`, "ERROR", "exit\nstatus 3")
	log.With("app", "demo").WithGroup("g").With("x", 1).Error("failed", slog.Group("h", "y", 2), slog.Group("", "z", true), slog.Attr{})
	entry("3", "failed  app=demo g.x=1 g.h.y=2 g.z=true", "APP", "demo", "G_X", "1", "G_H_Y", "2", "G_Z", "true")
	log.Info("long", "value", strings.Repeat("x", 2*longestLine))
	got := journald.next()
	if n := len(got["GRACEVISOR_VALUE"]); n < longestLine || n > longestLine+40 || len(got["MESSAGE"]) < 2*longestLine {
		t.Errorf("a field of %d bytes, a message of %d", n, len(got["MESSAGE"]))
	}
	log.Info(strings.Repeat("\u20ac", longestEntryLine))
	if got := journald.next()["MESSAGE"]; len(got) > longestEntryLine+3 || len(got) < longestEntryLine {
		t.Errorf("a message of %d bytes", len(got))
	}
	must(t, d.Close(within(t)))
	log.Info("too late")
	journald.silent()
	if screen.String() != "" {
		t.Errorf("the screen has %q", screen)
	}
	if text, err := os.ReadFile(path); err != nil || !strings.Contains(string(text), "app=demo instance=7 took=3ms\n") {
		t.Errorf("file is %q, %v", text, err)
	}
}

// TestSharedAttributes: what loggers made of one another say does not mix.
func TestSharedAttributes(t *testing.T) {
	j, journald := newTestJournal(t)
	log, d := newDaemonLog(Target{Path: filepath.Join(t.TempDir(), "log")}, &logbook{}, slog.LevelInfo, j)
	base := log.With("app", "demo")
	first, second := base.With("instance", 1), base.With("instance", 2)
	first.Info("a")
	second.Info("b")
	base.Info("c")
	for _, want := range []string{"1", "2", ""} {
		if got := journald.next(); got["GRACEVISOR_APP"] != "demo" || got["GRACEVISOR_INSTANCE"] != want {
			t.Errorf("entry %q, want instance %q", got, want)
		}
	}
	must(t, d.Close(within(t)))
}

// TestDaemonLogWithStuckJournal: whoever logs waits for nobody.
func TestDaemonLogWithStuckJournal(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gracevisor.log")
	j, journald := newTestJournal(t)
	j.patience = patience
	log, d := newDaemonLog(Target{Path: path}, &logbook{}, slog.LevelInfo, j)
	line := strings.Repeat("x", 1000)
	const lines = 3 * queueBytes / 1000
	for range lines {
		log.Info(line)
	}
	for came := 0; ; came++ {
		message := journald.next()["MESSAGE"]
		if message == line {
			continue
		}
		if !strings.HasPrefix(message, linesDropped+"  lines=") || came == 0 || came >= lines {
			t.Errorf("after %d lines came %q", came, message)
		}
		break
	}
	must(t, d.Close(within(t)))
	if text, err := os.ReadFile(path); err != nil || !strings.Contains(string(text), line) {
		t.Errorf("the file has %d bytes, %v", len(text), err)
	}
}

// TestDaemonLogTellsOfItsFileInTheJournal: what cannot stand in the file stands
// there.
func TestDaemonLogTellsOfItsFileInTheJournal(t *testing.T) {
	folder := t.TempDir()
	must(t, os.WriteFile(folder+"/log", nil, 0o600))
	j, journald := newTestJournal(t)
	_, d := newDaemonLog(Target{Path: folder + "/log/gracevisor.log"}, &logbook{}, slog.LevelInfo, j)
	if got := journald.next(); !strings.HasPrefix(got["MESSAGE"], "writing a log file failed") || got["PRIORITY"] != "3" {
		t.Errorf("entry %q", got)
	}
	must(t, d.Close(within(t)))
}
