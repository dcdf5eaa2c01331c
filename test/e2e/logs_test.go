package e2e

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"gracevisor/test/harness"
	"gracevisor/test/load"
)

// TestLogFiles has output that is no short line of text: a very long line, and
// bytes of all values without a line's end. All of it is in the file, and no
// more.
func TestLogFiles(t *testing.T) {
	t.Parallel()
	const long, binary = 300_000, 70_000
	box := harness.New(t)
	box.Configure(box.App("demo", "--say=first", "--say-error=warned",
		fmt.Sprintf("--long-line=%d", long), fmt.Sprintf("--binary=%d", binary)))
	box.Start()
	box.AwaitServing("demo")
	want := append([]byte("first\n"), bytes.Repeat([]byte("x"), long)...)
	want = append(want, '\n')
	for i := range binary {
		want = append(want, byte(i))
	}
	box.Await("all of stdout", func() bool { return len(readFile(t, filepath.Join(box.LogDir, "app_demo.out"))) >= len(want) })
	if got := readFile(t, filepath.Join(box.LogDir, "app_demo.out")); got != string(want) {
		t.Errorf("%d bytes of stdout are not the %d that were written", len(got), len(want))
	}
	if got := readFile(t, filepath.Join(box.LogDir, "app_demo.err")); got != "warned\n" {
		t.Errorf("stderr is %q", got)
	}
}

// TestSharedLogFile has two apps, each with an old and a new instance, that
// write to one file, which is rotated meanwhile. Every line of each is there
// once, and whole.
func TestSharedLogFile(t *testing.T) {
	t.Parallel()
	const lines = 20_000 // of 100 bytes, by each instance
	box := harness.New(t)
	path := filepath.Join(box.LogDir, "shared.log")
	var apps []harness.App
	for _, name := range []string{"a", "b"} {
		apps = append(apps, box.App(name, "--write-rate=10", "--write-total=2").
			With("logger.log_file", path).With("logger.max_log_size", 1).With("logger.max_logs_kept", -1))
	}
	box.Configure(apps...)
	box.Start()
	box.AwaitServing("a", "b")
	// An instance that is replaced goes on writing until it is told to stop, so
	// the second ones come when the first have said all.
	box.Await("all lines of the first instances", func() bool { return countLines(t, path) == 2*lines })
	box.Must("restart", "a", "b")
	box.Await("all lines", func() bool { return countLines(t, path) == 4*lines })
	seen := make(map[string]int)
	files, _ := logFiles(t, path)
	for _, text := range files {
		for line := range strings.Lines(text) {
			number, rest, _ := strings.Cut(line, " ")
			if len(line) != 100 || strings.Trim(rest, ".") != "\n" {
				t.Fatalf("a line is torn: %q", line)
			}
			seen[number]++
		}
	}
	for number, n := range seen {
		if n != 4 {
			t.Errorf("line %s is there %d times", number, n)
		}
	}
	if len(files) < 4 || len(seen) != lines {
		t.Errorf("%d files, and %d different lines", len(files), len(seen))
	}
}

// logFiles reads a log file and what it was rotated to. It is not consistent
// if the file is rotated at that moment.
func logFiles(t *testing.T, path string) (texts []string, size int) {
	t.Helper()
	names, err := filepath.Glob(strings.TrimSuffix(path, ".log") + "*.log")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		text := readFile(t, name)
		texts, size = append(texts, text), size+len(text)
	}
	return texts, size
}

func countLines(t *testing.T, path string) int {
	t.Helper()
	_, size := logFiles(t, path)
	return size / 100
}

// TestUnwritableLogs has a disk that is full, and a folder that nobody can
// write. Neither stops the app; that its output is lost is told once, and the
// last lines are shown all the same.
func TestUnwritableLogs(t *testing.T) {
	t.Parallel()
	for name, app := range map[string]func(harness.App) harness.App{
		"full disk":         func(a harness.App) harness.App { return a.With("logger.log_file", "/dev/full") },
		"unwritable folder": func(a harness.App) harness.App { return a.With("logger.log_dir", "/proc/nowhere") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			box := harness.New(t)
			demo := app(box.App("demo", "--say=what it says", "--write-rate=1", "--exit-at-once"))
			box.Configure(demo)
			box.Start()
			old := box.AwaitServing("demo")[0]
			l := startLoad(t, load.Options{Address: demo.Address(), Clients: load.Mix(6), PerConnection: 10})
			told := func() int { return strings.Count(box.DaemonOutput(), "writing a log file failed, output is dropped") }
			box.Await("the loss to be told", func() bool { return told() > 0 })
			awaitRequests(t, l, 3)
			if now := box.AwaitServing("demo")[0]; now.PID != old.PID {
				t.Errorf("pid %d serves instead of %d", now.PID, old.PID)
			}
			box.Must("restart", "demo")
			awaitRequests(t, l, 1)
			noFailures(t, l)
			if n := told(); n > 4 { // one for each file, at most, of each instance
				t.Errorf("the loss was told %d times", n)
			}
			if r := box.Must("logs", "demo", "-n", "5"); strings.Count(r.Stdout, "\n") != 5 {
				t.Errorf("logs: %s", r)
			}
		})
	}
}

// TestLoudNeighbour has an app that writes 100 MB in a second or two. The one
// beside it is served and restarted as ever, and the file holds the last line.
func TestLoudNeighbour(t *testing.T) {
	t.Parallel()
	const megabytes = 100
	box := harness.New(t)
	quiet := box.App("quiet", "--exit-at-once")
	loud := box.App("loud", "--write-rate=100", fmt.Sprintf("--write-total=%d", megabytes)).
		With("logger.max_log_size", 10).With("logger.max_logs_kept", 1)
	box.Configure(quiet)
	box.Start()
	box.AwaitServing("quiet")
	l := startLoad(t, load.Options{Address: quiet.Address(), Clients: load.Mix(6), PerConnection: 10})
	box.Configure(quiet, loud)
	box.Must("update")
	last := fmt.Sprintf("%010d ", megabytes*1_000_000/100-1)
	box.Must("restart", "quiet")
	awaitRequests(t, l, 2)
	box.Await("the last line", func() bool { return strings.HasPrefix(box.Must("logs", "loud", "-n", "1").Stdout, last) })
	text := readFile(t, filepath.Join(box.LogDir, "app_loud.out"))
	if !strings.Contains(text[max(0, len(text)-100):], last) {
		t.Errorf("the file ends with %q", text[max(0, len(text)-100):])
	}
	if rotated, err := filepath.Glob(filepath.Join(box.LogDir, "app_loud-*.out")); err != nil || len(rotated) != 1 {
		t.Errorf("rotated files %q, %v", rotated, err)
	}
	noFailures(t, l)
}
