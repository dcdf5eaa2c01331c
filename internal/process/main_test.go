package process

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// The test binary plays all parts: the tests, the launcher, apps (role_test.go)
// and daemons that are to die.

// reaper is the one of the test process; there can be no other.
var reaper *Reaper

// deadMan ends a test that waits for what never comes.
const deadMan = 60 * time.Second

func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case LaunchRole:
			os.Exit(LaunchMain())
		case roleApp:
			os.Exit(appMain(os.Args[2:]))
		case roleDaemon:
			os.Exit(daemonMain(os.Args[2:]))
		}
	}
	reaper = NewReaper(slog.New(slog.DiscardHandler), "")
	ctx, stop := context.WithCancel(context.Background())
	ran := make(chan struct{})
	go func() { // ends with ctx
		defer close(ran)
		reaper.Run(ctx)
	}()
	code := m.Run()
	stop()
	<-ran
	os.Exit(code)
}

var instances atomic.Int64

// app is a started process with its output.
type app struct {
	*Process
	t     *testing.T
	out   *os.File
	lines *bufio.Reader
	// exited yields the exit once.
	exited chan Exit
}

// prepare starts the launcher of spec; standard output goes to the app's lines
// and so does standard error. Whatever the test leaves is killed at its end.
func prepare(t *testing.T, spec Spec) *app {
	t.Helper()
	if spec.Name == "" {
		spec.Name = fmt.Sprintf("test/%d", instances.Add(1))
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if spec.Stdout == nil {
		spec.Stdout, spec.Stderr = w, w
	}
	p, err := reaper.Start(spec)
	if err != nil {
		r.Close()
		t.Fatal(err)
	}
	return attach(t, p, r)
}

// attach watches over a process whose output, if any, comes from out.
func attach(t *testing.T, p *Process, out *os.File) *app {
	a := &app{Process: p, t: t, exited: make(chan Exit, 1)}
	if out != nil {
		a.out, a.lines = out, bufio.NewReader(out)
		if err := out.SetReadDeadline(time.Now().Add(deadMan)); err != nil {
			t.Fatal(err)
		}
	}
	go func() { a.exited <- p.Wait() }() // ends with the process, below at the latest
	t.Cleanup(func() {
		_ = p.Kill()
		a.gone()
		if out != nil {
			out.Close()
		}
	})
	return a
}

// run starts an app and waits until it has been executed.
func run(t *testing.T, spec Spec) *app {
	t.Helper()
	a := prepare(t, spec)
	a.release()
	if err := a.Launched(); err != nil {
		t.Fatal(err)
	}
	return a
}

// shell runs a script of sh as an app.
func shell(t *testing.T, script string, args ...string) *app {
	t.Helper()
	return run(t, Spec{Argv: append([]string{"/bin/sh", "-c", script, "sh"}, args...)})
}

func (a *app) release() {
	a.t.Helper()
	if err := a.Go(); err != nil {
		a.t.Fatal(err)
	}
}

// line returns the next line of output.
func (a *app) line() string {
	a.t.Helper()
	line, err := a.lines.ReadString('\n')
	if err != nil {
		a.t.Fatalf("read output of %s: %v after %q", a.Name, err, line)
	}
	return strings.TrimSuffix(line, "\n")
}

// rest returns the output to its end.
func (a *app) rest() string {
	a.t.Helper()
	text, err := io.ReadAll(a.lines)
	if err != nil {
		a.t.Fatalf("read output of %s: %v", a.Name, err)
	}
	return string(text)
}

// exit waits for the main process.
func (a *app) exit() Exit {
	a.t.Helper()
	select {
	case e := <-a.exited:
		a.exited <- e
		return e
	case <-time.After(deadMan):
		a.t.Fatalf("%s does not exit", a.Name)
		return Exit{}
	}
}

// gone waits until nothing of the app is left.
func (a *app) gone() {
	a.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), deadMan)
	defer cancel()
	if err := a.Leftovers(ctx); err != nil {
		a.t.Errorf("%s leaves something: %v", a.Name, err)
	}
}

// nothingLeft reports whether nothing of the app is left just now.
func (a *app) nothingLeft() bool {
	a.reaper.mu.Lock()
	defer a.reaper.mu.Unlock()
	return a.settle()
}

// eventually waits for a state that nothing announces.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(deadMan); !holds(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

func self(t *testing.T) string {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return exe
}

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: needs root, to change to another user")
	}
}

func needTool(t *testing.T, name string) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Skipf("SKIPPED: needs %s", name)
	}
}
