package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"
)

var testTime = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func wholeStatus() *Status {
	return &Status{
		Version: "1.2.3", PID: 7, Since: testTime,
		Workers: []Worker{{Generation: 1, PID: 8, State: "serving", Since: testTime, Connections: 3, Revision: 9}},
		Apps: []AppStatus{{
			Name: "demo", State: "serving", External: "localhost:8080", Mode: "http", Since: testTime,
			Instances: []InstanceStatus{{Number: 2, State: "serving", Active: true, PID: 9, Internal: "127.0.0.1:10001", Since: testTime, Reason: "boot"}},
			Counters:  &AppCounters{Latency: []uint64{1, 2}, LatencyBounds: []float64{0.1}},
		}},
		Strays: []string{"pid 4711 (sh) of demo"},
	}
}

// eachDoor runs test with a client of either door.
func eachDoor(t *testing.T, d *doors, test func(t *testing.T, c *Client)) {
	t.Run("unix", func(t *testing.T) { test(t, d.unixClient()) })
	t.Run("tcp", func(t *testing.T) { test(t, d.tcpClient()) })
}

func TestStatusComesWhole(t *testing.T) {
	var asked []string
	d := openDoors(t, &fakeOps{status: func(apps []string) (*Status, error) {
		asked = apps
		return wholeStatus(), nil
	}})
	eachDoor(t, d, func(t *testing.T, c *Client) {
		got, err := c.Status(context.Background(), "demo", "a&b=c")
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, wholeStatus()) {
			t.Errorf("got %+v", got)
		}
		if !reflect.DeepEqual(asked, []string{"demo", "a&b=c"}) {
			t.Errorf("asked for %q", asked)
		}
		if _, err := c.Status(context.Background()); err != nil || asked != nil {
			t.Errorf("asked for %q, %v; want all", asked, err)
		}
	})
}

func TestListsAreNeverNull(t *testing.T) {
	given := &Status{Apps: []AppStatus{{Name: "demo", Counters: &AppCounters{}}}}
	d := openDoors(t, &fakeOps{
		status:  func([]string) (*Status, error) { return given, nil },
		sockets: func() ([]Socket, error) { return []Socket{{Address: "x"}}, nil },
		workers: func() ([]Worker, error) { return nil, nil },
	})
	for _, path := range []string{"/v1/status", "/v1/sockets", "/v1/workers"} {
		resp, body := d.ask(t, "unix", "GET "+path+" HTTP/1.1\nHost: x\nConnection: close\n\n")
		if resp.StatusCode != 200 || strings.Contains(body, "null") {
			t.Errorf("%s: %s %s", path, resp.Status, body)
		}
	}
	if given.Workers != nil || given.Apps[0].Instances != nil || given.Apps[0].Counters.Latency != nil {
		t.Error("the status of Operations was written to")
	}
}

func TestSocketsAndVersion(t *testing.T) {
	want := []Socket{{Address: "127.0.0.1:8080", Apps: []string{"demo"}, Source: "bound", Backlog: 4096, Queue: 1}}
	d := openDoors(t, &fakeOps{sockets: func() ([]Socket, error) { return want, nil }})
	eachDoor(t, d, func(t *testing.T, c *Client) {
		got, err := c.Sockets(context.Background())
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("sockets: %+v, %v", got, err)
		}
		v, err := c.Version(context.Background())
		if err != nil || v != (&fakeOps{}).Version() {
			t.Errorf("version: %+v, %v", v, err)
		}
	})
}

func TestWorkers(t *testing.T) {
	want := []Worker{{Generation: 2, PID: 4711, State: "serving", Connections: 6, MovedIn: 5, MovedOut: 1, Revision: 9,
		Apps: []WorkerApp{{Name: "demo", Idle: 1, Waiting: 2, Requests: 3, Tunnels: 4, TCP: 5}}}}
	d := openDoors(t, &fakeOps{workers: func() ([]Worker, error) { return want, nil }})
	eachDoor(t, d, func(t *testing.T, c *Client) {
		if got, err := c.Workers(context.Background()); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("workers: %+v, %v", got, err)
		}
	})
}

func TestOperationIsAskedForAndTold(t *testing.T) {
	want := []Event{
		{Kind: EventStep, App: "demo", Elapsed: time.Millisecond, Message: "instance 8 started, pid 4711", Instance: 8},
		{Kind: EventResult, App: "demo", Elapsed: time.Second, Result: ResultFailed, Error: "exited with 1", Output: []string{"a\x1b[0m", "b"}},
	}
	var asked Request
	d := openDoors(t, &fakeOps{start: func(_ context.Context, req Request) (*Operation, error) {
		asked = req
		return operation(want...), nil
	}})
	eachDoor(t, d, func(t *testing.T, c *Client) {
		var got []Event
		err := c.Do(context.Background(), Request{Verb: VerbKill, Apps: []string{"demo", "web", "demo"}, Signal: 1},
			func(e Event) { got = append(got, e) })
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, %v", got, err)
		}
		caller := asked.Caller
		asked.Caller = ""
		if !reflect.DeepEqual(asked, Request{Verb: VerbKill, Apps: []string{"demo", "web"}, Signal: 1}) {
			t.Errorf("asked for %+v", asked)
		}
		if t.Name() == "TestOperationIsAskedForAndTold/unix" {
			if want := fmt.Sprintf("uid %d, pid %d", os.Geteuid(), os.Getpid()); caller != want {
				t.Errorf("caller %q, want %q", caller, want)
			}
		} else if !strings.HasPrefix(caller, "127.0.0.1:") {
			t.Errorf("caller %q", caller)
		}
	})
}

func TestOperationThatIsNotWaitedFor(t *testing.T) {
	held := make(chan Event)
	defer close(held)
	d := openDoors(t, &fakeOps{start: func(context.Context, Request) (*Operation, error) {
		return &Operation{Events: held}, nil
	}})
	if err := d.unixClient().Begin(context.Background(), Request{Verb: VerbUpdate}); err != nil {
		t.Fatal(err)
	}
	resp, body := d.ask(t, "unix", post(`{"verb":"update","wait":false}`))
	var got Accepted
	if err := json.Unmarshal([]byte(body), &got); err != nil || !got.Accepted || resp.StatusCode != 202 {
		t.Errorf("%s %s", resp.Status, body)
	}
}

func TestOutput(t *testing.T) {
	past := []OutputLine{{Time: testTime, Instance: 3, Stream: "stderr", Text: "one"}, {Time: testTime, Stream: "stdout", Text: "two"}}
	coming := make(chan OutputLine, 1)
	coming <- OutputLine{Time: testTime, Stream: "stdout", Text: "three"}
	close(coming)
	type question struct {
		app    string
		n      int
		follow bool
	}
	var asked question
	d := openDoors(t, &fakeOps{output: func(_ context.Context, app string, n int, follow bool) ([]OutputLine, <-chan OutputLine, error) {
		asked = question{app, n, follow}
		return past, coming, nil
	}})
	read := func(follow bool) (lines []OutputLine) {
		err := d.unixClient().Output(context.Background(), "de..mo", 7, follow, func(l OutputLine) { lines = append(lines, l) })
		if err != nil {
			t.Fatal(err)
		}
		return lines
	}
	if got := read(false); !reflect.DeepEqual(got, past) {
		t.Errorf("got %+v", got)
	}
	if got := read(true); len(got) != 3 || got[2].Text != "three" {
		t.Errorf("got %+v", got)
	}
	if asked != (question{"de..mo", 7, true}) {
		t.Errorf("asked %+v", asked)
	}
	d.ask(t, "unix", "GET /v1/apps/demo/output HTTP/1.1\nHost: x\nConnection: close\n\n")
	if asked != (question{"demo", 50, false}) {
		t.Errorf("asked %+v", asked)
	}
}

func TestCodesOfOperationsBecomeStatuses(t *testing.T) {
	for _, c := range []struct {
		err    error
		status int
		code   Code
	}{
		{&Error{Code: CodeNoSuchApp, Message: "no"}, 404, CodeNoSuchApp},
		{&Error{Code: CodeConfigInvalid, Message: "no", Details: []string{"a:1:2: b"}}, 422, CodeConfigInvalid},
		{&Error{Code: CodeBadRequest, Message: "no"}, 400, CodeBadRequest},
		{&Error{Code: CodeNotPermitted, Message: "no"}, 403, CodeNotPermitted},
		{&Error{Code: CodeStopping, Message: "no"}, 503, CodeStopping},
		{&Error{Code: CodeUnsupported, Message: "no"}, 501, CodeUnsupported},
		{&Error{Code: CodeInternal, Message: "no"}, 500, CodeInternal},
		{&Error{Code: "of-tomorrow", Message: "no"}, 500, "of-tomorrow"},
		{fmt.Errorf("wrapped: %w", &Error{Code: CodeNoSuchApp, Message: "no"}), 404, CodeNoSuchApp},
		{errors.New("no"), 500, CodeInternal},
		// Not that of the request's context.
		{context.Canceled, 500, CodeInternal},
	} {
		t.Run(fmt.Sprint(c.code, c.status), func(t *testing.T) {
			d := openDoors(t, &fakeOps{
				status: func([]string) (*Status, error) { return nil, c.err },
				start:  func(context.Context, Request) (*Operation, error) { return nil, c.err },
				output: func(context.Context, string, int, bool) ([]OutputLine, <-chan OutputLine, error) {
					return nil, nil, c.err
				},
				sockets: func() ([]Socket, error) { return nil, c.err },
			})
			for _, raw := range []string{
				"GET /v1/status HTTP/1.1\nHost: x\n\n", "GET /v1/sockets HTTP/1.1\nHost: x\n\n",
				"GET /v1/apps/demo/output HTTP/1.1\nHost: x\n\n", post(`{"verb":"update"}`), post(`{"verb":"update","wait":false}`),
			} {
				resp, body := d.ask(t, "unix", raw)
				var got errorBody
				if err := json.Unmarshal([]byte(body), &got); err != nil || got.Error == nil {
					t.Fatalf("%s answered %q", raw, body)
				}
				if resp.StatusCode != c.status || got.Error.Code != c.code || got.Error.Message == "" {
					t.Errorf("%q: %s %s", raw, resp.Status, body)
				}
				if c.status == 422 && !reflect.DeepEqual(got.Error.Details, []string{"a:1:2: b"}) {
					t.Errorf("details %q", got.Error.Details)
				}
			}
			err := d.tcpClient().Do(context.Background(), Request{Verb: VerbUpdate}, func(Event) {})
			if e, ok := errors.AsType[*Error](err); !ok || e.Code != c.code {
				t.Errorf("client: %#v", err)
			}
		})
	}
}

// post is a raw request for an operation, for the Unix door.
func post(body string) string {
	return fmt.Sprintf("POST /v1/operations HTTP/1.1\nHost: x\nContent-Type: application/json\nContent-Length: %d\n\n%s", len(body), body)
}
