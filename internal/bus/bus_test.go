package bus

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
	"golang.org/x/sys/unix"

	"gracevisor/internal/control"
	"gracevisor/test/unavailable"
)

// deadMan bounds every wait of these tests; nothing asserts how long one takes.
const deadMan = 30 * time.Second

// openPolicy lets everybody do everything, closedPolicy nobody own the name.
const (
	openPolicy   = `<allow own="*"/>`
	closedPolicy = `<deny own="*"/>`
)

// testBus is a dbus-daemon of the test's own, in place of the system bus.
type testBus struct {
	t      *testing.T
	dir    string
	cmd    *exec.Cmd
	policy string
}

// newBus starts a bus, which ends with the test, however that ends.
func newBus(t *testing.T, policy string) *testBus {
	t.Helper()
	unavailable.Program(t, "dbus-daemon")
	dir, err := os.MkdirTemp("", "gv-bus-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil { // other users connect, too
		t.Fatal(err)
	}
	b := &testBus{t: t, dir: dir, policy: policy}
	t.Setenv(addressVariable, "unix:path="+filepath.Join(dir, "bus"))
	b.start()
	t.Cleanup(b.kill)
	return b
}

func (b *testBus) start() {
	b.t.Helper()
	config := fmt.Sprintf(`<busconfig><type>system</type><listen>unix:path=%s/bus</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*" eavesdrop="false"/><allow receive_sender="*"/><allow user="*"/>%s</policy></busconfig>`, b.dir, b.policy)
	file := filepath.Join(b.dir, "bus.conf")
	if err := os.WriteFile(file, []byte(config), 0o644); err != nil {
		b.t.Fatal(err)
	}
	_ = os.Remove(filepath.Join(b.dir, "bus"))
	b.cmd = exec.Command("dbus-daemon", "--config-file="+file, "--nofork", "--nopidfile", "--nosyslog", "--print-address")
	b.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	stdout, err := b.cmd.StdoutPipe()
	if err != nil {
		b.t.Fatal(err)
	}
	if err := b.cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	if _, err := bufio.NewReader(stdout).ReadString('\n'); err != nil {
		b.t.Fatalf("the bus does not start: %v", err)
	}
}

func (b *testBus) kill() {
	_ = b.cmd.Process.Kill()
	_ = b.cmd.Wait()
}

func (b *testBus) signal(sig syscall.Signal) {
	b.t.Helper()
	if err := b.cmd.Process.Signal(sig); err != nil {
		b.t.Fatal(err)
	}
}

// await waits until a condition holds.
func await(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for end := time.Now().Add(deadMan); !condition(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: never came", what)
		}
	}
}

// door is a Service that runs on the bus.
type door struct {
	*fakeOps
	log *logBuffer
	dir string
	// service is what runs. stop flushes and ends it.
	service *Service
	stop    func()
}

// open has a Service run until the test ends, and waits until it has the name.
func open(t *testing.T, ops *fakeOps) *door {
	t.Helper()
	d := run(t, ops, t.TempDir())
	d.awaitName(t)
	return d
}

func (d *door) awaitName(t *testing.T) {
	t.Helper()
	await(t, "the name", func() bool { return strings.Count(d.log.String(), "on the system bus") > 0 })
}

func run(t *testing.T, ops *fakeOps, dir string) *door {
	t.Helper()
	d := &door{fakeOps: ops, log: new(logBuffer), dir: dir}
	ctx, cancel := context.WithCancel(context.Background())
	service := New(ops, slog.New(slog.NewTextHandler(d.log, nil)), dir)
	d.service = service
	done := make(chan struct{})
	// Ends with stop.
	go func() {
		defer close(done)
		service.Run(ctx)
	}()
	d.stop = func() {
		service.Flush(t.Context())
		cancel()
		<-done
	}
	t.Cleanup(func() {
		cancel()
		select {
		case <-done:
		case <-time.After(deadMan):
			t.Error("the service does not end")
		}
	})
	return d
}

type logBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// fakeOps are operations that do nothing but remember.
type fakeOps struct {
	feed control.Feed

	mu       sync.Mutex
	requests []control.Request
	jobs     []control.Job
	lastJob  uint32
	canceled []uint32
	startErr error
	// hold keeps those who ask for the state until it is closed.
	hold chan struct{}
}

func sampleApps() []control.AppStatus {
	return []control.AppStatus{{
		Name: "demo-1", State: "serving", External: "localhost:8080", InFlight: 2, Requests: 1 << 40,
		Since: time.UnixMicro(1_700_000_000_000_001), SinceMonotonic: 5 * time.Second,
		Instances: []control.InstanceStatus{{
			Number: 7, State: "serving", PID: 4711, Internal: "127.0.0.1:10007", Since: time.UnixMicro(17),
			InFlight: 2, Requests: 9, Reason: "boot", Error: "bad \xff\x00 bytes",
		}},
	}, {Name: "web", State: "failed", External: "localhost:8081", LastError: "exit status 1"}}
}

func (f *fakeOps) Overview(ctx context.Context, apps []string) (*control.Status, error) {
	f.mu.Lock()
	hold := f.hold
	f.mu.Unlock()
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	status := &control.Status{
		ConfigFile: "/etc/gracevisor/gracevisor.yaml",
		Workers:    []control.Worker{{Generation: 3, PID: 33, State: control.WorkerServing}},
	}
	for _, a := range sampleApps() {
		if len(apps) == 0 || apps[0] == a.Name {
			status.Apps = append(status.Apps, a)
		}
	}
	if len(status.Apps) == 0 {
		return nil, &control.Error{Code: control.CodeNoSuchApp, Message: fmt.Sprintf("no app is called %q", apps[0])}
	}
	return status, nil
}

func (f *fakeOps) Status(ctx context.Context, apps []string) (*control.Status, error) {
	return f.Overview(ctx, apps)
}

func (f *fakeOps) Settings(context.Context, string) (*control.Settings, error) {
	return &control.Settings{Command: []string{"/bin/demo", "--password=secret"}, Environment: []string{"KEY=secret"}}, nil
}

func (f *fakeOps) Start(_ context.Context, r control.Request) (*control.Operation, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.startErr != nil {
		return nil, f.startErr
	}
	f.requests = append(f.requests, r)
	f.lastJob++
	job := control.Job{ID: f.lastJob, Verb: r.Verb, App: strings.Join(r.Apps, ""), State: control.JobRunning}
	events := make(chan control.Event, 1)
	if r.Verb == control.VerbKill {
		events <- control.Event{Kind: control.EventResult, Result: control.ResultDone}
	} else {
		f.jobs = append(f.jobs, job)
		f.feed.Tell(control.Notice{Kind: control.NoticeJobNew, Job: &job})
	}
	close(events)
	return &control.Operation{Events: events, Jobs: []control.Job{job}}, nil
}

// finish ends a job.
func (f *fakeOps) finish(id uint32, result control.Result) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for n, j := range f.jobs {
		if j.ID == id {
			f.jobs = append(f.jobs[:n:n], f.jobs[n+1:]...)
			f.feed.Tell(control.Notice{Kind: control.NoticeJobRemoved, Job: &j, Result: result})
			return
		}
	}
}

func (f *fakeOps) asked() []control.Request {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]control.Request(nil), f.requests...)
}

func (f *fakeOps) Jobs(context.Context) ([]control.Job, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]control.Job(nil), f.jobs...), nil
}

func (f *fakeOps) CancelJob(_ context.Context, id uint32, _ string) error {
	f.mu.Lock()
	f.canceled = append(f.canceled, id)
	f.mu.Unlock()
	f.finish(id, control.ResultCanceled)
	return nil
}

func (f *fakeOps) Watch() *control.Watch { return f.feed.Watch() }

func (f *fakeOps) Version() control.Version { return control.Version{Version: "1.2.3"} }

func (f *fakeOps) Sockets(context.Context) ([]control.Socket, error) {
	return nil, errors.ErrUnsupported
}

func (f *fakeOps) Workers(context.Context) ([]control.Worker, error) {
	return nil, errors.ErrUnsupported
}

func (f *fakeOps) Output(context.Context, string, int, bool) ([]control.OutputLine, <-chan control.OutputLine, error) {
	return nil, nil, errors.ErrUnsupported
}

// client connects to the bus until the test ends.
func client(t *testing.T) *dbus.Conn {
	t.Helper()
	conn, err := connect(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

const nobody = 65534

// stranger connects as another user. The credentials of a connection are those
// of the thread that makes it.
func stranger(t *testing.T, options ...dbus.ConnOption) *dbus.Conn {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: only root can be another user")
	}
	type made struct {
		socket net.Conn
		err    error
	}
	result := make(chan made)
	// Ends at once, and its thread with it, because it stays locked.
	go func() {
		runtime.LockOSThread()
		fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err == nil {
			if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, nobody, nobody, nobody); errno != 0 {
				err = errno
			} else {
				path, _ := socketOf(os.Getenv(addressVariable))
				err = unix.Connect(fd, &unix.SockaddrUnix{Name: path})
			}
		}
		if err != nil {
			result <- made{err: err}
			return
		}
		file := os.NewFile(uintptr(fd), "bus")
		socket, err := net.FileConn(file)
		file.Close()
		result <- made{socket, err}
	}()
	m := <-result
	if m.err != nil {
		t.Fatal(m.err)
	}
	conn, err := dbus.NewConn(m.socket, options...)
	if err == nil {
		err = conn.Auth([]dbus.Auth{dbus.AuthExternal(fmt.Sprint(nobody))})
	}
	if err == nil {
		err = conn.Hello()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// fails makes a call that has to fail with an error of this name, and returns
// what it says.
func fails(t *testing.T, conn *dbus.Conn, name string, path dbus.ObjectPath, method string, args ...any) string {
	t.Helper()
	err := conn.Object(Name, path).Call(method, 0, args...).Err
	e, ok := errors.AsType[dbus.Error](err)
	if !ok || e.Name != name {
		t.Errorf("%s of %s: %v %v, want %s", method, short(string(path)), e.Name, err, name)
	}
	return e.Error()
}

// succeeds makes a call and stores its answer.
func succeeds(t *testing.T, conn *dbus.Conn, into []any, path dbus.ObjectPath, method string, args ...any) {
	t.Helper()
	if err := conn.Object(Name, path).Call(method, 0, args...).Store(into...); err != nil {
		t.Errorf("%s of %s: %v", method, path, err)
	}
}

// subscribed is how many clients are remembered.
func (d *door) subscribed(t *testing.T) int {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(d.dir, "bus-subscribers.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return 0
	}
	var kept rememberedSubscribers
	if err == nil {
		err = json.Unmarshal(data, &kept)
	}
	if err != nil {
		t.Fatal(err)
	}
	return len(kept.Names)
}
