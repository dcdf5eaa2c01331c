package logs

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// texts returns the texts of lines.
func texts(lines []Line) string {
	var b strings.Builder
	for _, l := range lines {
		b.WriteString(l.Text + "\n")
	}
	return b.String()
}

func (f *fixture) output(app string, n int) []Line {
	f.t.Helper()
	lines, _, err := f.Output(within(f.t), app, n, false)
	must(f.t, err)
	return lines
}

func TestOutput(t *testing.T) {
	f := newFixture(t)
	if got := f.output("demo", 10); len(got) != 0 {
		t.Errorf("an unknown app said %+v", got)
	}
	before := time.Now()
	one := f.app(stdout("demo", 1), Target{Path: "app.out"})
	two := f.app(Source{"demo", 2, StreamStderr}, Target{Path: "app.err"})
	access := f.app(Source{"demo", 0, StreamAccess}, Target{Path: "access.log"})
	one.say("a\n")
	two.say("b\xff\x1b[31m\r\n")
	access.say("GET /\n")
	one.say("c\nnot ended")
	got := f.output("demo", 10)
	if texts(got) != "a\nb\xff\x1b[31m\r\nc\n" {
		t.Errorf("output is %q", texts(got))
	}
	if l := got[1]; l.Instance != 2 || l.Stream != StreamStderr || l.Time.Before(before) || l.Time.After(time.Now()) {
		t.Errorf("line is %+v", l)
	}
	if got := texts(f.output("demo", 2)); got != "b\xff\x1b[31m\r\nc\n" {
		t.Errorf("the last two lines are %q", got)
	}
	if got := f.LastLines("demo", 1, 2); strings.Join(got, "|") != "c|not ended" {
		t.Errorf("the first instance's last lines are %q", got)
	}
	if got := f.LastLines("demo", 3, 2); len(got) != 0 {
		t.Errorf("an unknown instance said %q", got)
	}
	if got := f.read("access.log"); got != "GET /\n" {
		t.Errorf("access log is %q", got)
	}
}

// TestLastLinesOfAQuietInstance has another that talks all the time.
func TestLastLinesOfAQuietInstance(t *testing.T) {
	f := newFixture(t)
	quiet := f.app(stdout("demo", 2), Target{Path: "app.out"})
	loud := f.app(stdout("demo", 1), Target{Path: "app.out"})
	quiet.say("exiting: no database\n")
	loud.say(numbered(1 << 20))
	quiet.end()
	if got := f.LastLines("demo", 2, 5); len(got) != 1 || got[0] != "exiting: no database" {
		t.Errorf("last lines are %q", got)
	}
	if n := len(f.output("demo", 200)); n != 200 {
		t.Errorf("%d lines are remembered", n)
	}
}

// TestFileAndMemoryJoin writes pieces that end anywhere, and looks for the whole
// output again and again: what is not remembered comes from the file.
func TestFileAndMemoryJoin(t *testing.T) {
	f := newFixture(t)
	f.hold = 1
	r := rand.New(rand.NewPCG(3, 4))
	must(t, os.WriteFile(f.path("app.out"), []byte("from before\n"), 0o600))
	a := f.app(stdout("demo", 1), Target{Path: "app.out"})
	said := "from before\n"
	for i := 0; strings.Count(said, "\n") < 6000; i++ {
		var piece strings.Builder
		for range r.IntN(800) {
			fmt.Fprintf(&piece, "%d %s\n", i, strings.Repeat("x", r.IntN(40)*r.IntN(40)))
		}
		text := piece.String()
		text = text[:r.IntN(len(text)+1)]
		a.say(text)
		said += text
		if i > 20 && i%5 != 0 {
			continue
		}
		want := said[:strings.LastIndexByte(said, '\n')+1]
		if got := texts(f.output("demo", mostLines)); got != want {
			t.Fatalf("%d bytes of output, want %d", len(got), len(want))
		}
	}
	lines := f.output("demo", mostLines)
	if first, last := lines[0], lines[len(lines)-1]; first.Instance != 0 || !first.Time.IsZero() || last.Instance != 1 {
		t.Errorf("the first line is %+v, the last is %+v", first, last)
	}
	// The lines of the stopped app are still there.
	a.end()
	ended := said
	if !strings.HasSuffix(ended, "\n") {
		ended += "\n"
	}
	if got := texts(f.output("demo", mostLines)); got != ended {
		t.Errorf("%d bytes of output after the end, want %d", len(got), len(ended))
	}
	// A file of the same name that is another one is not its past.
	must(t, os.Remove(f.path("app.out")))
	must(t, os.WriteFile(f.path("app.out"), []byte(said), 0o600))
	if n := len(f.output("demo", mostLines)); n > appBounds.lines {
		t.Errorf("%d lines are known, though the file has gone", n)
	}
}

func TestOlderLinesOfTwoFiles(t *testing.T) {
	f := newFixture(t)
	for _, name := range []string{"app.out", "app.err", "shared"} {
		text := strings.Repeat("old line of "+name+"\n", 1000)
		must(t, os.WriteFile(f.path(name), []byte(text), 0o600))
	}
	f.app(stdout("demo", 1), Target{Path: "app.out"}).say("new\n")
	f.app(Source{"demo", 1, StreamStderr}, Target{Path: "app.err"}).say("new\n")
	counts := make(map[string]int)
	for _, l := range f.output("demo", 102) {
		counts[l.Stream+": "+l.Text]++
	}
	if counts["stdout: old line of app.out"] != 50 || counts["stderr: old line of app.err"] != 50 || len(counts) != 4 {
		t.Errorf("lines are %v", counts)
	}
	f.app(stdout("one", 1), Target{Path: "shared"}).settle()
	f.app(Source{"one", 1, StreamStderr}, Target{Path: "shared"}).settle()
	if got := f.output("one", 1); len(got) != 1 || got[0].Stream != "" {
		t.Errorf("lines of a shared file are %+v", got)
	}
}

func TestTailOfAFile(t *testing.T) {
	for _, test := range []struct {
		name, text string
		n          int
		want       []string
	}{
		{"empty", "", 3, nil},
		{"none", "a\n", 0, nil},
		{"no end", "a\nb", 3, []string{"a", "b"}},
		{"empty lines", "\n\n", 3, []string{"", ""}},
		{"last of many", "a\nb\nc\n", 2, []string{"b", "c"}},
		{"long", strings.Repeat("x", 1<<20) + "\nb\n", 2, []string{strings.Repeat("x", longestLine) + "… (1044480 more bytes)", "b"}},
		{"too long", strings.Repeat("x", longestTail) + "\nb\n", 2, []string{"b"}},
		{"many", numbered(1 << 20), 3, nil},
	} {
		got, err := tail(strings.NewReader(test.text), int64(len(test.text)), test.n)
		must(t, err)
		if test.name == "many" {
			all := strings.Split(strings.TrimSuffix(test.text, "\n"), "\n")
			test.want = all[len(all)-3:]
		}
		if strings.Join(got, "|") != strings.Join(test.want, "|") || len(got) != len(test.want) {
			t.Errorf("%s: %d lines, want %d", test.name, len(got), len(test.want))
		}
	}
}

func TestCut(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{strings.Repeat("x", longestLine), strings.Repeat("x", longestLine)},
		{strings.Repeat("x", longestLine+1), strings.Repeat("x", longestLine) + "… (1 more bytes)"},
		{strings.Repeat("x", longestLine-1) + "€", strings.Repeat("x", longestLine-1) + "… (3 more bytes)"},
		{strings.Repeat("x", longestLine-3) + "€€", strings.Repeat("x", longestLine-3) + "€… (3 more bytes)"},
		{strings.Repeat("\xbf", longestLine+5), strings.Repeat("\xbf", longestLine) + "… (5 more bytes)"},
	} {
		if got := cut([]byte(test.text), len(test.text)); got != test.want {
			t.Errorf("%q is cut to %q", test.text[longestLine-4:], got[longestLine-4:])
		}
		var u unfinished
		for _, b := range []byte(test.text) {
			u.add([]byte{b})
		}
		if got := u.finish(nil); got != test.want {
			t.Errorf("%q in parts is cut to %q", test.text[longestLine-4:], got[longestLine-4:])
		}
	}
}

// A reading is what a follower has got.
type reading struct {
	lines   []Line
	skipped int
}

// read takes lines from a channel until it is closed, or until there is one
// with a certain text.
func (r *reading) read(t *testing.T, lines <-chan Line, last string) {
	t.Helper()
	dead := time.After(patience)
	for {
		select {
		case l, ok := <-lines:
			if !ok {
				return
			}
			var n int
			if l.Stream == StreamNotice {
				_, err := fmt.Sscanf(l.Text, "%d lines skipped", &n)
				must(t, err)
				r.skipped += n
				continue
			}
			r.lines = append(r.lines, l)
			if l.Text == last {
				return
			}
		case <-dead:
			t.Fatalf("%q does not come; %d lines did", last, len(r.lines))
		}
	}
}

// TestFollowUnderLoad begins to follow while four sources write. Each line comes
// exactly once, in the history, in the channel, or counted as skipped.
func TestFollowUnderLoad(t *testing.T) {
	const sources, lines = 4, 2000
	f := newFixture(t)
	var writing, begun sync.WaitGroup
	for i := range sources {
		a := f.app(stdout("demo", uint64(i)), Target{Path: "app.out"})
		begun.Add(1)
		writing.Go(func() {
			for n := range lines {
				fmt.Fprintf(a.out, "%d %d\n", i, n)
				if n == lines/4 {
					begun.Done()
				}
			}
			a.end()
		})
	}
	begun.Wait()
	var wait sync.WaitGroup
	for range 3 {
		wait.Go(func() {
			history, follow, err := f.Output(within(t), "demo", mostLines, true)
			if err != nil {
				t.Error(err)
				return
			}
			got := &reading{lines: history}
			if n := len(history); n == 0 || history[n-1].Text != "the end" {
				got.read(t, follow, "the end")
			}
			checkOnce(t, got, sources, lines)
		})
	}
	writing.Wait()
	f.app(stdout("demo", 99), Target{Path: "app.out"}).run("the end\n")
	wait.Wait()
	must(t, f.Close(within(t)))
}

// checkOnce checks that each line of each source came once and in order.
func checkOnce(t *testing.T, got *reading, sources, lines int) {
	last := make([]int, sources)
	for i := range last {
		last[i] = -1
	}
	missing := 0
	for _, l := range got.lines[:len(got.lines)-1] {
		var i, n int
		if _, err := fmt.Sscanf(l.Text, "%d %d", &i, &n); err != nil || n <= last[i] {
			t.Errorf("line %q comes after %d, %v", l.Text, last[i], err)
			return
		}
		missing += n - last[i] - 1
		last[i] = n
	}
	for _, n := range last {
		missing += lines - 1 - n
	}
	if missing != got.skipped {
		t.Errorf("%d lines are missing, %d are said to be", missing, got.skipped)
	}
}

func TestSlowFollower(t *testing.T) {
	f := newFixture(t)
	ctx, cancel := context.WithCancel(within(t))
	a := f.app(stdout("demo", 1), Target{Path: "app.out"})
	a.settle()
	_, follow, err := f.Output(ctx, "demo", 0, true)
	must(t, err)
	const lines = 50_000
	for range lines / 1000 {
		a.write(strings.Repeat("line\n", 1000))
	}
	a.say("the end\n") // nobody has read a line yet
	b := f.buffers["demo"]
	b.mu.Lock()
	if n := len(b.ring.entries); n > followedBounds.lines || n <= appBounds.lines {
		t.Errorf("%d lines wait for the follower", n)
	}
	b.mu.Unlock()
	got := &reading{}
	got.read(t, follow, "the end")
	if n := len(got.lines) - 1 + got.skipped; got.skipped == 0 || n != lines {
		t.Errorf("%d lines and %d skipped, want %d in all", len(got.lines)-1, got.skipped, lines)
	}
	cancel()
	got.read(t, follow, "")
	eventually(t, "shrinking", func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		return len(b.followers) == 0 && len(b.ring.entries) <= appBounds.lines
	})
}

func TestFollowEnds(t *testing.T) {
	f := newFixture(t)
	follow := func(app string) <-chan Line {
		_, lines, err := f.Output(within(t), app, 0, true)
		must(t, err)
		return lines
	}
	// An app that has not written yet can be followed.
	early := follow("demo")
	a := f.app(stdout("demo", 1), Target{Path: "app.out"})
	a.say("one\n")
	got := &reading{}
	got.read(t, early, "one")
	// Forgetting waits for the last source, and for the last line.
	f.Forget("demo")
	a.run("two\nthree")
	got.read(t, early, "")
	if texts(got.lines) != "one\ntwo\nthree\n" {
		t.Errorf("the follower got %q", texts(got.lines))
	}
	if n := len(f.buffers); n != 0 {
		t.Errorf("%d buffers are left", n)
	}
	f.Forget("demo")
	// An app that comes back in time is not forgotten.
	b := f.app(stdout("demo", 2), Target{Path: "app.out"})
	again := follow("demo")
	f.Forget("demo")
	c := f.app(stdout("demo", 3), Target{Path: "app.out"})
	b.end()
	c.end()
	if len(f.buffers) != 1 {
		t.Error("the app is forgotten")
	}
	f.Forget("demo")
	(&reading{}).read(t, again, "")
	// A Store that is closed ends followers.
	other := follow("other")
	must(t, f.Close(within(t)))
	(&reading{}).read(t, other, "")
}

func TestFollowingOfNothingLeavesNothing(t *testing.T) {
	f := newFixture(t)
	ctx, cancel := context.WithCancel(within(t))
	_, lines, err := f.Output(ctx, "demo", 5, true)
	must(t, err)
	cancel()
	(&reading{}).read(t, lines, "")
	if n := len(f.buffers); n != 0 {
		t.Errorf("%d buffers are left", n)
	}
	if _, _, err := f.Output(ctx, "demo", 5, true); err == nil {
		t.Error("a context that has ended is no error")
	}
	f.app(stdout("demo", 1), Target{Path: "app.out"}).settle()
	if _, _, err := f.Output(ctx, "demo", 5, false); err == nil {
		t.Error("a context that has ended is no error")
	}
}
