package logs

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

const day = 24 * time.Hour

// numbered returns lines with numbers, size bytes in all, or a little more.
func numbered(size int) string {
	var b strings.Builder
	for i := 0; b.Len() < size; i++ {
		fmt.Fprintf(&b, "line %d\n", i)
	}
	return b.String()
}

func TestRotationBySize(t *testing.T) {
	f := newFixture(t)
	text := numbered(12 << 20)
	f.app(stdout("demo", 1), Target{Path: "app.out", MaxSize: 1}).run(text)
	var whole strings.Builder
	names := append(f.rotated("app.out"), "app.out")
	for _, name := range names {
		part := f.read(name)
		if len(part) > 1<<20 || len(part) < 1<<19 && name != "app.out" {
			t.Errorf("%s has %d bytes", name, len(part))
		}
		if !strings.HasPrefix(part, "line ") {
			t.Errorf("%s begins within a line", name)
		}
		info, err := os.Stat(f.path(name))
		must(t, err)
		if mode := info.Mode().Perm(); mode&^fileMode != 0 {
			t.Errorf("%s has the mode %v", name, mode)
		}
		whole.WriteString(part)
	}
	if whole.String() != text {
		t.Errorf("the %d files do not hold what was written", len(names))
	}
}

func TestKeptFiles(t *testing.T) {
	f := newFixture(t)
	must(t, os.WriteFile(f.path("app-notes.out"), nil, 0o600))
	must(t, os.WriteFile(f.path("app-2001-01-01T00-00-00.000.err"), nil, 0o600))
	must(t, os.Mkdir(f.path("app-2001-01-01T00-00-00.000.out"), 0o700))
	text := numbered(5 << 20)
	a := f.app(stdout("demo", 1), Target{Path: "app.out", MaxSize: 1, MaxKept: 2})
	a.say(text)
	kept := f.rotated("app.out")
	if len(kept) != 4 { // two of them have never been log files
		t.Fatalf("files %q are left", kept)
	}
	if tail := f.read(kept[1]) + f.read(kept[2]) + f.read("app.out"); !strings.HasSuffix(text, tail) {
		t.Error("the files that are left are not the last ones")
	}
	if len(f.rotated("app.err")) != 1 {
		t.Error("the file of another log was removed")
	}
	// A smaller number counts when the file is next opened.
	a.end()
	f.app(stdout("demo", 2), Target{Path: "app.out", MaxSize: 1, MaxKept: 1}).run("")
	if now := f.rotated("app.out"); len(now) != 3 || !slices.Contains(now, kept[2]) {
		t.Errorf("files %q are left, want the newest", now)
	}
}

func TestRotationByAge(t *testing.T) {
	f := newFixture(t)
	target := Target{Path: "app.out", MaxAge: 2}
	a := f.app(stdout("demo", 1), target)
	a.say("first\n")
	f.forward(2*day - time.Hour)
	a.say("second\n")
	if old := f.rotated("app.out"); len(old) != 0 {
		t.Fatalf("rotated too early: %q", old)
	}
	a.end()
	// The age survives the daemon.
	f.stop(f.Store)
	f.start()
	f.forward(2 * time.Hour)
	a = f.app(stdout("demo", 2), target)
	a.say("third\n")
	old := f.rotated("app.out")
	if len(old) != 1 || f.read(old[0]) != "first\nsecond\n" || f.read("app.out") != "third\n" {
		t.Errorf("files %q and %q", old, f.read("app.out"))
	}
}

func TestSilentAppsAreLookedAfter(t *testing.T) {
	f := newFixture(t)
	a := f.app(stdout("demo", 1), Target{Path: "app.out", MaxAge: 1})
	empty := f.app(stdout("demo", 1), Target{Path: "empty.out", MaxAge: 1})
	a.say("old\n")
	empty.settle()
	must(t, os.WriteFile(f.path("app-"+time.Now().UTC().Add(-25*time.Hour).Format(rotatedFormat)+".out"), nil, 0o600))
	f.maintainAll()
	if old := f.rotated("app.out"); len(old) != 0 {
		t.Errorf("%q is older than a day", old)
	}
	if got := f.read("app.out"); got != "old\n" {
		t.Errorf("file is %q", got)
	}
	f.forward(day + time.Hour)
	f.maintainAll()
	if got := f.read("app.out"); got != "" {
		t.Errorf("a file of a day is not rotated: %q", got)
	}
	empty.say("one\n")
	empty.say("two\n")
	if old := f.rotated("empty.out"); len(old) != 0 {
		t.Error("a file was rotated for the time that it was empty")
	}
}

func TestBirthWithoutBirthTime(t *testing.T) {
	folder := t.TempDir()
	dir, err := openDirectory(folder, false)
	must(t, err)
	defer dir.close()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	file := logFile{path: folder + "/app.out", clock: func() time.Time { return now }}
	if got := file.birthOf(&fileID{}, dir); !got.Equal(now) {
		t.Errorf("born %v, want now", got)
	}
	for _, stamp := range []string{"2025-12-30T00-00-00.000", "2025-12-31T00-00-00.500", "2025-12-29T00-00-00.000"} {
		must(t, os.WriteFile(folder+"/app-"+stamp+".out", nil, 0o600))
	}
	want := time.Date(2025, 12, 31, 0, 0, 0, 5e8, time.UTC)
	if got := file.birthOf(&fileID{}, dir); !got.Equal(want) {
		t.Errorf("born %v, want when the last one was rotated, %v", got, want)
	}
	if got := file.birthOf(&fileID{birth: 5}, dir); got.UnixNano() != 5 {
		t.Errorf("born %v, want the birth time", got)
	}
}

func TestReopen(t *testing.T) {
	f := newFixture(t)
	a := f.app(stdout("demo", 1), Target{Path: "app.out"})
	a.say("one\n")
	must(t, os.Rename(f.path("app.out"), f.path("moved")))
	a.say("two\n")
	f.Reopen()
	if got := f.read("app.out"); got != "" {
		t.Errorf("the new file begins with %q", got)
	}
	a.say("three\n")
	if f.read("moved") != "one\ntwo\n" || f.read("app.out") != "three\n" {
		t.Errorf("files %q and %q", f.read("moved"), f.read("app.out"))
	}
	if n := f.logbook.count("level="); n != 0 {
		t.Errorf("something was told: %s", &f.logbook)
	}
}

// TestTruncatedInPlace is what logrotate's copytruncate does.
func TestTruncatedInPlace(t *testing.T) {
	f := newFixture(t)
	a := f.app(stdout("demo", 1), Target{Path: "app.out", MaxSize: 1})
	a.say(numbered(3 << 19)) // rotated once: the file is one that we made anew
	must(t, os.Truncate(f.path("app.out"), 0))
	a.say("after\n")
	if got := f.read("app.out"); got != "after\n" {
		t.Errorf("file is %q", got)
	}
}

// TestNeverRotated has targets whose renaming would be felt by others.
func TestNeverRotated(t *testing.T) {
	f := newFixture(t)
	text := numbered(3 << 20)
	f.app(stdout("demo", 1), Target{Path: "/dev/null", MaxSize: 1}).run(text)
	if info, err := os.Lstat("/dev/null"); err != nil || info.Mode()&os.ModeCharDevice == 0 {
		t.Fatalf("/dev/null is %v, %v", info, err)
	}
	must(t, os.Symlink(f.path("real"), f.path("link")))
	f.app(stdout("demo", 1), Target{Path: "link", MaxSize: 1}).run(text)
	if info, err := os.Lstat(f.path("link")); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link is %v, %v", info, err)
	}
	if f.read("real") != text {
		t.Error("the file that the link leads to does not hold what was written")
	}
	if n := f.logbook.count("level="); n != 0 {
		t.Errorf("something was told: %s", &f.logbook)
	}
}

// TestRotationFails has a folder that is refused when rotation is due.
func TestRotationFails(t *testing.T) {
	f := newFixture(t)
	a := f.app(stdout("demo", 1), Target{Path: "app.out", MaxSize: 1})
	text := numbered(1 << 20)
	a.say("one\n")
	must(t, os.Chmod(f.folder, 0o777))
	a.say(text)
	a.say(text)
	if n := f.logbook.count("level=ERROR", "grows on"); n != 1 {
		t.Errorf("told %d times: %s", n, &f.logbook)
	}
	must(t, os.Chmod(f.folder, 0o755))
	f.forward(2 * rotationPause)
	a.say("two\n")
	old := f.rotated("app.out")
	if len(old) != 1 || f.read(old[0]) != "one\n"+text+text || f.read("app.out") != "two\n" {
		t.Errorf("rotated to %q, output was lost or is in the wrong place", old)
	}
}

// TestRotatedNamesDiffer: files are named by the millisecond, and one would
// overwrite the other.
func TestRotatedNamesDiffer(t *testing.T) {
	var file logFile
	for range 20 {
		file.rotated = time.Now()
		before := file.rotated.Format(rotatedFormat)
		file.awaitNewName()
		if after := time.Now().Format(rotatedFormat); after == before {
			t.Fatalf("two files would be called %s", after)
		}
	}
}
