package bus

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"gracevisor/internal/control"
)

// testClient is a client of the bus until the test ends.
func testClient(t *testing.T) *Client {
	t.Helper()
	c, err := NewClient(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func ownerChanged(owner string) *dbus.Signal {
	return &dbus.Signal{Sender: busName, Name: busName + ".NameOwnerChanged", Body: []any{Name, ":1.9", owner}}
}

func jobRemoved(id uint32, app string) *dbus.Signal {
	return &dbus.Signal{Name: managerInterface + ".JobRemoved", Body: []any{id, jobPath(id), app, "done"}}
}

// TestClientWaitsForTheOtherJob when of two jobs one has ended while the daemon
// was away: once that is told there is nothing to be impatient for.
func TestClientWaitsForTheOtherJob(t *testing.T) {
	newBus(t, openPolicy)
	ops := &fakeOps{jobs: []control.Job{{ID: 2, App: "web"}}}
	open(t, ops)
	var results []control.Result
	w := newWaiting(testClient(t), time.Now(), map[dbus.ObjectPath]string{jobPath(1): "demo-1", jobPath(2): "web"},
		func(e control.Event) { results = append(results, e.Result) })
	for _, s := range []*dbus.Signal{ownerChanged(""), ownerChanged(":1.10")} {
		if err := w.take(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	if !w.owed[jobPath(1)] || len(w.owed) != 1 {
		t.Errorf("owed: %v", w.owed)
	}
	if err := w.take(t.Context(), jobRemoved(1, "demo-1")); err != nil {
		t.Fatal(err)
	}
	if w.patience.Stop() {
		t.Error("the patience for a job that goes on is limited")
	}
	if len(results) != 1 || len(w.jobs) != 1 {
		t.Errorf("results: %v, left: %v", results, w.jobs)
	}
}

// TestClientIsNotTold how a job has ended: it waits for the others, and then says
// so.
func TestClientIsNotTold(t *testing.T) {
	newBus(t, openPolicy)
	c := testClient(t)
	told := 0
	w := newWaiting(c, time.Now(), map[dbus.ObjectPath]string{jobPath(1): "demo-1", jobPath(2): "web"},
		func(control.Event) { told++ })
	w.owed[jobPath(1)] = true
	w.giveUpOwed()
	// Ends when the signal is taken, or with the client.
	go func() {
		select {
		case c.signals <- jobRemoved(2, "web"):
		case <-t.Context().Done():
		}
	}()
	err := w.run(t.Context())
	if !errors.Is(err, errUntold) || told != 1 {
		t.Errorf("%v; %d results", err, told)
	}
}

// dying is a daemon that crashes when it is called.
type dying struct {
	conn *dbus.Conn
	once sync.Once
	// ready is closed when conn may be used.
	ready chan struct{}
	died  chan struct{}
}

// openDying has a dying daemon take the name.
func openDying(t *testing.T) *dying {
	t.Helper()
	d := &dying{ready: make(chan struct{}), died: make(chan struct{})}
	conn, err := connect(t.Context(), dbus.WithHandler(d))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	d.conn = conn
	close(d.ready)
	await(t, "the name", func() bool {
		reply, err := conn.RequestName(Name, dbus.NameFlagDoNotQueue)
		if err != nil {
			t.Fatal(err)
		}
		return reply == dbus.RequestNameReplyPrimaryOwner
	})
	return d
}

// LookupObject implements dbus.Handler. It never answers.
func (d *dying) LookupObject(dbus.ObjectPath) (dbus.ServerObject, bool) {
	<-d.ready
	d.once.Do(func() {
		_ = d.conn.Close()
		close(d.died)
	})
	return nil, false
}

// TestClientBearsASecondCrash in the moment in which the daemon is back.
func TestClientBearsASecondCrash(t *testing.T) {
	newBus(t, openPolicy)
	ops := new(fakeOps)
	first := open(t, ops)
	waiter, monitor := testClient(t), testClient(t)
	done, watched, heard := make(chan error, 1), make(chan error, 1), make(chan control.Notice, 100)
	ctx, cancel := context.WithCancel(t.Context())
	// Both end with the operation, or ctx.
	go func() {
		done <- waiter.Do(ctx, control.Request{Verb: control.VerbRestart, Apps: []string{"demo-1"}}, func(control.Event) {})
	}()
	go func() { watched <- monitor.Monitor(ctx, func(n control.Notice) { heard <- n }) }()
	defer cancel()
	await(t, "the job, and both subscribers", func() bool { return len(ops.asked()) == 1 && first.subscribed(t) == 2 })
	first.stop()
	for range 2 { // each of them may be the one who is told first
		<-openDying(t).died
	}
	second := run(t, ops, t.TempDir()) // which does not know who has subscribed
	await(t, "both to subscribe again", func() bool { return second.subscribed(t) == 2 })
	ops.finish(1, control.ResultDone)
	if err := <-done; err != nil {
		t.Errorf("the one who waits: %v", err)
	}
	for n := range heard {
		if n.Kind == control.NoticeJobRemoved {
			break
		}
	}
	select {
	case err := <-watched:
		t.Errorf("the monitor has ended: %v", err)
	default:
	}
}
