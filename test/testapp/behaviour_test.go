package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"gracevisor/test/events"
)

const slowRequest = "GET /slow?ms=200 HTTP/1.1\r\nHost: x\r\nX-Notify: slow\r\n\r\n"

// TestStop tells an app to stop while it has a request under way.
func TestStop(t *testing.T) {
	for _, tt := range []struct {
		name             string
		args             []string
		answers, exiting bool
	}{
		{"finishes", nil, true, true},
		{"later", []string{"--stop-delay=50ms"}, true, true},
		{"at once", []string{"--exit-at-once"}, false, true},
		{"never", []string{"--ignore-stop"}, true, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := start(t, tt.args...)
			address := a.up()
			conn := dial(t, address, slowRequest)
			if e := a.wait(events.Request); e.Detail != "slow" {
				t.Errorf("event %v", e)
			}
			a.signal(syscall.SIGTERM)
			body, err := "", error(nil)
			answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err == nil {
				var all []byte
				all, err = io.ReadAll(answer.Body)
				body = string(all)
			}
			if answered := err == nil && body == "slow 200\n"; answered != tt.answers {
				t.Errorf("got %q (%v), want an answer: %v", body, err, tt.answers)
			}
			if !tt.exiting {
				if status, _, _ := get(t, address, "GET", "/"); status != 200 {
					t.Errorf("after the signal: %d", status)
				}
				return
			}
			if status := a.exited(); status != 0 {
				t.Errorf("exit status %d", status)
			}
			a.wait(events.Exiting)
		})
	}
}

func TestEveryStopSignal(t *testing.T) {
	a := start(t, "--ignore-stop")
	a.up()
	for _, s := range stopSignals {
		a.signal(s)
		if last := a.events.All()[a.next-1]; last.Detail != s.String() {
			t.Errorf("signal %v: event %v", s, last)
		}
	}
}

func TestExit(t *testing.T) {
	a := start(t, "--exit-after=0s", "--exit-code=3", "--say-error=last words")
	if status := a.exited(); status != 3 || !strings.Contains(a.stderr.String(), "last words\n") {
		t.Errorf("at once: status %d, %q", status, &a.stderr)
	}
	a = start(t, "--exit-after=1ms", "--exit-code=4", "--never-listen")
	if status := a.exited(); status != 4 {
		t.Errorf("later: status %d", status)
	}
	if e := a.events.All(); len(e) == 0 || e[0].Kind == events.Up {
		t.Errorf("it never listens, but: %v", e)
	}
	a = start(t)
	get(t, a.up(), "POST", "/exit?code=5")
	if status := a.exited(); status != 5 {
		t.Errorf("asked to: status %d", status)
	}
	a = start(t, "--nonsense")
	if status := a.exited(); status != 2 {
		t.Errorf("wrong flag: status %d", status)
	}
	a = start(t, "--never-listen")
	if err := a.cmd.Process.Signal(syscall.SIGTERM); err != nil { // before or after it can be caught
		t.Fatal(err)
	}
	if status := a.exited(); status > 0 {
		t.Errorf("stopped: status %d", status)
	}
}

func TestHealth(t *testing.T) {
	a := start(t, "--health-status=500", "--health-file=DIR/health", "--listen-after=1ms")
	address := a.up()
	status := func() int {
		code, _, _ := get(t, address, "GET", "/health")
		return code
	}
	if got := status(); got != 500 {
		t.Errorf("at first: %d", got)
	}
	get(t, address, "POST", "/health?status=200")
	if got := status(); got != 200 {
		t.Errorf("posted 200: %d", got)
	}
	file := filepath.Join(a.dir, "health")
	if err := os.WriteFile(file, []byte("503\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	if got := status(); got != 503 {
		t.Errorf("file says 503: %d", got)
	}
}

func TestOptionsFile(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "flags")
	a := start(t, "--options-file="+file)
	if status, _, _ := get(t, a.up(), "GET", "/health"); status != 200 {
		t.Errorf("without a file: %d", status)
	}
	if err := os.WriteFile(file, []byte("--health-status=500\n\n--exit-code=9\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	a = start(t, "--options-file="+file)
	if status, _, _ := get(t, a.up(), "GET", "/health"); status != 500 {
		t.Errorf("with a file: %d", status)
	}
	if err := os.WriteFile(file, []byte("--nonsense\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	if status := start(t, "--options-file="+file).exited(); status != 2 {
		t.Errorf("with a wrong file: status %d", status)
	}
}

// TestResetReused sends two requests on a connection, the second of which is
// reset, and looks whether the app has counted it.
func TestResetReused(t *testing.T) {
	for mode, total := range map[string]int{"before": 1, "after": 2} {
		a := start(t, "--reset-reused="+mode, "--seen-file=DIR/seen")
		address := a.up()
		request := "POST /echo HTTP/1.1\r\nHost: x\r\nX-Load-Id: same\r\nContent-Length: 2\r\n\r\nhi"
		conn := dial(t, address, request)
		r := bufio.NewReader(conn)
		answer, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, answer.Body); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, request); err != nil {
			t.Fatal(err)
		}
		if _, err := r.ReadByte(); err == nil || err == io.EOF {
			t.Errorf("%s: second request got %v, want a reset", mode, err)
		}
		_, body, _ := get(t, address, "GET", "/seen")
		var seen struct {
			Total      int
			Duplicates map[string]int
		}
		if err := json.Unmarshal([]byte(body), &seen); err != nil {
			t.Fatal(err)
		}
		if seen.Total != total || seen.Duplicates["same"]/2 != total/2 {
			t.Errorf("%s: seen %s, want %d", mode, body, total)
		}
		file, err := os.ReadFile(filepath.Join(a.dir, "seen"))
		if err != nil || string(file) != strings.Repeat("same\n", total) {
			t.Errorf("%s: file %q (%v)", mode, file, err)
		}
	}
}

func TestIdle(t *testing.T) {
	for _, tt := range []struct {
		args []string
		eof  bool
	}{
		{[]string{"--idle-timeout=1ms"}, true},
		{[]string{"--idle-timeout=1ms", "--idle-reset"}, false},
	} {
		a := start(t, tt.args...)
		conn := dial(t, a.up(), "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		all, err := io.ReadAll(conn)
		if eof := err == nil; eof != tt.eof || !bytes.HasSuffix(all, []byte("hello\n")) {
			t.Errorf("%v: %q, %v", tt.args, all, err)
		}
	}
}

// TestChildren starts an app that leaves processes behind and exits.
func TestChildren(t *testing.T) {
	a := start(t, "--children=2", "--grandchildren=1", "--stubborn", "--never-listen")
	var pids []int
	for range 3 {
		pids = append(pids, a.wait(events.Forked).PID)
	}
	t.Cleanup(func() {
		for _, pid := range pids {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	})
	group := func(pid int) int {
		pgid, err := syscall.Getpgid(pid)
		if err != nil {
			t.Errorf("pid %d: %v", pid, err)
		}
		return pgid
	}
	own := group(a.cmd.Process.Pid)
	if group(pids[0]) != own || group(pids[1]) != own || group(pids[2]) == own {
		t.Errorf("groups of children %d %d, grandchild %d, app %d", group(pids[0]), group(pids[1]), group(pids[2]), own)
	}
	a = start(t, "--stubborn")
	if status := a.exited(); status != 1 {
		t.Errorf("stubborn without children: status %d", status)
	}
}

func TestOutput(t *testing.T) {
	a := start(t, "--say=hello", "--long-line=100000", "--binary=600", "--exit-after=0s")
	if status := a.exited(); status != 0 {
		t.Errorf("exit status %d", status)
	}
	out := a.stdout.Bytes()
	if !bytes.HasPrefix(out, []byte("hello\nxxx")) || len(out) != 6+100001+600 || out[len(out)-1] != 599%256 {
		t.Errorf("%d bytes of output", len(out))
	}
	a = start(t, "--write-rate=20", "--write-total=0.5")
	a.up()
	a.signal(syscall.SIGTERM)
	a.exited()
	lines := strings.SplitAfter(a.stdout.String(), "\n")
	for i, line := range lines[:len(lines)-1] {
		if len(line) != lineSize || !strings.HasPrefix(line, fmt.Sprintf("%010d ", i)) {
			t.Fatalf("line %d is %q", i, line)
		}
	}
	if len(lines) > 5001 {
		t.Errorf("%d lines are more than its total", len(lines))
	}
	a = start(t, "--close-stdout", "--say=x")
	a.up()
	if target, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/1", a.cmd.Process.Pid)); err == nil && strings.HasPrefix(target, "pipe:") {
		t.Errorf("standard output is %s", target)
	}
}

func TestInfo(t *testing.T) {
	a := start(t, "--socket=DIR/app")
	status, body, _ := get(t, a.up(), "GET", "/info")
	var i info
	if err := json.Unmarshal([]byte(body), &i); err != nil || status != 200 {
		t.Fatalf("%d %v", status, err)
	}
	pgid, _ := syscall.Getpgid(a.cmd.Process.Pid)
	// It is 0 if the leader of the session is outside of this pid namespace.
	sid, _ := unix.Getsid(a.cmd.Process.Pid)
	cwd, _ := os.Getwd()
	if i.PID != a.cmd.Process.Pid || i.PPID != os.Getpid() || i.UID != os.Getuid() || i.GID != os.Getgid() ||
		i.PGID != pgid || i.SID != sid || i.Cwd != cwd || len(i.Errors) != 0 {
		t.Errorf("%s", body)
	}
	// What this test has inherited itself, its apps inherit, too.
	if len(i.FDs) != len(readInherited().FDs) || !strings.HasPrefix(i.FDs[1], "pipe:") || i.FDs[0] != os.DevNull {
		t.Errorf("fds %v", i.FDs)
	}
	if i.Status["Umask"] == "" || i.Status["SigIgn"] == "" || !strings.Contains(i.Limits["Max open files"], "files") {
		t.Errorf("status %v, limits %v", i.Status, i.Limits)
	}
	if !strings.Contains(strings.Join(i.Env, "\n"), "GRACEVISOR_INSTANCE=test/1") {
		t.Errorf("environment %q", i.Env)
	}
}

func TestOtherPages(t *testing.T) {
	a := start(t)
	address := a.up()
	if _, body, _ := get(t, address, "GET", "/request?x=1", "X-Own", "value"); !strings.HasPrefix(body, "GET /request?x=1 HTTP/1.1\nHost: test\n") ||
		!strings.Contains(body, "X-Own: value\r\n") || !strings.HasSuffix(body, "body of 0 bytes, framing [] 0\n") {
		t.Errorf("request: %q", body)
	}
	conn := dial(t, address, "GET /interim?count=2 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
	all, _ := io.ReadAll(conn)
	if bytes.Count(all, []byte("HTTP/1.1 103 Early Hints\r\n")) != 2 || !bytes.HasSuffix(all, []byte("final\n")) {
		t.Errorf("interim: %q", all)
	}
	conn = dial(t, address, "POST /trailers HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\nTrailer: X-Mine\r\n\r\n"+
		"2\r\nhi\r\n0\r\nX-Mine: yes\r\n\r\n")
	all, _ = io.ReadAll(conn)
	for _, want := range []string{"2 bytes, 1 trailers\nX-Mine: yes\n", "\r\nX-Announced: 2\r\n", "\r\nX-Unannounced: yes\r\n"} {
		if !bytes.Contains(all, []byte(want)) {
			t.Errorf("trailers: %q lacks %q", all, want)
		}
	}
	file := filepath.Join(a.dir, "now")
	waiting := dial(t, address, "GET /await?file="+file+" HTTP/1.1\r\nHost: x\r\nX-Notify: waiting\r\nConnection: close\r\n\r\n")
	a.wait(events.Request)
	if err := os.WriteFile(file, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	if all, _ = io.ReadAll(waiting); !bytes.HasSuffix(all, []byte("it is there\n")) {
		t.Errorf("await: %q", all)
	}
	hanging := dial(t, address, "GET /hang HTTP/1.1\r\nHost: x\r\nX-Notify: hanging\r\n\r\n")
	a.wait(events.Request)
	hanging.Close()
	a.signal(syscall.SIGTERM)
	if status := a.exited(); status != 0 {
		t.Errorf("exit status %d", status)
	}
}
