package control

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// heldOps begins operations whose events the test sends.
func heldOps() (*fakeOps, chan Event, chan context.Context) {
	events := make(chan Event)
	begun := make(chan context.Context, 1)
	return &fakeOps{start: func(ctx context.Context, _ Request) (*Operation, error) {
		begun <- ctx
		return &Operation{Events: events}, nil
	}}, events, begun
}

func TestStepsComeOneByOneWithHeartbeats(t *testing.T) {
	ops, events, _ := heldOps()
	d := openDoors(t, ops, func(s *Server) { s.bounds.beat = time.Millisecond })
	c := d.dial(t, "unix")
	if _, err := io.WriteString(c, crlf(d, post(`{"verb":"update"}`))); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if got := resp.Header.Get("Content-Type"); got != "application/x-ndjson" || resp.StatusCode != 200 {
		t.Errorf("%s, %s", resp.Status, got)
	}
	lines := bufio.NewReader(resp.Body)
	for _, message := range []string{"one", "two", "three"} {
		// Each is read before the next one is sent: nothing is held back.
		events <- Event{Kind: EventStep, Message: message}
		for beats := 0; ; beats++ {
			line, err := lines.ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			if line != "\n" {
				if !strings.Contains(line, `"`+message+`"`) {
					t.Errorf("got %q, want %q", line, message)
				}
				break
			}
		}
	}
	if line, err := lines.ReadString('\n'); line != "\n" || err != nil {
		t.Errorf("got %q, %v, want a heartbeat", line, err)
	}
	close(events)
	rest, err := io.ReadAll(lines)
	if err != nil || strings.Trim(string(rest), "\n") != "" {
		t.Errorf("the stream ended with %q, %v", rest, err)
	}
}

func TestOperationOutlivesItsClient(t *testing.T) {
	ops, events, begun := heldOps()
	d := openDoors(t, ops)
	ctx, leave := context.WithCancel(context.Background())
	first := make(chan struct{})
	done := make(chan error, 1)
	// Ended by leave.
	go func() {
		done <- d.tcpClient().Do(ctx, Request{Verb: VerbUpdate}, func(Event) { close(first) })
	}()
	operationContext := receive(t, begun, "the operation")
	events <- Event{Kind: EventStep}
	receive(t, first, "the first step")
	leave()
	if err := receive(t, done, "the client to leave"); !errors.Is(err, context.Canceled) {
		t.Errorf("client: %v", err)
	}
	await(t, "the door to notice", func() bool { return len(d.server.tcp.streams) == 0 })
	if operationContext.Err() != nil {
		t.Error("the operation's context ended with its client")
	}
}

// TestSlowReaderIsLetGo: whoever fills the stream is not held up for longer
// than the bound, and others are not at all.
func TestSlowReaderIsLetGo(t *testing.T) {
	line := OutputLine{Text: strings.Repeat("x", 1<<16)}
	var taken atomic.Int64
	gone := make(chan struct{})
	d := openDoors(t, &fakeOps{output: func(ctx context.Context, _ string, _ int, _ bool) ([]OutputLine, <-chan OutputLine, error) {
		coming := make(chan OutputLine)
		// Ended by the request's context.
		go func() {
			defer close(gone)
			for {
				select {
				case coming <- line:
					taken.Add(1)
				case <-ctx.Done():
					return
				}
			}
		}()
		return nil, coming, nil
	}}, func(s *Server) { s.bounds.write = 100 * time.Millisecond })
	c := d.dial(t, "unix")
	if _, err := io.WriteString(c, "GET /v1/apps/demo/output?follow=1 HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := d.unixClient().Version(context.Background()); err != nil {
		t.Errorf("another client: %v", err)
	}
	receive(t, gone, "the slow reader to be let go")
	if taken.Load() == 0 {
		t.Error("no line was taken at all")
	}
	// What it got is a broken stream, not a short one.
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err == nil {
		t.Error("the stream looks complete")
	}
}

func TestShutdownWaitsForOperationsAndEndsFollowing(t *testing.T) {
	ops, events, begun := heldOps()
	ops.output = func(context.Context, string, int, bool) ([]OutputLine, <-chan OutputLine, error) {
		return nil, make(chan OutputLine), nil
	}
	d := openDoors(t, ops)
	followed, done := make(chan error, 1), make(chan error, 1)
	result := make(chan Event, 1)
	// Both are ended by the Shutdown below.
	go func() {
		followed <- d.unixClient().Output(context.Background(), "demo", 0, true, func(OutputLine) {})
	}()
	go func() {
		done <- d.unixClient().Do(context.Background(), Request{Verb: VerbUpdate}, func(e Event) { result <- e })
	}()
	receive(t, begun, "the operation")
	await(t, "both streams", func() bool { return len(d.server.unix.streams) == 2 })
	shut := make(chan error, 1)
	// Ends with Shutdown.
	go func() { shut <- d.server.Shutdown(context.Background()) }()
	if err := receive(t, followed, "the follower to be let go"); err != nil {
		t.Errorf("follower: %v", err)
	}
	events <- Event{Kind: EventResult, Result: ResultDone}
	close(events)
	if err := receive(t, done, "the operation's client"); err != nil {
		t.Errorf("operation: %v", err)
	}
	if e := receive(t, result, "the result"); e.Result != ResultDone {
		t.Errorf("result %+v", e)
	}
	if err := receive(t, shut, "Shutdown"); err != nil {
		t.Errorf("shutdown: %v", err)
	}
	if _, err := d.unixClient().Version(context.Background()); err == nil {
		t.Error("the door answers after Shutdown")
	}
}

func TestShutdownCutsOffWhatLastsTooLong(t *testing.T) {
	ops, _, begun := heldOps()
	d := openDoors(t, ops)
	done := make(chan error, 1)
	// Ended by the Shutdown below.
	go func() {
		done <- d.unixClient().Do(context.Background(), Request{Verb: VerbUpdate}, func(Event) {})
	}()
	receive(t, begun, "the operation")
	await(t, "the stream", func() bool { return len(d.server.unix.streams) == 1 })
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := d.server.Shutdown(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("shutdown: %v", err)
	}
	err := receive(t, done, "the client")
	if _, lost := errors.AsType[*LostError](err); !lost {
		// Cut off before its header was out, it counts as not reached.
		if _, unreached := errors.AsType[*UnreachableError](err); !unreached {
			t.Errorf("client: %v", err)
		}
	}
}

// TestDoorsOpenAndCloseWhileServing: the TCP address changes, the other door
// stays.
func TestDoorsOpenAndCloseWhileServing(t *testing.T) {
	d := openDoors(t, &fakeOps{})
	listeners, err := ListenTCP("127.0.0.1", 0)
	if err != nil {
		t.Fatal(err)
	}
	l := listeners[0]
	served := make(chan error, 1)
	// Ends when l is closed.
	go func() { served <- d.server.ServeTCP(l, TCPAccess{Host: "localhost", Token: testToken}) }()
	second := NewTCPClient("127.0.0.1", l.Addr().(*net.TCPAddr).Port, testToken)
	if _, err := second.Version(context.Background()); err != nil {
		t.Error(err)
	}
	l.Close()
	if err := receive(t, served, "the door to close"); err != nil {
		t.Errorf("serve: %v", err)
	}
	eachDoor(t, d, func(t *testing.T, c *Client) {
		if _, err := c.Version(context.Background()); err != nil {
			t.Error(err)
		}
	})
	if err := d.server.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
	late, err := ListenTCP("127.0.0.1", 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.server.ServeTCP(late[0], TCPAccess{Host: "localhost", Token: testToken}); err != nil {
		t.Errorf("serve after Shutdown: %v", err)
	}
}
