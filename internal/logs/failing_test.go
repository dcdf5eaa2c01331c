package logs

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// dropped adds up what was told to have been dropped.
func (f *fixture) dropped() (bytes int) {
	for _, m := range regexp.MustCompile(`dropped_bytes=(\d+)`).FindAllStringSubmatch(f.logbook.String(), -1) {
		n, _ := strconv.Atoi(m[1])
		bytes += n
	}
	return bytes
}

func TestUnwritableFolder(t *testing.T) {
	f := newFixture(t)
	must(t, os.WriteFile(f.path("folder"), nil, 0o600)) // not even root can write in it
	a := f.app(stdout("demo", 1), Target{Path: "folder/app.out"})
	const text = "nobody will read this\n"
	for range 3 {
		a.say(text)
		f.forward(2 * longestPause)
	}
	if n := f.logbook.count("level=ERROR", "output is dropped", f.path("folder/app.out")); n != 1 {
		t.Errorf("told %d times: %s", n, &f.logbook)
	}
	if got := f.LastLines("demo", 1, 9); len(got) != 3 {
		t.Errorf("last lines are %q", got)
	}
	must(t, os.Remove(f.path("folder")))
	a.say("this is\n")
	if got := f.read("folder/app.out"); got != "this is\n" {
		t.Errorf("file is %q", got)
	}
	if n := f.logbook.count("works again"); n != 1 || f.dropped() != 3*len(text) {
		t.Errorf("told %d times that %d bytes were dropped, want %d: %s", n, f.dropped(), 3*len(text), &f.logbook)
	}
}

func TestNothingIsTriedForAWhile(t *testing.T) {
	f := newFixture(t)
	must(t, os.WriteFile(f.path("folder"), nil, 0o600))
	a := f.app(stdout("demo", 1), Target{Path: "folder/app.out"})
	w := f.writer(f.path("folder/app.out"))
	a.settle()
	must(t, os.Remove(f.path("folder")))
	f.mu.Lock()
	f.ahead = -patience // whatever time this test takes, the pause is not over
	f.mu.Unlock()
	a.say("dropped\n")
	if _, err := os.Stat(f.path("folder")); err == nil {
		t.Error("the file was opened in the pause")
	}
	// Somebody who says that the file can be opened now is believed.
	f.Reopen()
	a.say("written\n")
	if got := f.read("folder/app.out"); got != "written\n" {
		t.Errorf("file is %q", got)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.failing || f.dropped() != len("dropped\n") {
		t.Errorf("%d bytes are told to have been dropped: %s", f.dropped(), &f.logbook)
	}
}

func TestDroppedIsToldAtTheEnd(t *testing.T) {
	f := newFixture(t)
	text := numbered(1 << 20)
	f.app(stdout("demo", 1), Target{Path: "/dev/full"}).run(text)
	if n := f.logbook.count("output is dropped"); n != 1 {
		t.Errorf("told %d times: %s", n, &f.logbook)
	}
	if n := f.logbook.count("log file is closed"); n != 1 || f.dropped() != len(text) {
		t.Errorf("told %d times that %d bytes were dropped, want %d: %s", n, f.dropped(), len(text), &f.logbook)
	}
}

func TestPausesGrow(t *testing.T) {
	f := newFixture(t)
	w := newWriter(Target{Path: f.path("app.out")}, f.clock, f.log)
	var pauses []string
	for range 8 {
		w.fail(os.ErrPermission, 1)
		pauses = append(pauses, w.pause.String())
		w.recovered()
	}
	if got := strings.Join(pauses, " "); got != "1s 2s 4s 8s 16s 32s 1m0s 1m0s" {
		t.Errorf("pauses are %s", got)
	}
	f.forward(3 * longestPause)
	if w.fail(os.ErrPermission, 1); w.pause != firstPause {
		t.Errorf("pause is %v after a long time without failure", w.pause)
	}
}

// TestFullDisk has a file system of 256 KiB.
func TestFullDisk(t *testing.T) {
	f := newFixture(t)
	disk := f.path("disk")
	must(t, os.Mkdir(disk, 0o755))
	if err := unix.Mount("tmpfs", disk, "tmpfs", 0, "size=256k,mode=755"); err != nil {
		t.Skipf("SKIPPED: mounting a small file system needs root: %v", err)
	}
	t.Cleanup(func() { unix.Unmount(disk, unix.MNT_DETACH) })
	text := numbered(1 << 20)
	a := f.app(stdout("demo", 1), Target{Path: "disk/app.out"})
	a.say(text)
	if n := f.logbook.count("level=ERROR", "output is dropped", "no space left on device"); n != 1 {
		t.Errorf("told %d times: %s", n, &f.logbook)
	}
	if n := f.logbook.count("/proc/"); n != 0 {
		t.Errorf("a name that means nothing to anybody was told: %s", &f.logbook)
	}
	kept := f.read("disk/app.out")
	if len(kept) == 0 || !strings.HasPrefix(text, kept) {
		t.Errorf("the disk holds %d bytes, or others than were written", len(kept))
	}
	must(t, unix.Mount("tmpfs", disk, "tmpfs", unix.MS_REMOUNT, "size=4m,mode=755"))
	f.forward(2 * longestPause)
	a.say("again\n")
	want := strings.TrimSuffix(kept, "\n") + "\nagain\n"
	if got := f.read("disk/app.out"); got != want {
		t.Errorf("file ends in %q", got[len(got)-min(len(got), 40):])
	}
	if lost := len(text) - len(kept); f.dropped() != lost {
		t.Errorf("%d bytes are told to have been dropped, want %d", f.dropped(), lost)
	}
	a.end()
}

// TestManyFailingFilesDoNotBlock has writers that get nothing written.
func TestManyFailingFilesDoNotBlock(t *testing.T) {
	f := newFixture(t)
	text := numbered(1 << 20)
	var apps []*app
	ended := make(chan error)
	for i := range 8 {
		a := f.app(stdout(fmt.Sprint(i), 1), Target{Path: "/dev/full"})
		apps = append(apps, a)
		go func() {
			_, err := a.out.WriteString(text)
			a.out.Close()
			ended <- err
		}()
	}
	for range apps {
		must(t, <-ended)
	}
	for _, a := range apps {
		a.gone()
	}
	if f.dropped() != len(apps)*len(text) {
		t.Errorf("%d bytes are told to have been dropped, want %d", f.dropped(), len(apps)*len(text))
	}
}
