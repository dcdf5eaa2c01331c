package supervisor

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"slices"
	"syscall"

	"gracevisor/internal/activation"
	"gracevisor/internal/config"
	"gracevisor/internal/control"
)

// errOver is what becomes of all that a supervisor does after its end.
var errOver = errors.New("the supervisor is no more")

// life is the time from which to which a supervisor lives. What it does after
// that has no effect: the tests let its goroutine run out then.
type life struct {
	rig  *rig
	s    *Supervisor
	over chan struct{}
	// watch hears what it tells.
	watch *control.Watch
	// thaw lets the goroutine of one that is over go on.
	thaw func()
	// saved is the state that it saved last. Guarded by rig.mu.
	saved []byte
	// outputs are those that are open. Guarded by rig.mu.
	outputs int
}

// begin has a supervisor run.
func (r *rig) begin(o Options) {
	l := &life{rig: r, over: make(chan struct{})}
	if r.life != nil {
		l.saved = r.life.saved // until it saves itself
	}
	o.Log = slog.New(journalHandler{rig: r, life: l})
	o.System = l.system()
	o.Version = cmp.Or(r.build, "test")
	o.Feed = new(control.Feed)
	l.watch = o.Feed.Watch() // a door watches from before the beginning
	if o.Inherited != nil {
		l.inherit(o.Inherited)
	}
	l.s = New(o)
	r.life, r.s = l, l.s
	go l.s.Run() // ends by end, or by bury
}

func (l *life) isOver() bool {
	select {
	case <-l.over:
		return true
	default:
		return false
	}
}

func (l *life) save(state []byte) error {
	if l.isOver() {
		return errOver
	}
	l.rig.mu.Lock()
	defer l.rig.mu.Unlock()
	l.saved = slices.Clone(state)
	return nil
}

// coma is a message of the tests: the supervisor ends while it has others to
// deal with, and without having saved what it has done about them.
type coma struct {
	life *life
	thaw chan struct{}
}

func (m coma) deliver(*Supervisor) {
	close(m.life.over)
	<-m.thaw
}

// together is a message of the tests: these come in one batch.
type together []message

func (t together) deliver(s *Supervisor) {
	for _, m := range t {
		m.deliver(s)
		s.settle()
	}
}

// crash ends the supervisor in the middle of what it does, and lets another take
// over.
func (r *rig) crash() { r.crashAfter() }

// crashAfter is crash with messages that the supervisor has taken, and about
// which it has saved nothing.
func (r *rig) crashAfter(before ...message) {
	r.t.Helper()
	old, thaw := r.life, make(chan struct{})
	old.thaw = func() { close(thaw) }
	r.s.post(append(together(before), coma{old, thaw}))
	r.settle()
	r.note("the supervisor has crashed")
	r.succeed(old)
}

// exec ends the supervisor in an orderly way, and lets another take over.
func (r *rig) exec() {
	r.t.Helper()
	old := r.life
	resume, err := r.s.Freeze(context.Background(), false)
	if err != nil {
		r.t.Fatal(err)
	}
	old.thaw = resume
	close(old.over)
	r.settle()
	r.note("the supervisor has executed another")
	r.succeed(old)
}

// succeed begins the life of a supervisor that takes over what old has left.
func (r *rig) succeed(old *life) {
	r.t.Helper()
	r.lives = append(r.lives, old)
	if r.meanwhile != nil {
		r.meanwhile()
		r.settle()
	}
	for _, p := range r.all() {
		select {
		case <-p.going:
		default: // the launcher sees the end of its pipe
			p.end(exitOne)
			p.vanish()
		}
	}
	r.keepSockets()
	r.mu.Lock()
	saved := old.saved
	r.mu.Unlock()
	state, err := ReadState(saved)
	if err != nil {
		r.t.Fatal(err)
	}
	r.begin(Options{Plan: state.Plan, Inherited: &Inheritance{State: state, Done: func() {}, Listening: r.dropKept}})
}

// whileNobodyIsThere does something between two supervisors.
func (r *rig) whileNobodyIsThere(takeOver, meanwhile func()) {
	r.meanwhile = meanwhile
	takeOver()
	r.meanwhile = nil
}

// bury lets those run out that are over.
func (r *rig) bury() {
	for _, l := range r.lives {
		l.thaw()
		l.s.Stop()
		l.s.Stop()
		<-l.s.Ended()
	}
}

// inherit is what a supervisor adopts in its life.
func (l *life) inherit(in *Inheritance) {
	r := l.rig
	in.Process = func(instance string, pid int) (Process, error) {
		for _, p := range r.all() {
			if p.name == instance && p.pid == pid && !p.isGone() {
				return ownProcess{p, l}, nil
			}
		}
		return nil, errors.New("it has gone")
	}
	in.Claim = r.claim
	in.Output = func(*config.App, uint64) Output { return Output{Close: l.output()} }
	in.Worker = func(generation uint64, _ int) (WorkerProcess, error) {
		for _, w := range r.livingWorkers() {
			if w.generation == generation {
				return ownWorker{w, l}, nil
			}
		}
		return nil, errors.New("it has gone")
	}
}

// keepSockets lets the listeners outlive their supervisor.
func (r *rig) keepSockets() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.kept = nil
	for _, s := range r.sockets {
		dup, err := activation.Dup(s.File)
		if err != nil {
			continue // it was closed before
		}
		s.File.Close()
		r.kept = append(r.kept, &activation.Listener{Address: s.Address, File: dup, Source: s.Source})
	}
	r.sockets = slices.Clone(r.kept)
}

// takeKept takes the kept listener of an address, if there is one.
func (r *rig) takeKept(address netip.AddrPort) []*activation.Listener {
	return r.claim([]string{address.String()})
}

// claim takes the kept listeners of these names.
func (r *rig) claim(names []string) (taken []*activation.Listener) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.kept = slices.DeleteFunc(r.kept, func(l *activation.Listener) bool {
		if !slices.Contains(names, l.Name()) {
			return false
		}
		taken = append(taken, l)
		return true
	})
	return taken
}

// dropKept closes the listeners that nobody has taken.
func (r *rig) dropKept() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, l := range r.kept {
		l.File.Close()
	}
	r.kept = nil
}

// ownProcess is a process in the hands of a supervisor, as long as that lives.
type ownProcess struct {
	*fakeProcess
	life *life
}

func (p ownProcess) Go() error {
	if p.life.isOver() {
		return errOver
	}
	return p.fakeProcess.Go()
}

func (p ownProcess) Signal(sig syscall.Signal) error {
	if p.life.isOver() {
		return errOver
	}
	return p.fakeProcess.Signal(sig)
}

func (p ownProcess) Kill() error {
	if p.life.isOver() {
		return errOver
	}
	return p.fakeProcess.Kill()
}

// ownWorker is a worker in the hands of a supervisor, as long as that lives.
type ownWorker struct {
	*fakeWorker
	life *life
}

func (w ownWorker) Conn() Conn { return &fakeConn{w.fakeWorker, w.life} }

func (w ownWorker) Kill() error {
	if w.life.isOver() {
		return errOver
	}
	return w.fakeWorker.Kill()
}
