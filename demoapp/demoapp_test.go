package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"gracevisor/demoapp/websocket"
)

// asApp makes the test binary the app itself.
const asApp = "DEMOAPP_TEST_AS_APP"

// deadMan ends an app that hangs.
const deadMan = 2 * time.Minute

func TestMain(m *testing.M) {
	if os.Getenv(asApp) != "" {
		main()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// app is a demoapp that runs as a process of its own.
type app struct {
	*exec.Cmd
	url string
	out *bufio.Reader
}

func command(t *testing.T, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	// The race detector would sleep for a second before each exit.
	cmd.Env = append(os.Environ(), asApp+"=1", "GORACE=atexit_sleep_ms=0")
	return cmd
}

func start(t *testing.T, args ...string) *app {
	t.Helper()
	a := &app{Cmd: command(t, append(args, "--port=0")...)}
	out, err := a.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	// If the test dies, so does the app: the signal comes when this thread
	// ends, which nothing but the end of the test ends (prctl(2)).
	runtime.LockOSThread()
	a.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := a.Start(); err != nil {
		t.Fatal(err)
	}
	killer := time.AfterFunc(deadMan, func() { _ = a.Process.Kill() })
	t.Cleanup(func() {
		killer.Stop()
		_ = a.Process.Kill() // fails if it has been waited for, which is as well
		_ = a.Wait()
	})
	a.out = bufio.NewReader(out)
	line, err := a.out.ReadString('\n')
	if err != nil {
		t.Fatalf("read first line: %v", err)
	}
	match := regexp.MustCompile(`pid (\d+), listens on (http://\S+)/`).FindStringSubmatch(line)
	if match == nil || match[1] != fmt.Sprint(a.Process.Pid) {
		t.Fatalf("first line is %q", line)
	}
	a.url = match[2]
	return a
}

func (a *app) do(t *testing.T, method, path, body string, fields ...string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, a.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(fields); i += 2 {
		r.Header.Set(fields[i], fields[i+1])
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	got, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	if answer.Header.Get("X-Pid") != fmt.Sprint(a.Process.Pid) {
		t.Errorf("%s %s: X-Pid is %q", method, path, answer.Header.Get("X-Pid"))
	}
	return answer.StatusCode, string(got)
}

func TestPages(t *testing.T) {
	a := start(t)
	pid := fmt.Sprintf("pid %d", a.Process.Pid)
	long := strings.Repeat("all of it ", 50_000)
	tests := []struct {
		method, path, body string
		status             int
		want               string
	}{
		{"GET", "/", "", 200, pid},
		{"GET", "/healthz", "", 200, "fine"},
		{"GET", "/slow?ms=1", "", 200, "answered after 1ms"},
		{"GET", "/slow?ms=x", "", 400, "0 to 60000"},
		{"GET", "/slow?ms=-1", "", 400, "0 to 60000"},
		{"GET", "/slow?ms=60001", "", 400, "0 to 60000"},
		{"POST", "/echo", long, 200, long},
		{"POST", "/echo", "", 200, ""},
		{"GET", "/echo", "", 405, ""},
		{"GET", "/ws", "", 426, "WebSocket"},
		{"GET", "/none", "", 404, ""},
	}
	for _, tt := range tests {
		status, got := a.do(t, tt.method, tt.path, tt.body)
		if status != tt.status || !strings.Contains(got, tt.want) {
			t.Errorf("%s %s: %d %.80q, want %d with %.80q", tt.method, tt.path, status, got, tt.status, tt.want)
		}
	}
	if _, got := a.do(t, "GET", "/", "", "Accept", "text/html,*/*"); !strings.Contains(got, "<h1>") ||
		!strings.Contains(got, fmt.Sprintf("process <b>%d</b>", a.Process.Pid)) {
		t.Errorf("front page for a browser: %q", got)
	}
}

func TestStream(t *testing.T) {
	a := start(t)
	answer, err := http.Get(a.url + "/stream")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	// The first line comes before the answer is complete: it is a stream.
	line, err := bufio.NewReader(answer.Body).ReadString('\n')
	if err != nil || !strings.HasPrefix(line, "1 of 10, pid") || answer.ContentLength != -1 {
		t.Errorf("first line %q (%v), length %d", line, err, answer.ContentLength)
	}
}

func TestWebSocket(t *testing.T) {
	a := start(t)
	conn, err := net.Dial("tcp", strings.TrimPrefix(a.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	opening := "GET /ws HTTP/1.1\r\nHost: demo\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
	hello := websocket.Frame{Op: websocket.OpText, Fin: true, Payload: []byte("hello")}
	if _, err := conn.Write(websocket.AppendFrame([]byte(opening), hello, websocket.FromClient, [4]byte{1})); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(conn)
	if answer, err := http.ReadResponse(r, nil); err != nil || answer.StatusCode != 101 {
		t.Fatalf("handshake: %v %v", answer, err)
	}
	f, err := websocket.ReadFrame(r, websocket.FromServer)
	if err != nil || !bytes.Equal(f.Payload, hello.Payload) {
		t.Errorf("echo is %q (%v)", f.Payload, err)
	}
}

// TestStop sends TERM while a request is under way.
func TestStop(t *testing.T) {
	for _, tt := range []struct {
		name     string
		args     []string
		finishes bool
	}{
		{"finishes requests", nil, true},
		{"exits at once", []string{"--exit-at-once"}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := start(t, tt.args...)
			conn, err := net.Dial("tcp", strings.TrimPrefix(a.url, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			// Half a body: the answer's head comes, and the request is not over.
			if _, err := io.WriteString(conn, "POST /echo HTTP/1.1\r\nHost: demo\r\nContent-Length: 8192\r\n\r\n"+
				strings.Repeat("x", 8191)); err != nil {
				t.Fatal(err)
			}
			r := bufio.NewReader(conn)
			answer, err := http.ReadResponse(r, nil)
			if err != nil {
				t.Fatal(err)
			}
			if err := a.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			if line, err := a.out.ReadString('\n'); err != nil || !strings.Contains(line, "stops on terminated") {
				t.Fatalf("last line is %q (%v)", line, err)
			}
			if tt.finishes {
				if _, err := io.WriteString(conn, "y"); err != nil {
					t.Error(err)
				}
			}
			body, err := io.ReadAll(answer.Body)
			if whole := err == nil && len(body) == 8192; whole != tt.finishes {
				t.Errorf("got %d bytes (%v): finished is %v, want %v", len(body), err, whole, tt.finishes)
			}
			if err := a.Wait(); err != nil {
				t.Errorf("exit: %v", err)
			}
		})
	}
}

func TestCommandLine(t *testing.T) {
	for _, tt := range []struct {
		arg    string
		status int
		want   string
	}{
		{"--help", 0, "--exit-at-once  on TERM"},
		{"--nonsense", 2, "flag provided but not defined: -nonsense"},
		{"--port=many", 2, "invalid value"},
		{"nonsense", 2, `unexpected argument "nonsense"`},
		{"--port=65536", 1, "invalid port"},
	} {
		cmd := command(t, tt.arg)
		out, _ := cmd.CombinedOutput()
		if got := cmd.ProcessState.ExitCode(); got != tt.status || !strings.Contains(string(out), tt.want) {
			t.Errorf("%s: exit status %d, output %q; want %d with %q", tt.arg, got, out, tt.status, tt.want)
		}
	}
}
