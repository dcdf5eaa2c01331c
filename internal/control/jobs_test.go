package control

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

func TestJobsOverTheSocket(t *testing.T) {
	var called []string
	ops := &fakeOps{
		jobs: func() ([]Job, error) { return []Job{{ID: 7, Verb: VerbRestart, App: "demo", State: JobRunning}}, nil },
		cancel: func(id uint32, caller string) error {
			called = append(called, fmt.Sprint(id, " ", caller))
			if id != 7 {
				return &Error{Code: CodeNoSuchJob, Message: "no job has the number"}
			}
			return nil
		},
	}
	client := openDoors(t, ops).unixClient()
	list, err := client.Jobs(t.Context())
	if err != nil || len(list) != 1 || list[0].ID != 7 || list[0].App != "demo" {
		t.Errorf("%+v: %v", list, err)
	}
	if err := client.CancelJob(t.Context(), 7); err != nil {
		t.Error(err)
	}
	e, ok := errors.AsType[*Error](client.CancelJob(t.Context(), 8))
	if !ok || e.Code != CodeNoSuchJob {
		t.Errorf("%v", e)
	}
	if len(called) != 2 || !strings.HasPrefix(called[0], "7 uid ") {
		t.Errorf("%q", called)
	}
}

func TestCancelRefusesWhatIsNoNumber(t *testing.T) {
	d := openDoors(t, &fakeOps{})
	for _, id := range []string{"x", "-1", "4294967296"} {
		_, err := d.unixClient().send(t.Context(), http.MethodPost, "/v1/jobs/"+id+"/cancel", struct{}{})
		if e, ok := errors.AsType[*Error](err); !ok || e.Code != CodeBadRequest {
			t.Errorf("%s: %v", id, err)
		}
	}
}

func TestMonitorHearsWhatHappens(t *testing.T) {
	ops := &fakeOps{}
	client := openDoors(t, ops).unixClient()
	heard := make(chan Notice, 10)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	// Ends with ctx.
	go func() { ended <- client.Monitor(ctx, func(n Notice) { heard <- n }) }()
	await(t, "a watcher", ops.feed.Watched)
	ops.feed.Tell(Notice{Kind: NoticeAppNew, App: "demo"})
	if n := receive(t, heard, "a notice"); n.Kind != NoticeAppNew || n.App != "demo" {
		t.Errorf("%+v", n)
	}
	cancel()
	if err := receive(t, ended, "the end"); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	await(t, "the watch to be closed", func() bool { return !ops.feed.Watched() })
}

// TestSlowMonitorIsCutOff: it must not take what it got for all there was.
func TestSlowMonitorIsCutOff(t *testing.T) {
	ops := &fakeOps{}
	client := openDoors(t, ops).unixClient()
	flood := func() {
		for i := range 50 * maxNotices {
			ops.feed.Tell(Notice{Kind: NoticeJobNew, Job: &Job{ID: uint32(i), App: strings.Repeat("x", 100)}})
		}
	}
	ended := make(chan error, 1)
	first := make(chan struct{})
	// Ends when it is cut off.
	go func() {
		ended <- client.Monitor(t.Context(), func(n Notice) {
			if n.Job.ID == 0 {
				<-first
			}
		})
	}()
	await(t, "a watcher", ops.feed.Watched)
	flood()
	close(first)
	if _, ok := errors.AsType[*LostError](receive(t, ended, "the end")); !ok {
		t.Error("it was told that nothing more has happened")
	}
}

func TestWatchKeepsTheNewestOfChanges(t *testing.T) {
	var feed Feed
	if feed.Watched() {
		t.Error("nobody watches")
	}
	w := feed.Watch()
	for i := range 10 * maxNotices {
		feed.Tell(Notice{Kind: NoticeAppChanged, App: "demo", State: &AppStatus{InFlight: i}})
	}
	feed.Tell(Notice{Kind: NoticeAppChanged, App: "other"})
	got, err := w.Next(t.Context())
	if err != nil || len(got) != 2 || got[0].State.InFlight != 10*maxNotices-1 {
		t.Errorf("%d notices: %v", len(got), err)
	}
	w.Close()
	if _, err := w.Next(t.Context()); !errors.Is(err, ErrWatchEnded) || feed.Watched() {
		t.Error(err)
	}
}

// TestWatchIsBounded: who does not read costs no more than maxNotices.
func TestWatchIsBounded(t *testing.T) {
	var feed Feed
	w := feed.Watch()
	defer w.Close()
	for range maxNotices + 1 {
		feed.Tell(Notice{Kind: NoticeJobNew, Job: &Job{}})
	}
	if len(w.waiting) != 0 {
		t.Errorf("%d notices wait", len(w.waiting))
	}
	if _, err := w.Next(t.Context()); !errors.Is(err, ErrTooSlow) {
		t.Error(err)
	}
}
