package main

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"gracevisor/test/load"
)

// TestLoad makes every kind of load without a failure.
func TestLoad(t *testing.T) {
	httpClients := map[load.Kind]int{
		load.Get: 1, load.Post: 1, load.PostChunked: 1, load.Slow: 1, load.Stream: 1, load.Events: 1,
		load.Upload: 1, load.WebSocket: 1, load.Idle: 1, load.IdleKept: 1,
	}
	tests := []struct {
		name    string
		args    []string
		clients map[load.Kind]int
	}{
		{"IPv4", nil, httpClients},
		{"IPv6", []string{"--host=::1"}, httpClients},
		{"close each answer", []string{"--close-each-answer"}, map[load.Kind]int{load.Get: 1, load.Post: 1}},
		{"TCP", []string{"--mode=tcp"}, map[load.Kind]int{load.TCP: 2}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := start(t, tt.args...)
			l, err := load.Start(load.Options{
				Address: a.up(), Clients: tt.clients, MaxRequests: 7, PerConnection: 3,
				SlowTime: 10 * time.Millisecond, StreamTime: 20 * time.Millisecond, UploadTime: 10 * time.Millisecond,
			})
			if err != nil {
				t.Fatal(err)
			}
			if err := l.AwaitConnected(t.Context()); err != nil {
				t.Error(err)
			}
			report := l.Stop()
			if report.Failures() != 0 {
				t.Errorf("failures:\n%s", report)
			}
			if pids := report.PIDs(); len(pids) != 1 || pids[0] != fmt.Sprint(a.cmd.Process.Pid) {
				t.Errorf("processes %q, want %d", pids, a.cmd.Process.Pid)
			}
			a.signal(syscall.SIGTERM)
			if status := a.exited(); status != 0 {
				t.Errorf("exit status %d", status)
			}
		})
	}
}

func TestUnixSocket(t *testing.T) {
	a := start(t, "--socket=DIR/app")
	if status, body, header := get(t, a.up(), "GET", "/"); status != 200 || body != "hello\n" ||
		header.Get("X-Pid") != fmt.Sprint(a.cmd.Process.Pid) || header.Get("X-Instance") != "test/1" {
		t.Errorf("%d %q %v", status, body, header)
	}
}

// TestFaultsAreFaults sends every wrong answer to a client that must notice.
func TestFaultsAreFaults(t *testing.T) {
	a := start(t)
	address := a.up()
	for kind, raw := range faults {
		conn := dial(t, address, "POST /fault?kind="+kind+" HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx")
		got := make([]byte, len(raw)+1)
		if strings.HasPrefix(kind, "stall") {
			got = got[:len(raw)]
		}
		n := 0
		for n < len(got) {
			m, err := conn.Read(got[n:])
			n += m
			if err != nil {
				break
			}
		}
		if string(got[:n]) != raw {
			t.Errorf("%s: got %d bytes %.80q, want %d", kind, n, got[:n], len(raw))
		}
	}
	if status, _, _ := get(t, address, "GET", "/fault?kind=none-such"); status != 404 {
		t.Errorf("unknown fault: %d", status)
	}
	if status, text, _ := get(t, address, "POST", "/fault?kind=reset"); status != 0 || !strings.Contains(text, "reset") {
		t.Errorf("reset: %d %s", status, text)
	}
}
