package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"gracevisor/internal/control"
)

// A screen understands what a liveView writes, as a terminal does.
type screen struct {
	mu    sync.Mutex
	lines []string
	at    int
	wrong string
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	text := string(p)
	for text != "" {
		text = s.step(text)
	}
	return len(p), nil
}

// step performs what text begins with, and returns the rest.
func (s *screen) step(text string) string {
	for len(s.lines) <= s.at {
		s.lines = append(s.lines, "")
	}
	if rest, ok := strings.CutPrefix(text, "\x1b["); ok {
		end := strings.IndexAny(rest, "AKJ")
		switch number, _ := strconv.Atoi(rest[:max(end, 0)]); {
		case end >= 0 && rest[end] == 'A' && number <= s.at:
			s.at -= number
		case end == 0 && rest[0] == 'J':
			s.lines = s.lines[:s.at]
		case end != 0:
			s.wrong = fmt.Sprintf("%q", text)
			return ""
		}
		return rest[end+1:]
	}
	switch text[0] {
	case '\r':
		s.lines[s.at] = ""
		return text[1:]
	case '\n':
		s.at++
		return text[1:]
	}
	end := strings.IndexAny(text, "\r\n\x1b")
	s.lines[s.at] += text[:end]
	return text[end:]
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.lines, "\n")
}

func TestLiveView(t *testing.T) {
	s := &screen{}
	columns, lines := 40, 6
	now := sampleTime
	v := newLiveView(terminal{Writer: s, is: true, size: func() (int, int) { return columns, lines }},
		[]string{"demo", "web"}, func() time.Time { return now })
	shows := func(want ...string) {
		t.Helper()
		if got := strings.Split(strings.TrimRight(s.String(), "\n"), "\n"); strings.Join(got, "\n") != strings.Join(want, "\n") || s.wrong != "" {
			t.Errorf("shows\n%q\nwant\n%q (%s)", got, want, s.wrong)
		}
	}
	shows("demo    0.000s  …", "web     0.000s  …")
	v.show(control.Event{Kind: control.EventStep, App: "web", Message: "instance 3 started\x1b[2J"})
	shows("demo    0.000s  …", `web     0.000s  instance 3 started\x1b…`)
	v.show(control.Event{Kind: "of-tomorrow", App: "web", Message: "passed over"})
	v.show(control.Event{Kind: control.EventResult, App: "web", Elapsed: 2 * time.Second, Result: control.ResultFailed, Error: "a long reason that needs more than a line"})
	shows("web     2.000s  failed: a long reason that needs more than a line", "demo    0.000s  …")
	for i := range 6 {
		v.show(control.Event{Kind: control.EventStep, App: fmt.Sprint("app", i), Message: "x"})
	}
	shows("web     2.000s  failed: a long reason that needs more than a line",
		"demo    0.000s  …", "app0    0.000s  x", "app1    0.000s  x", "… and 4 more")
	for i := range 6 {
		v.show(control.Event{Kind: control.EventResult, App: fmt.Sprint("app", i), Result: control.ResultDone})
	}
	v.show(control.Event{Kind: control.EventResult, App: "demo", Elapsed: time.Second, Result: control.ResultDone})
	v.close()
	shows("web     2.000s  failed: a long reason that needs more than a line",
		"app0    0.000s  done", "app1    0.000s  done", "app2    0.000s  done", "app3    0.000s  done",
		"app4    0.000s  done", "app5    0.000s  done", "demo    1.000s  done")
}

// pty opens a pseudo-terminal, pty(7).
func pty(t *testing.T) (master, slave *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no pseudo-terminals here: %v", err)
	}
	t.Cleanup(func() { master.Close() })
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no pseudo-terminals here: %v", err)
	}
	t.Cleanup(func() { slave.Close() })
	return master, slave
}

// runOnTerminal returns what a terminal gets to see.
func (f *fakeDaemon) runOnTerminal(t *testing.T, term string, args ...string) (status int, text string) {
	t.Helper()
	master, slave := pty(t)
	ctx, cancel := context.WithTimeout(context.Background(), deadMan)
	defer cancel()
	cmd := f.command(ctx, args...)
	cmd.Env = append(cmd.Env, "TERM="+term)
	cmd.Stdout, cmd.Stderr = slave, slave
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	slave.Close()
	var seen bytes.Buffer
	// Reading fails with EIO when the other side has gone.
	if _, err := io.Copy(&seen, master); err != nil && !errors.Is(err, syscall.EIO) {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	return cmd.ProcessState.ExitCode(), strings.ReplaceAll(seen.String(), "\r\n", "\n")
}

func TestProgressOnATerminal(t *testing.T) {
	d := newDaemon(t)
	d.tells(failEvents()...)
	status, text := d.runOnTerminal(t, "xterm", "restart", "demo", "web-long-name")
	if status != exitFailed || !strings.Contains(text, "\x1b[2A") {
		t.Errorf("%d, %q", status, text)
	}
	s := &screen{}
	if _, err := s.Write([]byte(text)); err != nil || s.wrong != "" {
		t.Fatalf("%v, %s", err, s.wrong)
	}
	golden(t, "terminal.txt", s.String())
	if status, text = d.runOnTerminal(t, "dumb", "restart", "demo", "web-long-name"); status != exitFailed || strings.Contains(text, "\x1b") {
		t.Errorf("on a dumb one: %d, %q", status, text)
	}
}

func TestOutputOnATerminalIsSafe(t *testing.T) {
	d := newDaemon(t)
	d.prints(func(int, bool) ([]control.OutputLine, <-chan control.OutputLine, error) {
		return []control.OutputLine{{Text: "\x1b]0;owned\a\u009b2J\xff\r"}}, nil, nil
	})
	// What is no UTF-8 has become U+FFFD in JSON.
	if _, text := d.runOnTerminal(t, "xterm", "logs", "demo"); text != `\x1b]0;owned\x07\u009b2J`+"\ufffd\n" {
		t.Errorf("%q", text)
	}
	if _, text := d.runOnTerminal(t, "xterm", "logs", "demo", "--json"); strings.ContainsAny(text, "\x1b\a\u009b") {
		t.Errorf("%q", text)
	}
}
