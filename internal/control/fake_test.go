package control

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// deadMan bounds every wait of these tests; nothing asserts how long one takes.
const deadMan = 30 * time.Second

const testToken = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

// fakeOps answers from its fields; a nil function is an operation that the test
// does not expect.
type fakeOps struct {
	status  func(apps []string) (*Status, error)
	start   func(ctx context.Context, req Request) (*Operation, error)
	output  func(ctx context.Context, app string, n int, follow bool) ([]OutputLine, <-chan OutputLine, error)
	sockets func() ([]Socket, error)
	workers func() ([]Worker, error)
	jobs    func() ([]Job, error)
	cancel  func(id uint32, caller string) error
	feed    Feed
}

var errUnexpected = errors.New("the test does not expect this call")

func (f *fakeOps) Status(_ context.Context, apps []string) (*Status, error) {
	if f.status == nil {
		return nil, errUnexpected
	}
	return f.status(apps)
}

func (f *fakeOps) Start(ctx context.Context, req Request) (*Operation, error) {
	if f.start == nil {
		return nil, errUnexpected
	}
	return f.start(ctx, req)
}

func (f *fakeOps) Output(ctx context.Context, app string, n int, follow bool) ([]OutputLine, <-chan OutputLine, error) {
	if f.output == nil {
		return nil, nil, errUnexpected
	}
	return f.output(ctx, app, n, follow)
}

func (f *fakeOps) Sockets(context.Context) ([]Socket, error) {
	if f.sockets == nil {
		return nil, errUnexpected
	}
	return f.sockets()
}

func (f *fakeOps) Workers(context.Context) ([]Worker, error) {
	if f.workers == nil {
		return nil, errUnexpected
	}
	return f.workers()
}

func (f *fakeOps) Overview(ctx context.Context, apps []string) (*Status, error) {
	return f.Status(ctx, apps)
}

func (f *fakeOps) Settings(context.Context, string) (*Settings, error) { return nil, errUnexpected }

func (f *fakeOps) Jobs(context.Context) ([]Job, error) {
	if f.jobs == nil {
		return nil, errUnexpected
	}
	return f.jobs()
}

func (f *fakeOps) CancelJob(_ context.Context, id uint32, caller string) error {
	if f.cancel == nil {
		return errUnexpected
	}
	return f.cancel(id, caller)
}

func (f *fakeOps) Watch() *Watch { return f.feed.Watch() }

func (f *fakeOps) Version() Version {
	return Version{Version: "1.2.3", Commit: "0123abc", Go: runtime.Version()}
}

// doors are a server with both its doors open.
type doors struct {
	server *Server
	socket string
	// port is that of the TCP door on 127.0.0.1.
	port int
	log  *logBuffer
}

// openDoors serves ops until the test ends, and then expects that nothing of
// it is left. prepare may change the server before it serves.
func openDoors(t *testing.T, ops Operations, prepare ...func(*Server)) *doors {
	t.Helper()
	before := runtime.NumGoroutine()
	d := &doors{socket: filepath.Join(t.TempDir(), SocketFile), log: &logBuffer{}}
	d.server = NewServer(ops, slog.New(slog.NewTextHandler(d.log, nil)))
	for _, p := range prepare {
		p(d.server)
	}
	unixListener, err := ListenUnix(d.socket, Group)
	if err != nil {
		t.Fatal(err)
	}
	tcpListener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d.port = tcpListener.Addr().(*net.TCPAddr).Port
	served := make(chan error, 2)
	// Both end by the Shutdown below.
	go func() { served <- d.server.ServeUnix(unixListener) }()
	go func() { served <- d.server.ServeTCP(tcpListener, TCPAccess{Host: "control.test", Token: testToken}) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		// A test that left a client hanging has it cut off here.
		_ = d.server.Shutdown(ctx)
		for range 2 {
			if err := receive(t, served, "a door to close"); err != nil {
				t.Errorf("serve: %v", err)
			}
		}
		await(t, "goroutines to end", func() bool { return runtime.NumGoroutine() <= before })
	})
	return d
}

func (d *doors) unixClient() *Client { return NewUnixClient(d.socket) }
func (d *doors) tcpClient() *Client  { return NewTCPClient("127.0.0.1", d.port, testToken) }

func (d *doors) host() string { return fmt.Sprintf("127.0.0.1:%d", d.port) }

// dial connects to a door by its name, "unix" or "tcp".
func (d *doors) dial(t *testing.T, network string) net.Conn {
	t.Helper()
	address := d.socket
	if network == "tcp" {
		address = d.host()
	}
	c, err := net.DialTimeout(network, address, deadMan)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(deadMan)); err != nil {
		t.Fatal(err)
	}
	return c
}

// ask sends raw bytes, in which TOKEN and HOST are replaced, and reads the
// answer with its body.
func (d *doors) ask(t *testing.T, network, raw string) (*http.Response, string) {
	t.Helper()
	c := d.dial(t, network)
	raw = strings.NewReplacer("\n", "\r\n", "TOKEN", testToken, "HOST", d.host()).Replace(raw)
	if _, err := io.WriteString(c, raw); err != nil {
		t.Fatal(err)
	}
	method, _, _ := strings.Cut(raw, " ")
	resp, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: method})
	if err != nil {
		t.Fatalf("no answer: %v", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("read the answer: %v", err)
	}
	return resp, string(body)
}

// operation makes one whose events are all there.
func operation(events ...Event) *Operation {
	ch := make(chan Event, len(events))
	for _, e := range events {
		ch <- e
	}
	close(ch)
	return &Operation{Events: ch}
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

// await waits for a state that nobody signals.
func await(t *testing.T, what string, reached func() bool) {
	t.Helper()
	for end := time.Now().Add(deadMan); !reached(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			stacks := make([]byte, 1<<20)
			t.Fatalf("waited in vain for %s\n%s", what, stacks[:runtime.Stack(stacks, true)])
		}
	}
}

// logBuffer is a log that tests can read while it is written.
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

// TestMain is also the client that a test runs as another user.
func TestMain(m *testing.M) {
	if path := os.Getenv("CONTROL_TEST_ASK"); path != "" {
		_, err := NewUnixClient(path).Status(context.Background())
		code := "none"
		if e, ok := errors.AsType[*Error](err); ok {
			code = string(e.Code)
		}
		fmt.Printf("%s|%v\n", code, err)
		return
	}
	os.Exit(m.Run())
}
