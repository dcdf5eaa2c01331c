package supervisor

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gracevisor/internal/activation"
	"gracevisor/internal/config"
	"gracevisor/internal/control"
	"gracevisor/internal/wire"
)

// patience is how long, on the clock of the bubble, a test waits for what must
// come.
const patience = time.Hour

// rig is a supervisor on a scripted System. It keeps a journal of all that
// happens, in order.
type rig struct {
	t *testing.T
	s *Supervisor
	// life is that of s, lives those before it (takeover_rig_test.go).
	life      *life
	lives     []*life
	meanwhile func()
	build     string // of the supervisors from now on

	// mu is the innermost lock: workers and processes are not asked under it.
	mu         sync.Mutex
	journal    []string
	faults     []string
	next       map[string][]behaviour // of the next starts of an app
	usual      map[string]behaviour   // of all others
	processes  map[string]*fakeProcess
	pids       int
	workers    []*fakeWorker
	noWorkers  error
	dumb       uint64 // a generation that never says that it is ready
	oldWorkers uint64 // generations up to this one do not know how to move
	tables     map[[2]uint64]*wire.Table
	sockets    []*activation.Listener
	taken      map[string]bool // addresses that somebody else has
	binding    time.Duration   // how long it takes to bind
	lookupErr  error
	hosts      map[string]string      // the addresses of external hosts that are names
	mute       bool                   // whoever knows hosts does not answer
	kept       []*activation.Listener // that have outlived a supervisor
	accessLogs []*os.File
	forgotten  []string
	cutOff     map[string]bool // apps whose instances may be stopped with requests
	random     func() behaviour
	over       bool // end was called
}

// run makes a rig in a bubble, has a supervisor run the plan, calls test and
// stops the supervisor.
func run(t *testing.T, plan *config.Plan, test func(*rig)) {
	t.Helper()
	runWith(t, plan, func(*rig) {}, test)
}

// runWith is run with something to be done before the supervisor starts.
func runWith(t *testing.T, plan *config.Plan, prepare, test func(*rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := &rig{
			t:         t,
			next:      make(map[string][]behaviour),
			usual:     make(map[string]behaviour),
			processes: make(map[string]*fakeProcess),
			tables:    make(map[[2]uint64]*wire.Table),
			taken:     make(map[string]bool),
			cutOff:    make(map[string]bool),
			hosts:     make(map[string]string),
		}
		prepare(r)
		r.begin(Options{Plan: plan})
		defer r.end()
		test(r)
	})
}

// end stops the supervisor, and checks that it leaves nothing behind.
func (r *rig) end() {
	r.t.Helper()
	if r.over {
		return
	}
	r.over = true
	r.s.Stop()
	if r.t.Failed() {
		r.s.Stop() // now
		<-r.s.Ended()
		r.bury()
		return
	}
	select {
	case <-r.s.Ended():
	case <-time.After(patience):
		r.t.Errorf("the supervisor does not end:\n%s", r.tale())
		r.s.Stop()
		<-r.s.Ended()
	}
	r.bury()
	for _, p := range r.all() {
		if !p.isGone() {
			r.fault("%s is left", p.name)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, l := range r.sockets {
		if _, err := l.File.Stat(); err == nil {
			r.faults = append(r.faults, "listener "+l.Name()+" is left open")
		}
	}
	for _, f := range r.accessLogs {
		if _, err := f.Stat(); err == nil {
			r.faults = append(r.faults, "an access log is left open")
		}
	}
	if r.life.outputs != 0 {
		r.faults = append(r.faults, fmt.Sprintf("%d outputs are left open", r.life.outputs))
	}
	for _, fault := range r.faults {
		r.t.Error(fault)
	}
	if len(r.faults) > 0 {
		r.t.Logf("the journal:\n%s", strings.Join(r.journal, "\n"))
	}
}

// note writes into the journal.
func (r *rig) note(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.journal = append(r.journal, fmt.Sprintf(format, args...))
}

// fault is something that must not happen.
func (r *rig) fault(format string, args ...any) {
	r.note("FAULT "+format, args...)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.faults = append(r.faults, fmt.Sprintf(format, args...))
}

// tale is the end of the journal as text.
func (r *rig) tale() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.journal[max(0, len(r.journal)-400):], "\n")
}

// settle waits until all that can happen without time passing has happened.
func (r *rig) settle() { synctest.Wait() }

// pass lets time pass.
func (r *rig) pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// await waits until a condition holds, looking whenever something happens.
func (r *rig) await(what string, condition func() bool) {
	r.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		synctest.Wait()
		if condition() {
			return
		}
		if time.Now().After(deadline) {
			r.t.Fatalf("%s: never came\n%s", what, r.tale())
		}
	}
}

// inOrder fails unless the journal has entries that begin so, in this order.
func (r *rig) inOrder(entries ...string) {
	r.t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	at := 0
	for _, entry := range entries {
		n := slices.IndexFunc(r.journal[at:], func(line string) bool { return strings.HasPrefix(line, entry) })
		if n < 0 {
			r.t.Fatalf("no %q after line %d of\n%s", entry, at, strings.Join(r.journal, "\n"))
		}
		at += n + 1
	}
}

// count is how many entries of the journal begin so.
func (r *rig) count(entry string) (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, line := range r.journal {
		if strings.HasPrefix(line, entry) {
			n++
		}
	}
	return n
}

// forget empties the journal.
func (r *rig) forget() {
	r.settle()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.journal = nil
}

// look has the supervisor's own goroutine look at its state.
func (r *rig) look(f func(*Supervisor)) {
	r.t.Helper()
	done := make(chan struct{})
	r.s.post(inspection{f, done})
	select {
	case <-done:
	case <-time.After(patience):
		r.t.Fatal("the supervisor hangs")
	}
}

// inspection is a message of the tests.
type inspection struct {
	look func(*Supervisor)
	done chan struct{}
}

func (m inspection) deliver(s *Supervisor) {
	m.look(s)
	close(m.done)
}

// journalHandler takes the log into the journal. A step that the table of the
// life cycle does not have is a fault.
type journalHandler struct {
	rig  *rig
	life *life
}

func (journalHandler) Enabled(context.Context, slog.Level) bool { return true }
func (h journalHandler) WithAttrs([]slog.Attr) slog.Handler     { return h }
func (h journalHandler) WithGroup(string) slog.Handler          { return h }

func (h journalHandler) Handle(_ context.Context, record slog.Record) error {
	if h.life.isOver() {
		return nil
	}
	text := "log " + record.Level.String() + " " + record.Message
	record.Attrs(func(a slog.Attr) bool {
		text += " " + a.String()
		return true
	})
	if record.Message == "cannot step instance" {
		h.rig.fault("%s", text)
		return nil
	}
	h.rig.note("%s", text)
	return nil
}

// status is that of an app.
func (r *rig) status(app string) control.AppStatus {
	r.t.Helper()
	status, err := r.s.Status(context.Background(), []string{app})
	if err != nil {
		r.t.Fatal(err)
	}
	return status.Apps[0]
}

// reaches waits until an app is in a state.
func (r *rig) reaches(app, state string) {
	r.t.Helper()
	r.await(app+" "+state, func() bool { return r.status(app).State == state })
}

// alone waits until an app serves and has one instance, and returns its number.
func (r *rig) alone(app string) uint64 {
	r.t.Helper()
	var number uint64
	r.await(app+" serving alone", func() bool {
		status := r.status(app)
		if status.State != "serving" || len(status.Instances) != 1 {
			return false
		}
		number = status.Instances[0].Number
		return true
	})
	return number
}
