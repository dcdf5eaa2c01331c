package events

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

func listen(t *testing.T) (*Receiver, string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "gv") // t.TempDir is too long for a socket's path
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	path := filepath.Join(dir, "events")
	r, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() }) // a second time, in some tests
	t.Setenv(Env, path)
	return r, path
}

func wait(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func TestWait(t *testing.T) {
	r, _ := listen(t)
	if err := Send(Event{Kind: Up, PID: 1, Instance: "a/1", Address: "localhost:1"}); err != nil {
		t.Fatal(err)
	}
	if err := Send(Event{Kind: Up, PID: 2}); err != nil {
		t.Fatal(err)
	}
	up := func(e Event) bool { return e.Kind == Up }
	first, next, err := r.Wait(wait(t), 0, up)
	if err != nil || first != (Event{Kind: Up, PID: 1, Instance: "a/1", Address: "localhost:1"}) {
		t.Errorf("first event: %v, %v", first, err)
	}
	second, next, err := r.Wait(wait(t), next, up)
	if err != nil || second.PID != 2 || next != 2 {
		t.Errorf("second event: %v, next %d, %v", second, next, err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if e, _, err := r.Wait(ended, next, up); !errors.Is(err, context.Canceled) {
		t.Errorf("third event: %v, %v", e, err)
	}
	// One that comes while somebody waits.
	var got Event
	var waiting sync.WaitGroup
	waiting.Go(func() {
		got, _, err = r.Wait(wait(t), 0, func(e Event) bool { return e.Kind == Exiting })
	})
	if err := Send(Event{Kind: Exiting, PID: 3}); err != nil {
		t.Fatal(err)
	}
	waiting.Wait()
	if err != nil || got.PID != 3 {
		t.Errorf("event while waiting: %v, %v", got, err)
	}
}

func TestNothingIsLost(t *testing.T) {
	r, _ := listen(t)
	const senders, each = 8, 100
	var sending sync.WaitGroup
	for s := range senders {
		sending.Go(func() {
			for range each {
				if err := Send(Event{Kind: Signal, PID: s}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	sending.Wait()
	seen := 0
	if _, _, err := r.Wait(wait(t), 0, func(Event) bool { seen++; return seen == senders*each }); err != nil {
		t.Fatalf("%v after %d events", err, seen)
	}
	if n := len(r.All()); n != senders*each {
		t.Errorf("%d events, want %d", n, senders*each)
	}
}

func TestNobodyListens(t *testing.T) {
	r, path := listen(t)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if err := Send(Event{Kind: Up}); err != nil {
		t.Errorf("send after Close: %v", err)
	}
	// A socket that its owner has left behind: net removes no datagram socket.
	stale, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	if err := stale.Close(); err != nil {
		t.Fatal(err)
	}
	if err := Send(Event{Kind: Up}); err != nil {
		t.Errorf("send to a stale socket: %v", err)
	}
	t.Setenv(Env, "")
	if err := Send(Event{Kind: Up}); err != nil {
		t.Errorf("send to nobody: %v", err)
	}
}

func TestGarbageIsAFault(t *testing.T) {
	r, path := listen(t)
	conn, err := net.Dial("unixgram", path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("no event")); err != nil {
		t.Fatal(err)
	}
	if err := Send(Event{Kind: Up}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := r.Wait(wait(t), 0, func(Event) bool { return true }); err != nil {
		t.Fatal(err)
	}
	if r.Fault() == nil {
		t.Error("garbage was taken for an event")
	}
}
