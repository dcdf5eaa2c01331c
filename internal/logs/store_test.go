package logs

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func TestOutputGoesToItsFile(t *testing.T) {
	f := newFixture(t)
	out := f.app(stdout("demo", 7), Target{Path: "deep/er/app.out"})
	errs := f.app(Source{"demo", 7, StreamStderr}, Target{Path: "deep/er/app.err"})
	out.say("hello\n")
	errs.say("oops\nand no line end")
	if got := f.read("deep/er/app.out"); got != "hello\n" {
		t.Errorf("stdout is %q", got)
	}
	if got := f.read("deep/er/app.err"); got != "oops\nand no line end" {
		t.Errorf("stderr is %q", got)
	}
	for name, want := range map[string]os.FileMode{"deep": 0o750, "deep/er": 0o750, "deep/er/app.out": 0o640} {
		info, err := os.Stat(f.path(name))
		must(t, err)
		if got := info.Mode().Perm(); got&^want != 0 {
			t.Errorf("mode of %s is %v, want at most %v", name, got, want)
		}
	}
	out.end()
	errs.end()
	if all := f.allWriters(); len(all) != 0 {
		t.Errorf("%d writers are left after the end of all sources", len(all))
	}
}

func TestAppendsToWhatIsThere(t *testing.T) {
	f := newFixture(t)
	f.app(stdout("demo", 1), Target{Path: "app.out"}).run("first\n")
	f.stop(f.Store)
	f.start()
	f.app(stdout("demo", 2), Target{Path: "app.out"}).run("second\n")
	if got := f.read("app.out"); got != "first\nsecond\n" {
		t.Errorf("file is %q", got)
	}
}

// run says a text and ends.
func (a *app) run(text string) {
	a.f.t.Helper()
	a.write(text)
	a.end()
}

func TestSharedFileIsInterleavedAtLineEnds(t *testing.T) {
	f := newFixture(t)
	f.hold = patience
	const lines, sources = 300, 4
	ended := make(chan error, sources)
	for i := range sources {
		a := f.app(stdout(fmt.Sprint("app", i%2), uint64(i)), Target{Path: "all.log"})
		go func() {
			// Pieces that end anywhere, so that lines come in parts.
			r := rand.New(rand.NewPCG(uint64(i), 1))
			text := strings.Repeat(strings.Repeat(fmt.Sprint(i), 70)+"\n", lines)
			for len(text) > 0 {
				n := min(len(text), 1+r.IntN(200))
				if _, err := a.out.WriteString(text[:n]); err != nil {
					ended <- err
					return
				}
				text = text[n:]
			}
			ended <- a.out.Close()
		}()
		defer a.gone()
	}
	for range sources {
		must(t, <-ended)
	}
	must(t, f.Close(within(t)))
	counts := make(map[string]int)
	for line := range strings.Lines(f.read("all.log")) {
		counts[line]++
	}
	for i := range sources {
		if n := counts[strings.Repeat(fmt.Sprint(i), 70)+"\n"]; n != lines {
			t.Errorf("source %d has %d whole lines, want %d", i, n, lines)
		}
	}
}

func TestLineWaitsForItsEnd(t *testing.T) {
	f := newFixture(t)
	f.hold = patience
	r, w, err := os.Pipe()
	must(t, err)
	defer w.Close()
	kept := duplicate(t, r)
	a := &app{f.Attach(stdout("a", 1), r, Target{Path: f.path("all.log")}), f, stdout("a", 1), w}
	b := f.app(stdout("b", 1), Target{Path: "all.log"})
	a.write("first\nbegun ")
	eventually(t, "reading", func() bool { return unread(t, kept) == len("begun ") })
	b.say("between\n")
	a.say("ended\n")
	if got := f.read("all.log"); got != "first\nbetween\nbegun ended\n" {
		t.Errorf("file is %q", got)
	}
}

// TestWhatIsNotWrittenIsInThePipe: at no time is there anything that is neither in
// the file nor in the pipe, where a successor would find it.
func TestWhatIsNotWrittenIsInThePipe(t *testing.T) {
	f := newFixture(t)
	f.hold = patience
	r, w, err := os.Pipe()
	must(t, err)
	kept := duplicate(t, r)
	source := f.Attach(stdout("a", 1), r, Target{Path: f.path("a.log")})
	written := 0
	go func() { // ends when all is written
		defer w.Close()
		for n := range 2000 {
			_, _ = fmt.Fprintf(w, "%s\nbegun ", strings.Repeat("x", n%300)) // what is missing is seen
		}
	}()
	for running := true; running; {
		select {
		case <-source.Done():
			running = false
		default:
		}
		in := unread(t, kept) // before the file: what is written meanwhile is in both
		info, err := os.Stat(f.path("a.log"))
		if err != nil {
			continue // it is not open yet
		}
		if now := int(info.Size()) + in; now < written {
			t.Fatalf("%d bytes were in file and pipe, and then %d", written, now)
		}
		written = int(info.Size())
	}
	if got := len(f.read("a.log")); got != written || got == 0 {
		t.Errorf("%d bytes were written, and %d seen", got, written)
	}
}

// duplicate returns another file for a pipe's end, which blocks as a file that
// went through an exec would.
func duplicate(t *testing.T, pipe *os.File) *os.File {
	t.Helper()
	conn, err := pipe.SyscallConn()
	must(t, err)
	var fd int
	must(t, conn.Control(func(pipe uintptr) { fd, err = unix.FcntlInt(pipe, unix.F_DUPFD_CLOEXEC, 0) }))
	must(t, err)
	must(t, unix.SetNonblock(fd, false))
	file := os.NewFile(uintptr(fd), "pipe")
	t.Cleanup(func() { file.Close() })
	return file
}

func TestLineIsNotHeldForEver(t *testing.T) {
	f := newFixture(t)
	f.hold = 1
	a := f.app(stdout("demo", 1), Target{Path: "app.out"})
	a.write("prompt> ")
	eventually(t, "the prompt", func() bool {
		got, err := os.ReadFile(f.path("app.out"))
		return err == nil && string(got) == "prompt> "
	})
	a.say("answer\n")
	if got := f.read("app.out"); got != "prompt> answer\n" {
		t.Errorf("file is %q", got)
	}
	if got := f.LastLines("demo", 1, 5); len(got) != 1 || got[0] != "prompt> answer" {
		t.Errorf("last lines are %q", got)
	}
}

func TestLongLineAndBinaryArriveWhole(t *testing.T) {
	f := newFixture(t)
	long := strings.Repeat("0123456789abcdef", 10<<20/16)
	binary := make([]byte, 3<<20)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range binary {
		binary[i] = byte(r.Uint32())
	}
	for name, text := range map[string]string{
		"long": long, "long with an end": long + "\n", "binary": string(binary), "nothing but ends": strings.Repeat("\n", 1<<20),
		"zeros": string(make([]byte, 200_000)),
	} {
		f.app(stdout(name, 1), Target{Path: name}).run(text)
		if got := f.read(name); got != text {
			t.Errorf("%s: %d bytes came of %d, or others", name, len(got), len(text))
		}
		if got := f.LastLines(name, 1, 1); len(got) != 1 {
			t.Errorf("%s: last lines are %q", name, got)
		}
	}
	got := f.LastLines("long", 1, 1)[0]
	if want := fmt.Sprintf("… (%d more bytes)", 10<<20-longestLine); !strings.HasSuffix(got, want) || !strings.HasPrefix(got, long[:longestLine]) {
		t.Errorf("a long line is remembered as %d bytes that end in %q", len(got), got[len(got)-40:])
	}
}

// TestSlowDiskPushesBack has a named pipe that nobody empties for a disk.
func TestSlowDiskPushesBack(t *testing.T) {
	f := newFixture(t)
	must(t, unix.Mkfifo(f.path("slow"), 0o600))
	disk, err := os.OpenFile(f.path("slow"), os.O_RDWR, 0)
	must(t, err)
	defer disk.Close()
	r, w, err := os.Pipe()
	must(t, err)
	pipe := duplicate(t, r)
	a := &app{f.Attach(stdout("demo", 1), r, Target{Path: f.path("slow"), MaxSize: 1}), f, stdout("demo", 1), w}
	text := strings.Repeat("0123456789abcde\n", 4<<20/16)
	written := make(chan error, 1)
	go func() {
		_, err := w.WriteString(text)
		written <- err
		w.Close()
	}()
	eventually(t, "a full disk and a full pipe", func() bool {
		return unread(t, disk) == 64<<10 && unread(t, pipe) == 64<<10
	})
	// Nobody else notices.
	other := f.app(stdout("other", 1), Target{Path: "fast"})
	other.say("quick\n")
	eventually(t, "last lines", func() bool {
		got := f.LastLines("demo", 1, 1)
		return len(got) == 1 && got[0] == "0123456789abcde"
	})
	select {
	case err := <-written:
		t.Fatalf("all was written though the disk has taken 64 KiB, error %v", err)
	default:
	}
	got := make([]byte, len(text))
	_, err = readFull(disk, got)
	must(t, err)
	if string(got) != text {
		t.Error("other bytes came than were written")
	}
	must(t, <-written)
	a.gone()
	if n := f.logbook.count("dropped"); n != 0 {
		t.Errorf("dropping was told %d times", n)
	}
}

func readFull(file *os.File, p []byte) (int, error) {
	read := 0
	for read < len(p) {
		n, err := file.Read(p[read:])
		read += n
		if err != nil {
			return read, err
		}
	}
	return read, nil
}

// TestDetach has a grandchild that keeps the pipe open after its parent's end.
func TestDetach(t *testing.T) {
	for _, kind := range []string{"polled", "blocking"} {
		t.Run(kind, func(t *testing.T) {
			f := newFixture(t)
			r, w, err := os.Pipe()
			must(t, err)
			if kind == "blocking" {
				r = duplicate(t, r)
			}
			src := stdout("demo", 1)
			a := &app{f.Attach(src, r, Target{Path: f.path("app.out")}), f, src, w}
			cmd := exec.Command("/bin/sh", "-c", "sleep 1000 & echo started; printf half")
			cmd.Stdout = w
			cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
			must(t, cmd.Start())
			defer syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
			must(t, cmd.Wait())
			must(t, w.Close())
			a.settle()
			if got := f.LastLines("demo", 1, 9); len(got) != 2 || got[0] != "started" || got[1] != "half" {
				t.Errorf("last lines are %q", got)
			}
			select {
			case <-a.Done():
				t.Fatal("the source ended though the pipe is open")
			default:
			}
			a.Detach()
			a.Detach()
			a.gone()
			if got := f.read("app.out"); got != "started\nhalf" {
				t.Errorf("file is %q", got)
			}
			if all := f.allWriters(); len(all) != 0 {
				t.Errorf("%d writers are left", len(all))
			}
		})
	}
}

// TestPipeOutlivesTheStore is what happens around an exec of the daemon.
func TestPipeOutlivesTheStore(t *testing.T) {
	f := newFixture(t)
	r, w, err := os.Pipe()
	must(t, err)
	defer w.Close()
	kept := duplicate(t, r)
	first := &app{f.Attach(stdout("demo", 1), r, Target{Path: f.path("app.out")}), f, stdout("demo", 1), w}
	first.write("one\ntw")
	f.stop(f.Store)
	first.gone()
	first.write("o\nthree\n")
	f.start()
	second := &app{f.Attach(stdout("demo", 1), kept, Target{Path: f.path("app.out")}), f, stdout("demo", 1), w}
	second.write("four")
	second.end()
	if got := f.read("app.out"); got != "one\ntwo\nthree\nfour" {
		t.Errorf("file is %q", got)
	}
}

func TestBusyWriterDoesNotHoldUpDetach(t *testing.T) {
	f := newFixture(t)
	a := f.app(stdout("demo", 1), Target{Path: "app.out", MaxSize: 1, MaxKept: 1})
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		for _, err := a.out.WriteString("x\n"); err == nil; {
			_, err = a.out.Write(bytes.Repeat([]byte("busy\n"), 1000))
		}
	}()
	must(t, f.Settle(within(t), "demo", 1))
	a.Detach()
	a.gone()
	<-stopped // the pipe has no reader any more
}

func TestClose(t *testing.T) {
	f := newFixture(t)
	a := f.app(stdout("demo", 1), Target{Path: "app.out"})
	a.write("last words")
	short, cancel := context.WithCancel(context.Background())
	cancel()
	must(t, f.Close(short))
	a.gone()
	if got := f.read("app.out"); got != "last words" {
		t.Errorf("file is %q", got)
	}
	must(t, f.Close(short)) // again
	late := f.app(stdout("demo", 2), Target{Path: "app.out"})
	late.gone()
	late.Detach()
	must(t, f.Settle(within(t), "demo", 2))
	if _, err := late.out.WriteString("x"); err == nil {
		t.Error("a pipe that nobody reads can be written")
	}
	if _, _, err := f.Output(within(t), "demo", 5, true); err == nil {
		t.Error("a closed store can be followed")
	}
}

func TestUnusablePipe(t *testing.T) {
	f := newFixture(t)
	r, w, err := os.Pipe()
	must(t, err)
	w.Close()
	r.Close()
	a := f.Attach(stdout("demo", 1), r, Target{Path: f.path("app.out")})
	<-a.Done()
	if n := f.logbook.count("level=ERROR", "app=demo", "instance=1", "stream=stdout"); n != 1 {
		t.Errorf("told %d times: %s", n, &f.logbook)
	}
}

// TestRegularFileAsSource can only be read to its end.
func TestRegularFileAsSource(t *testing.T) {
	f := newFixture(t)
	must(t, os.WriteFile(f.path("in"), []byte("a\nb"), 0o600))
	in, err := os.Open(f.path("in"))
	must(t, err)
	a := f.Attach(stdout("demo", 1), in, Target{Path: f.path("app.out")})
	<-a.Done()
	if got := f.read("app.out"); got != "a\nb" {
		t.Errorf("file is %q", got)
	}
}

func TestNoLeak(t *testing.T) {
	f := newFixture(t)
	cycle := func(i int) {
		target := Target{Path: fmt.Sprintf("app%d.out", i%7), MaxSize: 1, MaxKept: 2, MaxAge: 3}
		a := f.app(stdout("demo", uint64(i)), target)
		b := f.app(Source{"demo", uint64(i), StreamStderr}, target)
		c := f.app(Source{"demo", 0, StreamAccess}, Target{Path: fmt.Sprintf("access%d.log", i)})
		a.write("line\n")
		if i%3 == 0 {
			c.Detach()
		} else {
			c.out.Close()
		}
		a.end()
		b.end()
		c.gone()
		c.out.Close()
	}
	for i := range 10 {
		cycle(i)
	}
	goroutines, files := runtime.NumGoroutine(), descriptors(t)
	for i := range 200 {
		cycle(i)
	}
	eventually(t, "the end of all goroutines", func() bool { return runtime.NumGoroutine() <= goroutines })
	if n := descriptors(t); n > files {
		t.Errorf("%d file descriptors are open, %d were", n, files)
	}
	if n := len(f.buffers["demo"].instances); n > keptInstances+1 {
		t.Errorf("%d instances are remembered", n)
	}
}

func TestDifferentLimitsForOneFile(t *testing.T) {
	f := newFixture(t)
	path := f.path("all.log")
	limits := func() Target { return *f.writer(path).limits.Load() }
	a1 := f.app(stdout("a", 1), Target{Path: path, MaxSize: 1})
	b1 := f.app(stdout("b", 1), Target{Path: path, MaxSize: 2})
	b2 := f.app(stdout("b", 2), Target{Path: path, MaxSize: 2})
	if got := limits().MaxSize; got != 1 {
		t.Errorf("MaxSize is %d, not that of the first", got)
	}
	if n := f.logbook.count("different limits", "app=b", "other=a"); n != 1 {
		t.Errorf("told %d times: %s", n, &f.logbook)
	}
	a2 := f.app(stdout("a", 2), Target{Path: filepath.Join(f.folder, ".", "all.log"), MaxSize: 3})
	if got := limits().MaxSize; got != 3 {
		t.Errorf("MaxSize is %d, not that of the app's new configuration", got)
	}
	a1.end()
	a2.end()
	b3 := f.app(stdout("b", 3), Target{Path: path, MaxSize: 2})
	if got := limits().MaxSize; got != 2 {
		t.Errorf("MaxSize is %d, not that of the only app that is left", got)
	}
	for _, a := range []*app{b1, b2, b3} {
		a.end()
	}
}
