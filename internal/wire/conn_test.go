package wire

import (
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// everyMessage is one message of each kind, with all that it can hold.
var everyMessage = []Message{
	&Hello{Version: 1, Generation: 1<<63 + 1},
	&Files{Names: []string{"127.0.0.1:8080", "access:dömo \"x\""}},
	&TableOrder{Revision: 7},
	&Probe{
		Instance: "demo/7", Targets: []Target{{"tcp", "127.0.0.1:1"}, {"unix", "/run/x"}}, Path: "/health?a=b",
		Host: "localhost:8080", Timeout: time.Second, Interval: time.Minute, Retries: 3, Running: true,
	},
	&Unprobe{Instance: "demo/7"},
	&Drain{},
	&Ping{Number: 9},
	&Ready{PID: 4711},
	&Ack{Revision: 7, Error: "no listener \x00 \xff"},
	&Drained{Instance: "demo/7", Revision: 8},
	&ProbeResult{Instance: "demo/7", Verdict: Dead, Target: Target{"tcp", "[::1]:1"}, Reason: "refused"},
	&Counters{Part: 2, Connections: 3, Apps: []AppCounters{{
		Name: "demo", Connections: 1, Requests: 1 << 62, Status: [5]uint64{1, 2, 3, 4, 5}, Errors: 6, Retries: 7,
		Held: 8, Holding: 9, BytesIn: 10, BytesOut: 11, LatencyBuckets: []uint64{1, 2},
		Instances: []InstanceCounters{{
			ID: "demo/7", InFlight: 1, Requests: 2, Status: [5]uint64{5, 4, 3, 2, 1}, Retries: 3, BytesIn: 4, BytesOut: 5, LatencyBuckets: []uint64{3},
		}},
	}}},
	&Pong{Number: 9},
	&MoveTo{Generation: 8},
	&TakeOver{Generation: 7},
}

func TestEveryKindIsHere(t *testing.T) {
	seen := make(map[kind]bool)
	for _, m := range everyMessage {
		seen[m.kind()] = true
	}
	for k := kind(1); newMessage(k) != nil; k++ {
		if !seen[k] {
			t.Errorf("no test message of kind %d", k)
		}
		if got := newMessage(k).kind(); got != k {
			t.Errorf("the message of kind %d says that it is of kind %d", k, got)
		}
	}
}

func TestRoundTrip(t *testing.T) {
	for _, m := range everyMessage {
		t.Run(fmt.Sprintf("%T", m), func(t *testing.T) {
			keepsFDs(t)
			a, b := pair(t)
			var files []*os.File
			for range m.files() {
				files = append(files, devNull(t))
			}
			if err := a.Send(m, files...); err != nil {
				t.Fatal(err)
			}
			got, received, err := b.Receive()
			if err != nil {
				t.Fatal(err)
			}
			defer closeAll(received)
			if _, ok := m.(*Ack); ok {
				m = &Ack{Revision: 7, Error: "no listener \x00 \ufffd"} // JSON is UTF-8
			}
			if !reflect.DeepEqual(got, m) {
				t.Errorf("%+v became %+v", m, got)
			}
			if len(received) != len(files) {
				t.Fatalf("%d files became %d", len(files), len(received))
			}
			for n, f := range received {
				sameFile(t, f, files[n])
			}
		})
	}
}

// sameFile fails unless b is what was sent as a: the same file, closed on exec.
func sameFile(t *testing.T, a, b *os.File) {
	t.Helper()
	one, err := a.Stat()
	if err != nil {
		t.Fatal(err)
	}
	other, err := b.Stat()
	if err != nil {
		t.Fatal(err)
	}
	if !os.SameFile(one, other) {
		t.Errorf("%s is not %s", a.Name(), b.Name())
	}
	raw, err := a.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	_ = raw.Control(func(fd uintptr) {
		if flags, err := unix.FcntlInt(fd, unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
			t.Errorf("a received file is not closed on exec: %#x, %v", flags, err)
		}
	})
}

// TestMostFiles: as many as the kernel lets pass, in the order of their names.
func TestMostFiles(t *testing.T) {
	keepsFDs(t)
	a, b := pair(t)
	m := &Files{}
	var files []*os.File
	for n := range MaxFiles {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		defer w.Close()
		m.Names = append(m.Names, fmt.Sprint(n))
		files = append(files, r)
	}
	if err := a.Send(m, files...); err != nil {
		t.Fatal(err)
	}
	_, received, err := b.Receive()
	if err != nil {
		t.Fatal(err)
	}
	defer closeAll(received)
	if len(received) != MaxFiles {
		t.Fatalf("%d files came", len(received))
	}
	for n, f := range received {
		sameFile(t, f, files[n])
	}
	m.Names = append(m.Names, "one too many")
	if err := a.Send(m, append(files, devNull(t))...); err == nil {
		t.Error("one more file is sent too")
	}
}

// TestSendRefuses: what the other side would refuse is not sent.
func TestSendRefuses(t *testing.T) {
	a, b := pair(t)
	f := devNull(t)
	gone, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	gone.Close()
	for name, send := range map[string]func() error{
		"a file too many":   func() error { return a.Send(&Ping{}, f) },
		"a file too few":    func() error { return a.Send(&TableOrder{}) },
		"a name too many":   func() error { return a.Send(&Files{Names: []string{"a", "b"}}, f) },
		"a closed file":     func() error { return a.Send(&TableOrder{}, gone) },
		"too long a text":   func() error { return a.Send(&Unprobe{Instance: string(make([]byte, maxMessage))}) },
		"just too long one": func() error { return a.Send(&Ack{Error: long(maxMessage - len(`.{"revision":0,"error":""}`) + 1)}) },
	} {
		if err := send(); err == nil {
			t.Errorf("%s is sent", name)
		}
	}
	// The longest one that may be sent arrives, and nothing before it.
	want := &Ack{Error: long(maxMessage - len(`.{"revision":0,"error":""}`))}
	go func() { _ = a.Send(want) }() // ends when it is received
	got, _, err := b.Receive()
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("the longest message arrives as %T, %v", got, err)
	}
}

func long(n int) string {
	text := make([]byte, n)
	for i := range text {
		text[i] = 'x'
	}
	return string(text)
}

// TestEndOfFile: when the other end is closed, what it has sent arrives first.
func TestEndOfFile(t *testing.T) {
	keepsFDs(t)
	a, b := pair(t)
	if err := a.Send(&Ping{Number: 1}); err != nil {
		t.Fatal(err)
	}
	a.Close()
	if m, _, err := b.Receive(); err != nil || !reflect.DeepEqual(m, &Ping{Number: 1}) {
		t.Fatalf("received %v, %v", m, err)
	}
	for range 2 {
		if _, _, err := b.Receive(); err != io.EOF {
			t.Errorf("after the end: %v", err)
		}
	}
	if err := b.Send(&Pong{}); !errors.Is(err, unix.EPIPE) {
		t.Errorf("sent to nobody: %v", err)
	}
}

// TestUnreadAtTheEnd: the other end goes without having read what was sent to
// it, which the kernel tells as a reset.
func TestUnreadAtTheEnd(t *testing.T) {
	a, b := pair(t)
	if err := b.Send(&Ready{}); err != nil {
		t.Fatal(err)
	}
	a.Close()
	if _, _, err := b.Receive(); err != io.EOF {
		t.Errorf("received %v", err)
	}
}

// TestCloseWakes: who waits for a message is told.
func TestCloseWakes(t *testing.T) {
	a, _ := pair(t)
	done := make(chan error, 1)
	go func() { // ends when a is closed
		_, _, err := a.Receive()
		done <- err
	}()
	a.Close()
	select {
	case err := <-done:
		if err == nil || errors.Is(err, io.EOF) {
			t.Errorf("received %v", err)
		}
	case <-time.After(patience):
		t.Fatal("it waits on")
	}
}

// TestPairForAChild: both ends are closed on exec and do not block.
func TestPairForAChild(t *testing.T) {
	a, b, err := Pair()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []*os.File{a, b} {
		defer f.Close()
		raw, err := f.SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		_ = raw.Control(func(fd uintptr) {
			if flags, _ := unix.FcntlInt(fd, unix.F_GETFD, 0); flags&unix.FD_CLOEXEC == 0 {
				t.Error("it is not closed on exec")
			}
			if flags, _ := unix.FcntlInt(fd, unix.F_GETFL, 0); flags&unix.O_NONBLOCK == 0 {
				t.Error("it blocks")
			}
		})
	}
}

func TestNewConnRefuses(t *testing.T) {
	keepsFDs(t)
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	if c, err := NewConn(f); err == nil {
		c.Close()
		t.Error("a file is taken for a socket")
	}
	if f.Close() == nil {
		t.Error("what is refused stays open")
	}
}
