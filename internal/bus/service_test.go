package bus

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"gracevisor/internal/control"
)

// listener is a client that has subscribed.
type listener struct {
	conn    *dbus.Conn
	signals chan *dbus.Signal
}

// listen listens to all that the daemon says.
func listen(t *testing.T) *listener {
	t.Helper()
	l := &listener{conn: client(t), signals: make(chan *dbus.Signal, 10_000)}
	l.conn.Signal(l.signals)
	if err := l.conn.AddMatchSignal(dbus.WithMatchPathNamespace(root)); err != nil {
		t.Fatal(err)
	}
	return l
}

// next is the next signal.
func (l *listener) next(t *testing.T) *dbus.Signal {
	t.Helper()
	for {
		select {
		case s := <-l.signals:
			if strings.HasPrefix(string(s.Path), string(root)) {
				return s
			}
		case <-time.After(deadMan):
			t.Fatal("no signal comes")
		}
	}
}

func (l *listener) hears(t *testing.T, name string) *dbus.Signal {
	t.Helper()
	for {
		if s := l.next(t); s.Name == name {
			return s
		}
	}
}

func (f *fakeOps) tell(n control.Notice) { f.feed.Tell(n) }

func TestSignals(t *testing.T) {
	newBus(t, openPolicy)
	d := open(t, new(fakeOps))
	l := listen(t)
	d.tell(control.Notice{Kind: control.NoticeAppNew, App: "unheard"}) // nobody is subscribed
	d.service.Flush(t.Context())
	succeeds(t, l.conn, nil, root, managerInterface+".Subscribe")
	job := &control.Job{ID: 7, Verb: control.VerbRestart, App: "demo-1", State: control.JobRunning}
	apps := sampleApps()
	yes := true
	d.tell(control.Notice{Kind: control.NoticeJobNew, Job: job})
	d.tell(control.Notice{Kind: control.NoticeJobRemoved, Job: job, Result: control.ResultTimeout})
	d.tell(control.Notice{Kind: control.NoticeAppNew, App: "demo-1", State: &apps[0]})
	d.tell(control.Notice{Kind: control.NoticeAppChanged, App: "demo-1", State: &apps[0]})
	d.tell(control.Notice{Kind: control.NoticeReloading, Reloading: &yes})
	d.tell(control.Notice{Kind: control.NoticeDaemonChanged, Daemon: &control.DaemonState{Apps: 9}})
	d.tell(control.Notice{Kind: control.NoticeAppRemoved, App: "demo-1"})
	for _, want := range []struct{ name, signature string }{
		{managerInterface + ".JobNew", "uos"}, {objectManager + ".InterfacesAdded", "oa{sa{sv}}"},
		{managerInterface + ".JobRemoved", "uoss"}, {objectManager + ".InterfacesRemoved", "oas"},
		{managerInterface + ".AppNew", "so"}, {objectManager + ".InterfacesAdded", "oa{sa{sv}}"},
		{propertiesChange, "sa{sv}as"}, {managerInterface + ".Reloading", "b"}, {propertiesChange, "sa{sv}as"},
		{managerInterface + ".AppRemoved", "so"}, {objectManager + ".InterfacesRemoved", "oas"},
	} {
		s := l.next(t)
		if got := dbus.SignatureOf(s.Body...).String(); s.Name != want.name || got != want.signature {
			t.Fatalf("%s (%s) %v, want %s (%s)", s.Name, got, s.Body, want.name, want.signature)
		}
		if n, ok := noticeOf(s); strings.HasPrefix(s.Name, managerInterface) && (!ok || n.Kind == "") {
			t.Errorf("the client makes %+v of %s", n, s.Name)
		}
		if s.Name == propertiesChange && s.Path == AppPath("demo-1") {
			changed := s.Body[1].(map[string]dbus.Variant)
			if changed["ActiveState"].Value() != "active" || changed["InFlight"].Value() != nil || changed["Command"].Value() != nil {
				t.Errorf("changed: %v", changed)
			}
		}
	}
	succeeds(t, l.conn, nil, root, managerInterface+".Unsubscribe")
	d.tell(control.Notice{Kind: control.NoticeAppNew, App: "unheard"})
	d.service.Flush(t.Context())
	succeeds(t, l.conn, nil, root, managerInterface+".Subscribe")
	d.tell(control.Notice{Kind: control.NoticeAppNew, App: "heard"})
	if s := l.next(t); s.Body[0] != "heard" {
		t.Errorf("%v", s.Body)
	}
}

// TestSubscribersAreRemembered by the daemon that comes next, but not who has
// left.
func TestSubscribersAreRemembered(t *testing.T) {
	newBus(t, openPolicy)
	first := open(t, new(fakeOps))
	l, leaver := listen(t), listen(t)
	succeeds(t, l.conn, nil, root, managerInterface+".Subscribe")
	succeeds(t, leaver.conn, nil, root, managerInterface+".Subscribe")
	gone := leaver.conn.Names()[0]
	first.tell(control.Notice{Kind: control.NoticeAppNew, App: "last words"})
	first.stop()
	if s := l.next(t); s.Body[0] != "last words" {
		t.Errorf("%v", s.Body)
	}
	leaver.conn.Close()

	ops := new(fakeOps)
	second := run(t, ops, first.dir)
	ops.tell(control.Notice{Kind: control.NoticeAppNew, App: "before the name is there"})
	second.awaitName(t)
	if s := l.next(t); s.Body[0] != "before the name is there" {
		t.Errorf("%v", s.Body)
	}
	await(t, "the one who left to be forgotten", func() bool {
		kept, err := os.ReadFile(filepath.Join(first.dir, "bus-subscribers.json"))
		return err == nil && !strings.Contains(string(kept), `"`+gone+`"`) && strings.Contains(string(kept), l.conn.Names()[0])
	})
}

// TestFlush: who has called gets an answer before the daemon is replaced.
func TestFlush(t *testing.T) {
	newBus(t, openPolicy)
	hold := make(chan struct{})
	d := open(t, &fakeOps{hold: hold})
	c := client(t)
	answers := make(chan error, 3)
	// Each ends with its answer.
	for range 2 {
		go func() { answers <- c.Object(Name, root).Call(managerInterface+".ListApps", 0).Err }()
	}
	go func() {
		err := c.Object(Name, AppPath("none")).Call(appInterface+".Restart", dbus.FlagNoReplyExpected).Err
		if err == nil { // which it would not be if it were answered
			err = c.Object(Name, root).Call(managerInterface+".GetApp", 0, "none").Err
		}
		answers <- err
	}()
	waiting := func() int {
		d.service.load.mu.Lock()
		defer d.service.load.mu.Unlock()
		return d.service.load.total
	}
	await(t, "the calls", func() bool { return waiting() == 3 && len(d.asked()) == 1 })
	stopped := make(chan struct{})
	// Ends with the answers.
	go func() {
		defer close(stopped)
		d.stop()
	}()
	await(t, "the flush to wait for them", func() bool {
		d.service.load.mu.Lock()
		defer d.service.load.mu.Unlock()
		return len(d.service.load.idle) == 1
	})
	close(hold)
	<-stopped
	refused := 0
	for range 3 {
		err := <-answers
		if e, ok := errors.AsType[dbus.Error](err); ok && e.Name == errorPrefix+"NoSuchApp" {
			refused++
		} else if err != nil {
			t.Error(err)
		}
	}
	if refused != 1 {
		t.Errorf("%d calls were refused", refused)
	}
	// Nobody waits for longer than there is time.
	leave, _ := d.service.load.enter(":1.1", 1, 1)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	d.service.Flush(ended)
	leave()
	d.service.Flush(t.Context())
}

// TestBusComesBack: the name is there again, again and again.
func TestBusComesBack(t *testing.T) {
	b := newBus(t, openPolicy)
	d := open(t, new(fakeOps))
	for n := range 3 {
		b.kill()
		b.start()
		await(t, "the name", func() bool { return strings.Count(d.log.String(), "on the system bus") == n+2 })
		l := listen(t)
		succeeds(t, l.conn, nil, root, managerInterface+".Subscribe")
		d.tell(control.Notice{Kind: control.NoticeAppNew, App: "demo"})
		l.hears(t, managerInterface+".AppNew")
	}
	if said := d.log.String(); strings.Count(said, "lost the system bus") != 3 {
		t.Errorf("log:\n%s", said)
	}
}

// TestBusThatHangs holds up nobody, and costs bounded memory.
func TestBusThatHangs(t *testing.T) {
	b := newBus(t, openPolicy)
	d := open(t, new(fakeOps))
	l := listen(t)
	succeeds(t, l.conn, nil, root, managerInterface+".Subscribe")
	b.signal(syscall.SIGSTOP)
	for n := range 200_000 { // which would be some 100 MB
		d.tell(control.Notice{Kind: control.NoticeJobNew, Job: &control.Job{ID: uint32(n), App: strings.Repeat("x", 200)}})
	}
	b.signal(syscall.SIGCONT)
	await(t, "the door to look again", func() bool { return strings.Count(d.log.String(), "on the system bus") == 2 })
	if said := d.log.String(); !strings.Contains(said, control.ErrTooSlow.Error()) {
		t.Errorf("log:\n%s", said)
	}
	succeeds(t, l.conn, nil, root, managerInterface+".Subscribe")
	d.tell(control.Notice{Kind: control.NoticeAppNew, App: "demo"})
	l.hears(t, managerInterface+".AppNew")
}

// TestWithoutABus, or without the right to the name, there is one line in the
// log.
func TestWithoutABus(t *testing.T) {
	b := newBus(t, closedPolicy)
	d := run(t, new(fakeOps), t.TempDir())
	await(t, "the refusal", func() bool { return strings.Contains(d.log.String(), errRefused.Error()) })
	b.kill()
	other := run(t, new(fakeOps), t.TempDir())
	await(t, "the absence", func() bool { return strings.Contains(other.log.String(), errNoBus.Error()) })
	time.Sleep(10 * firstPause) // in which it is looked for some more times
	if said := other.log.String(); strings.Count(said, "\n") != 1 || !strings.Contains(said, "level=INFO") {
		t.Errorf("log:\n%s", said)
	}
}

// TestNameIsTaken: of two daemons on a machine one has it.
func TestNameIsTaken(t *testing.T) {
	newBus(t, openPolicy)
	first := open(t, new(fakeOps))
	second := run(t, new(fakeOps), t.TempDir())
	await(t, "the refusal", func() bool { return strings.Contains(second.log.String(), errTaken.Error()) })
	first.stop()
	second.awaitName(t)
}

// TestClientWaitsForItsJob, also when the daemon is replaced meanwhile.
func TestClientWaitsForItsJob(t *testing.T) {
	newBus(t, openPolicy)
	ops := new(fakeOps)
	d := open(t, ops)
	c, err := NewClient(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	events, done := make(chan control.Event, 10), make(chan error, 1)
	// Ends with the operation.
	go func() {
		done <- c.Do(t.Context(), control.Request{Verb: control.VerbRestart, Apps: []string{"demo-1", "web"}}, func(e control.Event) { events <- e })
	}()
	await(t, "both jobs", func() bool { return len(ops.asked()) == 2 })
	for range 2 {
		<-events // the steps
	}
	ops.finish(1, control.ResultDone)
	if e := <-events; e.App != "demo-1" || e.Result != control.ResultDone {
		t.Errorf("%+v", e)
	}
	d.stop()
	second := run(t, ops, d.dir)
	second.awaitName(t)
	ops.finish(2, control.ResultFailed)
	if e := <-events; e.App != "web" || e.Result != control.ResultFailed || e.Error != "exit status 1" {
		t.Errorf("%+v", e)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestClientTellsTheStatus(t *testing.T) {
	newBus(t, openPolicy)
	d := open(t, new(fakeOps))
	c, err := NewClient(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	status, err := c.Status(t.Context(), "demo-1")
	if err != nil || len(status.Apps) != 1 || status.Version != "1.2.3" || status.PID != os.Getpid() {
		t.Fatalf("%+v: %v", status, err)
	}
	a, want := status.Apps[0], sampleApps()[0]
	if a.State != want.State || a.External != want.External || a.Requests != want.Requests || !a.Since.Equal(want.Since) ||
		a.Instances[0].PID != 4711 || !a.Instances[0].Active || a.Instances[0].Internal != "127.0.0.1:10007" {
		t.Errorf("%+v", a)
	}
	_, err = c.Status(t.Context(), "none")
	if e, ok := errors.AsType[*control.Error](err); !ok || e.Code != control.CodeNoSuchApp {
		t.Error(err)
	}
	// What the bus does not have must not become something else.
	for _, req := range []control.Request{{Verb: control.VerbReexec, Check: true}, {Verb: control.VerbRestart, Apps: []string{"web"}, Drained: true}} {
		if e, ok := errors.AsType[*control.Error](c.Begin(t.Context(), req)); !ok || e.Code != control.CodeNotPermitted {
			t.Errorf("%+v: %v", req, e)
		}
	}
	if asked := d.asked(); len(asked) != 0 {
		t.Errorf("begun: %+v", asked)
	}
	_, err = c.Sockets(t.Context())
	if e, ok := errors.AsType[*control.Error](err); !ok || e.Code != control.CodeNotPermitted {
		t.Error(err)
	}
}

func TestClientMonitors(t *testing.T) {
	newBus(t, openPolicy)
	d := open(t, new(fakeOps))
	c, err := NewClient(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ctx, cancel := context.WithCancel(t.Context())
	heard, done := make(chan control.Notice, 10), make(chan error, 1)
	// Ends with ctx.
	go func() { done <- c.Monitor(ctx, func(n control.Notice) { heard <- n }) }()
	await(t, "a subscriber", func() bool {
		kept, err := os.ReadFile(filepath.Join(d.dir, "bus-subscribers.json"))
		return err == nil && strings.Contains(string(kept), c.conn.Names()[0])
	})
	apps := sampleApps()
	d.tell(control.Notice{Kind: control.NoticeAppChanged, App: "demo-1", State: &apps[0]})
	if n := <-heard; n.Kind != control.NoticeAppChanged || n.App != "demo-1" || n.State.State != "serving" {
		t.Errorf("%+v", n)
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestClientWithoutADaemon(t *testing.T) {
	b := newBus(t, openPolicy)
	c, err := NewClient(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, err = c.Jobs(t.Context())
	if _, ok := errors.AsType[*control.UnreachableError](err); !ok {
		t.Error(err)
	}
	b.kill()
	_, err = NewClient(t.Context())
	if _, ok := errors.AsType[*control.UnreachableError](err); !ok {
		t.Error(err)
	}
}
