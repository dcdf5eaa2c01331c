package main

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"gracevisor/test/events"
)

// asApp makes the test binary the app itself.
const asApp = "TESTAPP_TEST_AS_APP"

func TestMain(m *testing.M) {
	if os.Getenv(asApp) != "" {
		main()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// running is a testapp that runs as a process of its own.
type running struct {
	t      *testing.T
	cmd    *exec.Cmd
	events *events.Receiver
	next   int // index of the first event not looked at
	stdout bytes.Buffer
	stderr bytes.Buffer
	dir    string
}

// start starts an app; at the end of the test it is killed.
func start(t *testing.T, args ...string) *running {
	t.Helper()
	dir, err := os.MkdirTemp("", "gv") // t.TempDir is too long for a socket's path
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	a := &running{t: t, dir: dir}
	path := filepath.Join(dir, "events")
	if a.events, err = events.Listen(path); err != nil {
		t.Fatal(err)
	}
	for i := range args {
		args[i] = strings.ReplaceAll(args[i], "DIR", dir)
	}
	a.cmd = exec.Command(os.Args[0], args...)
	// The race detector would sleep for a second before each exit.
	a.cmd.Env = append(os.Environ(), asApp+"=1", events.Env+"="+path, "GRACEVISOR_INSTANCE=test/1", "GORACE=atexit_sleep_ms=0")
	a.cmd.Stdout, a.cmd.Stderr = &a.stdout, &a.stderr
	a.cmd.WaitDelay = time.Minute
	// If the test dies, so does the app: the signal comes when this thread
	// ends, which nothing but the end of the test ends (prctl(2)).
	runtime.LockOSThread()
	a.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := a.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = a.cmd.Process.Kill() // fails if it has exited
		_ = a.cmd.Wait()         // fails if it has been waited for
		if err := a.events.Close(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("standard error of the app:\n%s\nevents: %v", &a.stderr, a.events.All())
		}
	})
	return a
}

// wait returns the next event of a kind.
func (a *running) wait(kind events.Kind) events.Event {
	a.t.Helper()
	ctx, cancel := context.WithTimeout(a.t.Context(), time.Minute)
	defer cancel()
	e, next, err := a.events.Wait(ctx, a.next, func(e events.Event) bool { return e.Kind == kind })
	if err != nil {
		a.t.Fatalf("no event %q: %v", kind, err)
	}
	a.next = next
	return e
}

func (a *running) up() string {
	a.t.Helper()
	e := a.wait(events.Up)
	if e.PID != a.cmd.Process.Pid || e.Instance != "test/1" {
		a.t.Errorf("event %v of pid %d", e, a.cmd.Process.Pid)
	}
	return e.Address
}

func (a *running) signal(s os.Signal) {
	a.t.Helper()
	if err := a.cmd.Process.Signal(s); err != nil {
		a.t.Fatal(err)
	}
	a.wait(events.Signal)
}

// exited waits for the end, and returns the exit status.
func (a *running) exited() int {
	a.t.Helper()
	_ = a.cmd.Wait() // the status tells
	return a.cmd.ProcessState.ExitCode()
}

// get makes a request on a connection of its own.
func get(t *testing.T, address, method, path string, fields ...string) (int, string, http.Header) {
	t.Helper()
	network := "tcp"
	if strings.HasPrefix(address, "/") {
		network = "unix"
	}
	client := http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(context.Context, string, string) (net.Conn, error) {
			return net.Dial(network, address)
		},
	}}
	r, err := http.NewRequestWithContext(t.Context(), method, "http://test"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(fields); i += 2 {
		r.Header.Set(fields[i], fields[i+1])
	}
	answer, err := client.Do(r)
	if err != nil {
		return 0, err.Error(), nil
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return 0, err.Error(), nil
	}
	return answer.StatusCode, string(body), answer.Header
}

// dial opens a connection and writes to it; it is closed with the test.
func dial(t *testing.T, address, text string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	return conn
}
