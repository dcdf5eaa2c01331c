package load

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

func start(t *testing.T, o Options) *Load {
	t.Helper()
	l, err := Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Stop() })
	return l
}

// bounded is a context that ends only if something hangs.
func bounded(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

var httpKinds = []Kind{Get, Post, PostChunked, Slow, Stream, Events, Upload, WebSocket, Idle, IdleKept}

func TestCorrectServer(t *testing.T) {
	clients := make(map[Kind]int)
	for _, kind := range httpKinds {
		clients[kind] = 2
	}
	l := start(t, Options{
		Address: serveApp(t, correctApp()), Clients: clients, PerConnection: 3,
		SlowTime: 10 * time.Millisecond, StreamTime: 10 * time.Millisecond, UploadTime: 10 * time.Millisecond,
	})
	ctx := bounded(t)
	if err := l.AwaitConnected(ctx); err != nil {
		t.Fatal(err)
	}
	early := l.Report()
	if early.Kinds[Idle].Connections != 2 || early.Kinds[Idle].Requests != 0 {
		t.Errorf("idle clients before the stop: %+v", early.Kinds[Idle])
	}
	if err := l.Await(ctx, 1); err != nil {
		t.Fatal(err)
	}
	// All sizes of bodies, and more than one connection each; the two kinds of
	// idle clients make no more requests now.
	for kind := range clients {
		if kind == Idle || kind == IdleKept {
			continue
		}
		for l.Report().Kinds[kind].Requests < 20 {
			select {
			case <-l.progress:
			case <-ctx.Done():
				t.Fatalf("%s makes no progress", kind)
			}
		}
	}
	report := l.Stop()
	if report.Failures() != 0 || report.IdleClosed() != 0 {
		t.Errorf("a correct server fails:\n%s", report)
	}
	if pids := report.PIDs(); !slices.Equal(pids, []string{"1"}) {
		t.Errorf("processes: %q", pids)
	}
	for kind, wanted := range map[Kind]int{Idle: 2, IdleKept: 4} {
		if got := report.Kinds[kind]; got.Requests != wanted || got.Connections != 2 {
			t.Errorf("%s: %d requests on %d connections, want %d on 2", kind, got.Requests, got.Connections, wanted)
		}
	}
	if got := report.Kinds[Post]; got.Connections < got.Requests/3 {
		t.Errorf("post: %d requests on %d connections, want 3 on each", got.Requests, got.Connections)
	}
	if text := report.String(); strings.Count(text, "\n") != len(httpKinds)+1 {
		t.Errorf("report:\n%s", text)
	}
}

func TestCorrectTCPServer(t *testing.T) {
	l := start(t, Options{
		Address: serveConns(t, lineEcho("7")), Clients: map[Kind]int{TCP: 4}, PerConnection: 5, MaxRequests: 23,
	})
	<-l.ended
	got := l.Stop().Kinds[TCP]
	if got.Failures != 0 || got.Requests != 4*23 || got.PIDs["7"] != 4*23 || got.Connections != 4*5 {
		t.Errorf("%+v", got)
	}
}

func TestConnectionCloseIsNoFailure(t *testing.T) {
	last := sized("a")
	last = last[:len("HTTP/1.1 200 OK\r\n")] + "Connection: keep-alive, Close\r\n" + last[len("HTTP/1.1 200 OK\r\n"):]
	l := start(t, Options{Address: serveConns(t, answers(last)), Clients: map[Kind]int{Idle: 3}})
	if got := l.Stop().Kinds[Idle]; got.Failures != 0 || got.Connections != 3 || got.IdleClosed != 0 {
		t.Errorf("raw server: %+v", got)
	}
	app := correctApp()
	closing := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "close")
		app.ServeHTTP(w, r)
	})
	l = start(t, Options{Address: serveApp(t, closing), Clients: map[Kind]int{Get: 1}, MaxRequests: 10})
	<-l.ended
	if got := l.Stop().Kinds[Get]; got.Failures != 0 || got.Connections != 10 || got.IdleClosed != 0 {
		t.Errorf("net/http: %+v", got)
	}
}

// TestIdleCloseIsCounted closes each connection after its answer, without a
// word, and lets the client know before it writes again.
func TestIdleCloseIsCounted(t *testing.T) {
	closed := make(chan struct{}, 1)
	address := serveConns(t, func(n int, conn *net.TCPConn, r *bufio.Reader) {
		if _, err := http.ReadRequest(r); err != nil {
			return
		}
		fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nX-Pid: 1\r\nContent-Length: %d\r\n\r\n%s", 0, "")
		conn.Close()
		closed <- struct{}{}
	})
	c := &client{load: &Load{stop: make(chan struct{}), progress: make(chan struct{}, 1)}, kind: Get, record: newRecord(time.Now())}
	c.load.options, _ = Options{Address: address}.withDefaults()
	for range 2 {
		c.sequence = slices.Index(answerSizes, 0) - 1 + len(answerSizes)
		if !c.request() {
			t.Fatal(c.record.copied())
		}
		<-closed
	}
	if got := c.record.copied(); got.IdleClosed != 1 || got.Requests != 2 || got.Connections != 2 {
		t.Errorf("%+v", got)
	}
	c.drop()
}

func TestAwait(t *testing.T) {
	address := serveApp(t, correctApp())
	l := start(t, Options{Address: address, Clients: map[Kind]int{Get: 1, Post: 1}, MaxRequests: 5})
	<-l.ended
	if err := l.Await(bounded(t), 1); err == nil || !strings.Contains(err.Error(), "get/0 post/0") {
		t.Errorf("await after the end: %v", err)
	}
	endless := start(t, Options{Address: address, Clients: map[Kind]int{Get: 1}})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := endless.Await(ctx, 1_000_000); err == nil {
		t.Error("await ended without requests")
	}
}

func TestRefusedConnectionsAreCounted(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
	l := start(t, Options{Address: listener.Addr().String(), Clients: map[Kind]int{Get: 1, TCP: 1}, MaxRequests: 3})
	<-l.ended
	for kind, got := range l.Stop().Kinds {
		if got.Failures != 3 || got.Requests != 3 || got.Connections != 0 || !strings.Contains(got.Errors[2], "refused") {
			t.Errorf("%s: %+v", kind, got)
		}
	}
}

func TestMaxTime(t *testing.T) {
	l := start(t, Options{Address: serveApp(t, correctApp()), Clients: map[Kind]int{Get: 1, Idle: 1}, MaxTime: time.Millisecond})
	<-l.ended
	if report := l.Stop(); report.Failures() != 0 || report.Kinds[Idle].Requests != 1 {
		t.Errorf("\n%s", report)
	}
}

func TestOptionsRefused(t *testing.T) {
	for _, o := range []Options{
		{Address: "192.0.2.1:80"}, {Address: "example.org:80"}, {Address: "localhost"}, {Address: ":80"},
		{Address: "localhost:80", Clients: map[Kind]int{"teleport": 1}},
	} {
		if l, err := Start(o); err == nil {
			l.Stop()
			t.Errorf("%+v was accepted", o)
		}
	}
}

func TestMix(t *testing.T) {
	for _, n := range []int{0, 6, 32} {
		sum := 0
		for _, clients := range Mix(n) {
			sum += clients
		}
		if sum != max(n, 6) || len(Mix(n)) != 6 {
			t.Errorf("Mix(%d) = %v", n, Mix(n))
		}
	}
}
