package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"gracevisor/internal/control"
)

// deadMan bounds every wait of these tests; nothing asserts how long one takes.
const deadMan = 60 * time.Second

// binary is the program under test, as it is shipped.
var binary string

var update = flag.Bool("update", false, "write the golden files anew")

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(buildAndRun(m))
}

func buildAndRun(m *testing.M) int {
	dir, err := os.MkdirTemp("", "gracevisorctl")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	// Other users run it, too.
	if err := os.Chmod(dir, 0o755); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	binary = filepath.Join(dir, "gracevisorctl")
	build := exec.Command("go", "build", "-buildvcs=false", "-o", binary,
		"-ldflags", "-X gracevisor/internal/version.Version=1.2.3 -X gracevisor/internal/version.Commit=0123abc", ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// fakeDaemon is behind both doors of a real server.
type fakeDaemon struct {
	control.Operations
	dir    string
	server *control.Server
	port   int

	// mu guards what follows: the program under test is a process of its own,
	// whose end orders nothing in ours.
	mu sync.Mutex
	answers
	asked    []control.Request
	canceled []uint32
	feed     control.Feed
}

// answers are what the daemon does when it is asked.
type answers struct {
	status  func(apps []string) (*control.Status, error)
	start   func(req control.Request) (*control.Operation, error)
	output  func(n int, follow bool) ([]control.OutputLine, <-chan control.OutputLine, error)
	version control.Version
	jobs    []control.Job
}

// change changes what the daemon does from now on.
func (f *fakeDaemon) change(change func(*answers)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(&f.answers)
}

func (f *fakeDaemon) current() answers {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.answers
}

func (f *fakeDaemon) Status(_ context.Context, apps []string) (*control.Status, error) {
	return f.current().status(apps)
}

func (f *fakeDaemon) Start(_ context.Context, req control.Request) (*control.Operation, error) {
	req.Caller = ""
	f.mu.Lock()
	f.asked = append(f.asked, req)
	f.mu.Unlock()
	return f.current().start(req)
}

func (f *fakeDaemon) lastAsked() control.Request {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.asked) == 0 {
		return control.Request{}
	}
	return f.asked[len(f.asked)-1]
}

func (f *fakeDaemon) Output(_ context.Context, _ string, n int, follow bool) ([]control.OutputLine, <-chan control.OutputLine, error) {
	return f.current().output(n, follow)
}

func (f *fakeDaemon) Workers(context.Context) ([]control.Worker, error) {
	workers := sampleStatus().Workers
	workers[0].Apps = []control.WorkerApp{{Name: "demo", Requests: 1}}
	workers[1].Apps = []control.WorkerApp{{Name: "demo", Idle: 9, Waiting: 1}, {Name: "line", TCP: 2, Tunnels: 0}}
	return workers, nil
}

func (f *fakeDaemon) Sockets(context.Context) ([]control.Socket, error) {
	return []control.Socket{
		{Address: "127.0.0.1:8080", Apps: []string{"demo"}, Source: "systemd", Backlog: 4096, Queue: 2},
		{Address: "[::1]:8080", Apps: []string{"demo", "web"}, Source: "bound", Error: "address already in use"},
	}, nil
}

func (f *fakeDaemon) Jobs(context.Context) ([]control.Job, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.jobs, nil
}

func (f *fakeDaemon) CancelJob(_ context.Context, id uint32, _ string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, j := range f.jobs {
		if j.ID == id {
			f.canceled = append(f.canceled, id)
			return nil
		}
	}
	return &control.Error{Code: control.CodeNoSuchJob, Message: "no job has this number"}
}

// calledOff are the jobs that were called off.
func (f *fakeDaemon) calledOff() []uint32 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.canceled)
}

func (f *fakeDaemon) Watch() *control.Watch { return f.feed.Watch() }

func (f *fakeDaemon) Version() control.Version { return f.current().version }

// newDaemon serves at the control socket in its own folder until the test ends.
func newDaemon(t *testing.T) *fakeDaemon {
	t.Helper()
	f := &fakeDaemon{dir: t.TempDir(), answers: answers{
		version: control.Version{Version: "1.2.3", Commit: "0123abc", Go: "go1"},
		status:  func([]string) (*control.Status, error) { return sampleStatus(), nil },
	}}
	f.open(t)
	t.Cleanup(func() { f.close(t) })
	return f
}

func (f *fakeDaemon) open(t *testing.T) {
	t.Helper()
	f.server = control.NewServer(f, slog.New(slog.DiscardHandler))
	l, err := control.ListenUnix(f.socket(), control.Group)
	if err != nil {
		t.Fatal(err)
	}
	tcp, err := control.ListenTCP("127.0.0.1", 0)
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := strings.Cut(tcp[0].Addr().String(), ":")
	if f.port, err = strconv.Atoi(port); err != nil {
		t.Fatal(err)
	}
	token, err := control.LoadToken(f.dir, control.Group)
	if err != nil {
		t.Fatal(err)
	}
	server := f.server
	// Both end with close.
	go func() { _ = server.ServeUnix(l) }()
	go func() { _ = server.ServeTCP(tcp[0], control.TCPAccess{Host: "localhost", Token: token}) }()
}

// close hangs up on everybody.
func (f *fakeDaemon) close(t *testing.T) {
	t.Helper()
	now, cancel := context.WithCancel(context.Background())
	cancel()
	if err := f.server.Shutdown(now); err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("shutdown: %v", err)
	}
}

func (f *fakeDaemon) socket() string    { return filepath.Join(f.dir, control.SocketFile) }
func (f *fakeDaemon) tokenFile() string { return filepath.Join(f.dir, control.TokenFile) }

// tells makes every operation have these events.
func (f *fakeDaemon) tells(events ...control.Event) {
	f.starts(func(control.Request) (*control.Operation, error) {
		ch := make(chan control.Event, len(events))
		for _, e := range events {
			ch <- e
		}
		close(ch)
		return &control.Operation{Events: ch}, nil
	})
}

func (f *fakeDaemon) starts(start func(control.Request) (*control.Operation, error)) {
	f.change(func(a *answers) { a.start = start })
}

func (f *fakeDaemon) prints(output func(n int, follow bool) ([]control.OutputLine, <-chan control.OutputLine, error)) {
	f.change(func(a *answers) { a.output = output })
}

func (f *fakeDaemon) fails(e control.Error) {
	f.change(func(a *answers) {
		a.start = func(control.Request) (*control.Operation, error) { return nil, &e }
		a.status = func([]string) (*control.Status, error) { return nil, &e }
		a.output = func(int, bool) ([]control.OutputLine, <-chan control.OutputLine, error) { return nil, nil, &e }
	})
}

// result is what a run of the program left.
type result struct {
	status   int
	out, err string
}

// command prepares a run, with nothing of our own environment.
func (f *fakeDaemon) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Env = []string{"RUNTIME_DIRECTORY=" + f.dir, "PATH=/nowhere"}
	return cmd
}

func (f *fakeDaemon) run(t *testing.T, args ...string) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), deadMan)
	defer cancel()
	return finish(t, f.command(ctx, args...))
}

// finish runs a command to its end.
func finish(t *testing.T, cmd *exec.Cmd) result {
	t.Helper()
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	err := cmd.Run()
	if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
		t.Fatalf("run %q: %v", cmd.Args, err)
	}
	return result{cmd.ProcessState.ExitCode(), out.String(), errOut.String()}
}

// golden compares got with the file of that name in testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
	}
}

func receive[T any](t *testing.T, ch <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(deadMan):
		t.Fatalf("waited in vain for %s", what)
		panic("unreachable")
	}
}

var sampleTime = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// sampleStatus has all that a status can have.
func sampleStatus() *control.Status {
	return &control.Status{
		Version: "1.2.3", PID: 700, Since: sampleTime,
		Workers: []control.Worker{
			{Generation: 1, PID: 701, State: "draining", Since: sampleTime, Connections: 1, MovedOut: 811, Revision: 8},
			{Generation: 2, PID: 702, State: "serving", Since: sampleTime.Add(time.Hour), Connections: 12, MovedIn: 811, Revision: 9},
		},
		Apps: []control.AppStatus{
			{
				Name: "demo", State: "restarting", External: "localhost:8080", Mode: "http", Since: sampleTime, InFlight: 3, Connections: 12,
				Requests: 4711, Restarts: 1, LastError: "instance 7 exited with status 1",
				Instances: []control.InstanceStatus{
					{Number: 8, State: "serving", Active: true, PID: 801, Internal: "127.0.0.1:10008", Since: sampleTime, InFlight: 2, Requests: 4000, Reason: "crash",
						Memory: 38 << 20, CPU: 72_340_000, Counters: &control.InstanceCounters{Status: [5]uint64{0, 3990, 0, 9, 1},
							Retries: 2, BytesIn: 512 << 10, BytesOut: 3 << 30, Latency: []uint64{3000, 990, 10}}},
					{Number: 10, State: "draining", PID: 802, Internal: "127.0.0.1:10010", Since: sampleTime.Add(90 * time.Minute), InFlight: 1, Requests: 711, Reason: "restart", Error: "health check: 500",
						Memory: 1_300_000_000, CPU: -1, Counters: &control.InstanceCounters{Status: [5]uint64{0, 710, 0, 1, 0}, Latency: []uint64{}}},
				},
				Counters: &control.AppCounters{Status: [5]uint64{0, 4700, 0, 10, 1}, Errors: 3, Retries: 2, Held: 40, Holding: 1,
					BytesIn: 600 << 10, BytesOut: 3<<30 + 1<<29, Latency: []uint64{3000, 990, 10}, LatencyBounds: []float64{0.001, 0.0025}},
			},
			{Name: "echo", State: "failed", External: "localhost:7000", Mode: "tcp", Since: sampleTime, LastError: "start: no such file\x1b[2J",
				ListenError: "listen on [::1]:7000: address already in use"},
			{Name: "web", State: "starting", External: "0.0.0.0:80", Mode: "http", Since: sampleTime,
				Instances: []control.InstanceStatus{{Number: 1, State: "starting", Since: sampleTime, Reason: "boot"}}},
		},
		Strays: []string{"pid 4711 (sh) of demo"},
	}
}

// restartEvents are those of a good restart, failEvents those of a failed one.
func restartEvents() []control.Event {
	return []control.Event{
		{Kind: control.EventStep, App: "demo", Elapsed: 1200 * time.Microsecond, Message: "instance 8 started, pid 4711", Instance: 8},
		{Kind: control.EventStep, App: "demo", Elapsed: 50 * time.Millisecond, Message: "instance 8 is ready", Instance: 8},
		{Kind: "of-tomorrow", App: "demo", Message: "passed over"},
		{Kind: control.EventResult, App: "demo", Elapsed: 61 * time.Millisecond, Result: control.ResultDone, Instance: 8},
	}
}

func failEvents() []control.Event {
	return []control.Event{
		{Kind: control.EventStep, App: "web-long-name", Elapsed: time.Millisecond, Message: "instance 3 started, pid 5", Instance: 3},
		{Kind: control.EventResult, App: "demo", Elapsed: 61 * time.Millisecond, Result: control.ResultDone},
		{Kind: control.EventResult, App: "web-long-name", Elapsed: 12 * time.Second, Result: control.ResultFailed, Instance: 3,
			Error: "instance 3 exited with status 1", Output: []string{"loading", "no database\x1b]0;owned\a\u202e"}},
	}
}
