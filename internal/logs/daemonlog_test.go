package logs

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestDaemonLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log", "gracevisor.log")
	screen := &logbook{}
	log, d := NewDaemonLog(Target{Path: path}, screen, slog.LevelInfo)
	log.Info("instance started", "app", "demo", "instance", 7)
	log.Debug("nobody wants to know")
	log.With("app", "demo").WithGroup("g").Error("restart failed", "error", "exit status 3")
	log.Warn("plain")
	must(t, d.Flush(within(t)))
	text, err := os.ReadFile(path)
	must(t, err)
	const stamp = `\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}(Z|[+-]\d\d:\d\d)`
	check := func(what, text string, lines ...string) {
		t.Helper()
		if !regexp.MustCompile(`\A` + strings.Join(lines, "\n") + "\n\\z").MatchString(text) {
			t.Errorf("%s is %q", what, text)
		}
	}
	check("file", string(text),
		`time=`+stamp+` level=INFO msg="instance started" app=demo instance=7`,
		`time=`+stamp+` level=ERROR msg="restart failed" app=demo g.error="exit status 3"`,
		`time=`+stamp+` level=WARN msg=plain`)
	check("screen", screen.String(),
		stamp+` INFO  instance started  app=demo instance=7`,
		stamp+` ERROR restart failed  app=demo g.error="exit status 3"`,
		stamp+` WARN  plain`)
	must(t, d.Close(within(t)))
	must(t, d.Close(within(t)))
	log.Info("too late")
	if again, err := os.ReadFile(path); err != nil || string(again) != string(text) {
		t.Errorf("file is %q after the end, %v", again, err)
	}
}

func TestDaemonLogWithoutFile(t *testing.T) {
	folder := t.TempDir()
	must(t, os.WriteFile(folder+"/log", nil, 0o600))
	screen := &logbook{}
	log, d := NewDaemonLog(Target{Path: folder + "/log/gracevisor.log"}, screen, slog.LevelInfo)
	for range 3 {
		log.Info("works", "app", "demo")
		must(t, d.Flush(within(t)))
	}
	must(t, d.Close(within(t)))
	if n := screen.count("writing a log file failed", folder); n != 1 {
		t.Errorf("told %d times: %s", n, screen)
	}
	if n := screen.count("works  app=demo"); n != 3 {
		t.Errorf("%d lines are on the screen: %s", n, screen)
	}
}

func TestDaemonLogIsShared(t *testing.T) {
	f := newFixture(t)
	log, d := NewDaemonLog(Target{Path: f.path("all.log"), MaxAge: 1}, nil, slog.LevelInfo)
	f.ShareDaemonLog(d)
	a := f.app(stdout("demo", 1), Target{Path: "all.log", MaxAge: 1})
	log.Info("from the daemon")
	must(t, d.Flush(within(t)))
	a.run("from the app\n")
	must(t, os.Rename(f.path("all.log"), f.path("moved")))
	f.Reopen()
	log.Info("after moving")
	must(t, d.Flush(within(t)))
	if got := f.read("moved"); !strings.Contains(got, "from the daemon") || !strings.HasSuffix(got, "from the app\n") {
		t.Errorf("the moved file is %q", got)
	}
	if got := f.read("all.log"); !strings.Contains(got, "after moving") {
		t.Errorf("the new file is %q", got)
	}
	must(t, f.Close(within(t)))
	log.Info("after the store")
	must(t, d.Close(within(t)))
	if got := f.read("all.log"); !strings.Contains(got, "after the store") {
		t.Errorf("the file is %q", got)
	}
	if f.writer(f.path("all.log")).file.isOpen() {
		t.Error("the file is still open")
	}
}

// TestDaemonLogMoves to another file, while it is written, without losing a line.
func TestDaemonLogMoves(t *testing.T) {
	f := newFixture(t)
	screen := &logbook{}
	log, d := NewDaemonLog(Target{Path: f.path("one.log")}, screen, slog.LevelInfo)
	f.ShareDaemonLog(d)
	const lines = 2000
	done := make(chan struct{})
	// Ends by itself.
	go func() {
		defer close(done)
		for n := range lines {
			log.Info("line", "n", n)
			if n%10 == 0 {
				_ = d.Flush(within(t))
			}
		}
	}()
	for moves, writing := 0, true; writing || moves < 3; moves++ {
		must(t, f.MoveDaemonLog(d, Target{Path: f.path([]string{"two.log", "one.log"}[moves%2])}))
		select {
		case <-done:
			writing = false
		default:
		}
	}
	must(t, f.MoveDaemonLog(d, Target{Path: f.path("two.log"), MaxSize: 7}))
	log.Info("the last one")
	must(t, d.Flush(within(t)))
	one, two := f.read("one.log"), f.read("two.log")
	if n := strings.Count(one+two, "msg=line"); n != lines || !strings.HasSuffix(two, "msg=\"the last one\"\n") {
		t.Errorf("%d lines; the second file ends in %q", n, two[max(0, len(two)-200):])
	}
	f.mu.Lock()
	if _, left := f.writers[f.path("one.log")]; left || len(f.writers) != 1 {
		t.Errorf("writers: %v", f.writers)
	}
	f.mu.Unlock()
	must(t, f.MoveDaemonLog(d, Target{Path: f.path("two.log"), MaxSize: 9}))
	if got := d.writer.Load().limits.Load().MaxSize; got != 9 {
		t.Errorf("the file may have %d megabytes", got)
	}
	// Where it can not go it does not.
	must(t, os.WriteFile(f.path("file"), nil, 0o600))
	if err := f.MoveDaemonLog(d, Target{Path: f.path("file/three.log")}); err == nil || !strings.Contains(err.Error(), "file/three.log") {
		t.Errorf("moved into a file: %v", err)
	}
	log.Info("still here")
	must(t, d.Flush(within(t)))
	if got := f.read("two.log"); !strings.HasSuffix(got, "msg=\"still here\"\n") || len(f.writers) != 1 {
		t.Errorf("the log is %q", got[max(0, len(got)-200):])
	}
	must(t, f.Close(within(t)))
	must(t, d.Close(within(t)))
}

// TestStuckScreen has a terminal that was stopped.
func TestStuckScreen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gracevisor.log")
	r, w := io.Pipe()
	log, d := NewDaemonLog(Target{Path: path}, w, slog.LevelInfo)
	line := strings.Repeat("x", 1000)
	for range 3 * queueBytes / 1000 {
		log.Info(line)
	}
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	if err := d.Flush(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("flushing a stuck screen: %v", err)
	}
	screen := make(chan string)
	go func() { // ends when w is closed
		text, _ := io.ReadAll(r)
		screen <- string(text)
	}()
	must(t, d.Close(within(t)))
	w.Close()
	if got := <-screen; !strings.Contains(got, "log lines dropped") {
		t.Errorf("%d bytes came, and nothing was said to be dropped", len(got))
	}
	if text, err := os.ReadFile(path); err != nil || !strings.Contains(string(text), line) {
		t.Errorf("the file has %d bytes, %v", len(text), err)
	}
}

func TestColorsAndControlCharacters(t *testing.T) {
	var text logbook
	log := slog.New(newCompactHandler(&text, slog.LevelDebug, true))
	log.Error("bad\x1b[2J", "app", "x\x1by")
	log.Info("good")
	log.Warn("so so")
	log.Debug("dull")
	got := text.String()
	for _, want := range []string{
		"\x1b[31mERROR\x1b[0m \"bad\\x1b[2J\"  app=\"x\\x1by\"\n", " INFO  good\n",
		"\x1b[33mWARN \x1b[0m so so\n", "\x1b[2mDEBUG\x1b[0m dull\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in %q", want, got)
		}
	}
	if isColorful(&text) {
		t.Error("a buffer is taken for a terminal")
	}
	if r, w, err := os.Pipe(); err != nil || isColorful(w) {
		t.Errorf("a pipe is taken for a terminal, %v", err)
	} else {
		r.Close()
		w.Close()
	}
}
