package logs

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A journald is a socket in its place.
type journald struct {
	t    *testing.T
	path string
	conn *net.UnixConn
}

func startJournald(t *testing.T, path string) *journald {
	t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	must(t, err)
	t.Cleanup(func() { conn.Close() })
	return &journald{t, path, conn}
}

// stop takes the socket away.
func (j *journald) stop() {
	j.t.Helper()
	must(j.t, j.conn.Close())
	must(j.t, os.Remove(j.path))
}

// next waits for an entry.
func (j *journald) next() map[string]string {
	j.t.Helper()
	must(j.t, j.conn.SetReadDeadline(time.Now().Add(patience)))
	p := make([]byte, 256<<10)
	n, err := j.conn.Read(p)
	must(j.t, err)
	return parseEntry(j.t, p[:n])
}

// want waits for an entry with certain fields.
func (j *journald) want(fields map[string]string) {
	j.t.Helper()
	if got := j.next(); !maps.Equal(got, fields) {
		j.t.Errorf("entry %q, want %q", got, fields)
	}
}

// silent makes sure that nothing has come.
func (j *journald) silent() {
	j.t.Helper()
	must(j.t, j.conn.SetReadDeadline(time.Unix(1, 0)))
	if n, err := j.conn.Read(make([]byte, 1)); !os.IsTimeout(err) {
		j.t.Errorf("an entry of at least %d bytes came, %v", n, err)
	}
}

// parseEntry reads an entry as journald does
// (https://systemd.io/JOURNAL_NATIVE_PROTOCOL/).
func parseEntry(t *testing.T, p []byte) map[string]string {
	t.Helper()
	fields := make(map[string]string)
	for len(p) > 0 {
		line, rest, ok := bytes.Cut(p, []byte{'\n'})
		if !ok {
			t.Fatalf("a field without end: %q", p)
		}
		name, value, short := strings.Cut(string(line), "=")
		if !short {
			n := int(binary.LittleEndian.Uint64(rest))
			value, rest = string(rest[8:8+n]), rest[8+n:]
			if rest[0] != '\n' {
				t.Fatalf("the value of %s ends in %q", name, rest)
			}
			rest = rest[1:]
		}
		if before, twice := fields[name]; twice || name == "" || strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") != "" || name[0] == '_' {
			t.Errorf("field %q with %q and %q", name, before, value)
		}
		fields[name] = value
		p = rest
	}
	return fields
}

// journaled makes a fixture whose sources can go to a journal.
func journaled(t *testing.T) (*fixture, string) {
	t.Helper()
	f := newFixture(t)
	path := f.path("journal")
	f.journal.path = path
	return f, path
}

func line(priority, stream, message string) map[string]string {
	return map[string]string{
		"MESSAGE": message, "PRIORITY": priority, "SYSLOG_IDENTIFIER": "demo",
		"GRACEVISOR_APP": "demo", "GRACEVISOR_INSTANCE": "7", "GRACEVISOR_STREAM": stream,
	}
}

func TestOutputGoesToTheJournal(t *testing.T) {
	f, path := journaled(t)
	j := startJournald(t, path)
	out := f.app(stdout("demo", 7), Target{Path: "app.out", Journal: true})
	errs := f.app(Source{"demo", 7, StreamStderr}, Target{Path: "app.err", Journal: true})
	access := f.app(Source{"demo", 0, StreamAccess}, Target{Path: "access.log", Journal: true})
	other := f.app(stdout("other", 1), Target{Path: "app.out"})
	out.say("hello\n\n=a=b \r\n<3>bad\n<8>no level\n<4>\n\x1b[2J\x00\xff\nbegun ")
	for _, want := range []map[string]string{
		line("6", "stdout", "hello"), line("6", "stdout", "=a=b "), line("3", "stdout", "bad"),
		line("6", "stdout", "<8>no level"), line("6", "stdout", "\x1b[2J\x00\xff"),
	} {
		j.want(want)
	}
	errs.say("oops\n")
	j.want(line("6", "stderr", "oops"))
	access.run("GET / 200\n")
	other.run("not for the journal\n")
	out.say("ended\nwithout an end")
	j.want(line("6", "stdout", "begun ended"))
	j.silent()
	out.end()
	j.want(line("6", "stdout", "without an end"))
	if got := f.read("app.out"); !strings.HasPrefix(got, "hello\n\n=a=b \r\n<3>bad\n") || !strings.HasSuffix(got, "without an end") {
		t.Errorf("file is %q", got)
	}
}

// TestLongLinesInTheJournal: a long line becomes entries of its priority that make
// it up, and that end between characters.
func TestLongLinesInTheJournal(t *testing.T) {
	f, path := journaled(t)
	j := startJournald(t, path)
	const level = "<5>" // it counts until it is taken away
	const most = longestEntryLine - len(level)
	for what, c := range map[string]struct {
		line    string
		lengths []int
	}{
		"as long as may be": {strings.Repeat("x", most), []int{most}},
		"longer":            {strings.Repeat("x", most+1), []int{most, 1}},
		"much longer":       {strings.Repeat("x", most+longestEntryLine+5), []int{most, longestEntryLine, 5}},
		"of wide runes":     {"x" + strings.Repeat("\u20ac", most/3), []int{most - 2, 3}},
		"of no runes":       {strings.Repeat("\x80", most+1), []int{most, 1}},
	} {
		a := f.app(stdout("demo", 7), Target{Path: "app.out", Journal: true})
		ended := make(chan error, 1)
		go func() {
			_, err := a.out.WriteString(level + c.line + "\nnext\n")
			a.out.Close()
			ended <- err
		}()
		rest := c.line
		for _, n := range c.lengths {
			j.want(line("5", "stdout", rest[:n]))
			rest = rest[n:]
		}
		if rest != "" {
			t.Errorf("%s: %d bytes are not looked at", what, len(rest))
		}
		j.want(line("6", "stdout", "next"))
		must(t, <-ended)
		a.gone()
	}
}

// numberedLines are lines that begin with their number.
func numberedLines(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "%07d %s\n", i, strings.Repeat("x", 90))
	}
	return b.String()
}

// gather reads entries until all of n lines have come or are told to be missing.
func (j *journald) gather(n int) (came, missing int) {
	j.t.Helper()
	for came+missing < n {
		message := j.next()["MESSAGE"]
		number, rest, _ := strings.Cut(message, " ")
		count, err := strconv.Atoi(number)
		must(j.t, err)
		switch {
		case strings.HasPrefix(rest, "lines are missing here"):
			missing += count
		case count != came+missing:
			j.t.Fatalf("line %d comes where %d should", count, came+missing)
		default:
			came++
		}
	}
	return came, missing
}

// TestSlowJournal holds that a journald which takes nothing holds up nobody, and
// that what it misses is counted.
func TestSlowJournal(t *testing.T) {
	f, path := journaled(t)
	f.journal.patience = patience
	j := startJournald(t, path)
	const lines = 20_000
	text := numberedLines(lines)
	a := f.app(stdout("demo", 7), Target{Path: "app.out", Journal: true})
	a.write(text)
	a.end()
	if got := f.read("app.out"); got != text {
		t.Errorf("the file has %d bytes of %d, or others", len(got), len(text))
	}
	came, missing := j.gather(lines)
	if came == 0 || missing == 0 || came*100 > 3*queueBytes {
		t.Errorf("%d lines came, and %d are missing", came, missing)
	}
	if n := f.logbook.count("journal"); n != 0 {
		t.Errorf("the log says: %s", &f.logbook)
	}
}

// TestJournalThatKeepsUp loses nothing.
func TestJournalThatKeepsUp(t *testing.T) {
	f, path := journaled(t)
	j := startJournald(t, path)
	const lines = 2000 // less than a feed holds
	a := f.app(stdout("demo", 7), Target{Path: "app.out", Journal: true})
	a.write(numberedLines(lines))
	if _, missing := j.gather(lines); missing != 0 {
		t.Errorf("%d lines are missing", missing)
	}
	a.end()
}

func TestJournalThatIsNotThere(t *testing.T) {
	f, path := journaled(t)
	f.journal.pause = 0
	a := f.app(stdout("demo", 7), Target{Path: "app.out", Journal: true})
	text := numberedLines(100)
	a.say(text)
	eventually(t, "a failure", func() bool {
		return f.logbook.count("level=ERROR", "sending to the journal failed", path) == 1
	})
	if got := f.read("app.out"); got != text {
		t.Errorf("the file has %d bytes of %d, or others", len(got), len(text))
	}
	j := startJournald(t, path)
	a.say("0000100 here again\n")
	if came, missing := j.gather(101); came == 0 || missing == 0 {
		t.Errorf("%d lines came, and %d are missing", came, missing)
	}
	a.end()
	if n := f.logbook.count("sending to the journal works again"); n != 1 || f.logbook.count("sending to the journal failed") != 1 {
		t.Errorf("the log says: %s", &f.logbook)
	}
	j.silent()
}

// TestMissingIsToldAtTheEnd: where no entry can tell it, the log does.
func TestMissingIsToldAtTheEnd(t *testing.T) {
	f, _ := journaled(t)
	a := f.app(stdout("demo", 7), Target{Path: "app.out", Journal: true})
	a.run("one\ntwo\nthree\n")
	eventually(t, "the number", func() bool {
		return f.logbook.count("output is missing in the journal", "app=demo", "instance=7", "stream=stdout", "lines=3") == 1
	})
}

// TestNewJournald has a journald that makes its socket anew.
func TestNewJournald(t *testing.T) {
	f, path := journaled(t)
	a := f.app(stdout("demo", 7), Target{Path: "app.out", Journal: true})
	for range 3 {
		j := startJournald(t, path)
		a.say("hello\n")
		j.want(line("6", "stdout", "hello"))
		j.stop()
	}
	a.end()
	if n := f.logbook.count("journal"); n != 0 {
		t.Errorf("the log says: %s", &f.logbook)
	}
}

// TestHungJournald is one that never takes anything again: what waits for it goes
// away in the end, or every instance would leave something behind.
func TestHungJournald(t *testing.T) {
	f, path := journaled(t)
	f.journal.patience = time.Millisecond
	startJournald(t, path)
	text := numberedLines(5000)
	for i := range 5 {
		a := f.app(stdout("demo", uint64(i)), Target{Path: "app.out", Journal: true})
		a.run(text)
	}
	eventually(t, "the end of all feeds", func() bool {
		f.journal.mu.Lock()
		defer f.journal.mu.Unlock()
		return len(f.journal.feeds) == 0
	})
	if n := f.logbook.count("sending to the journal failed", "i/o timeout"); n == 0 {
		t.Errorf("the log says: %s", &f.logbook)
	}
	if n := f.logbook.count("output is missing in the journal"); n != 5 {
		t.Errorf("told of %d instances: %s", n, &f.logbook)
	}
}

// TestCloseWithHungJournald: what hangs ends with the Store.
func TestCloseWithHungJournald(t *testing.T) {
	f, path := journaled(t)
	f.journal.patience = patience
	startJournald(t, path)
	files := descriptors(t)
	a := f.app(stdout("demo", 7), Target{Path: "app.out", Journal: true})
	a.write(numberedLines(5000))
	must(t, a.out.Close())
	must(t, f.Close(within(t)))
	a.gone()
	eventually(t, "the end of the feed", func() bool {
		return f.logbook.count("output is missing in the journal", "app=demo") == 1
	})
	if n := descriptors(t); n > files {
		t.Errorf("%d file descriptors are open, %d were", n, files)
	}
	must(t, f.Close(within(t)))
}

// TestCloseSendsTheLastWords: journald gets what an app says at the end.
func TestCloseSendsTheLastWords(t *testing.T) {
	f, path := journaled(t)
	j := startJournald(t, path)
	a := f.app(stdout("demo", 7), Target{Path: "app.out", Journal: true})
	a.write("last words")
	must(t, a.out.Close())
	must(t, f.Close(within(t)))
	j.want(line("6", "stdout", "last words"))
}

func TestFieldNames(t *testing.T) {
	for key, want := range map[string]string{
		"app": "GRACEVISOR_APP", "max_draining": "GRACEVISOR_MAX_DRAINING", "g.é x=\n9": "GRACEVISOR_G___X__9",
		strings.Repeat("x", 100): "GRACEVISOR_" + strings.Repeat("X", 53),
	} {
		if got := fieldName(key); got != want {
			t.Errorf("%q is the field %q, want %q", key, got, want)
		}
	}
}

func TestJournalBehindStandardError(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "journal")
	behind := func(foreground any) (bool, error) {
		t.Helper()
		j, err := journalBehind(foreground.(interface{ Write([]byte) (int, error) }), path)
		if j == nil {
			return false, err
		}
		j.close(within(t))
		return true, err
	}
	id, _, err := identify(os.Stderr)
	must(t, err)
	stream := fmt.Sprintf("%d:%d", id.dev, id.inode)

	t.Setenv("JOURNAL_STREAM", stream)
	if is, err := behind(os.Stderr); is || err == nil {
		t.Errorf("a journal that is not there is behind standard error: %v, %v", is, err)
	}
	startJournald(t, path)
	for _, c := range []struct {
		stream     string
		foreground any
		is, fails  bool
	}{
		{stream, os.Stderr, true, false},
		{stream, os.Stdout, false, false},
		{stream, &logbook{}, false, false},
		{"", os.Stderr, false, false},
		{fmt.Sprintf("%d:%d", id.dev, id.inode+1), os.Stderr, false, false},
		{"somewhere", os.Stderr, false, true},
	} {
		t.Setenv("JOURNAL_STREAM", c.stream)
		if is, err := behind(c.foreground); is != c.is || (err != nil) != c.fails {
			t.Errorf("JOURNAL_STREAM=%s, %T: %v, %v", c.stream, c.foreground, is, err)
		}
	}
}

func newTestJournal(t *testing.T) (*journal, *journald) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "journal")
	return newJournal(path, slog.New(slog.DiscardHandler)), startJournald(t, path)
}
