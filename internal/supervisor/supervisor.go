package supervisor

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"syscall"
	"time"

	"gracevisor/internal/config"
	"gracevisor/internal/control"
	"gracevisor/internal/process"
)

// errEnded is the answer to whoever asks a supervisor whose Run has returned.
var errEnded = &control.Error{Code: control.CodeStopping, Message: "the daemon has stopped"}

// Supervisor owns the apps. Its fields belong to the goroutine of Run.
type Supervisor struct {
	log    *slog.Logger
	system System

	inbox chan message
	// ended is closed when Run returns.
	ended chan struct{}
	// ctx ends with Run: it bounds the goroutines that report to it.
	ctx    context.Context
	cancel context.CancelFunc

	plan    *config.Plan
	began   time.Time
	version string

	apps map[string]*app
	// order is the order in which status and tables list the apps.
	order []string
	// lastNumbers are the numbers of the last instances of apps that were
	// removed: a worker may still know these when an app of that name comes.
	lastNumbers map[string]uint64
	ports       *process.Ports
	slots       slots

	sockets map[string]*socket

	workers        map[uint64]*worker
	nextGeneration uint64
	workerCrashes  crashes

	// revision is that of the newest published table; stale is set when the
	// state has changed in a way that the next one has to show.
	revision uint64
	stale    bool
	// awaitingAck are called when all workers have acknowledged a revision.
	awaitingAck []ackWaiter

	// saved is the memory that the state is encoded in, encodedPlan a part of it
	// that seldom changes.
	saved       []byte
	encodedPlan struct {
		of   *config.Plan
		text []byte
	}
	// unsaved: the state may differ from the one that was saved. afterSave
	// waits for that.
	unsaved   bool
	afterSave []func()
	// crashes are the times of the last crashes of the daemon.
	crashes []time.Time
	// planned: the state is saved for a restart that an operator wants.
	// updateDue: after that the configuration has yet to be applied.
	planned, updateDue bool
	jobs               jobs
	// feed takes the news, or is nil; untold are those that it has yet to get,
	// and toldState is what it knows of the daemon.
	feed      *control.Feed
	untold    []control.Notice
	toldState control.DaemonState
	// restoring are the apps of a predecessor whose addresses have yet to be
	// looked for, and whether tables wait for that.
	restoring map[string]bool
	inherited *Inheritance

	// todo holds what is to be done before the next message is taken: the
	// owner of the state never posts to itself.
	todo []func()
	// removals are the socket folders being removed.
	removals sync.WaitGroup

	stopping *shutdown
	finished bool
}

// Options is what a Supervisor needs.
type Options struct {
	Log     *slog.Logger
	System  System
	Plan    *config.Plan
	Version string
	// Feed takes notices of what happens; nil: nobody wants to know.
	Feed *control.Feed
	// Inherited is what a predecessor has left, or nil.
	Inherited *Inheritance
	// LastNumbers are the numbers of the last instances of apps, and
	// LastGeneration that of the last worker, of a predecessor of which nothing
	// else is known.
	LastNumbers    map[string]uint64
	LastGeneration uint64
}

// New makes a Supervisor; Run makes it live.
func New(o Options) *Supervisor {
	ctx, cancel := context.WithCancel(context.Background())
	s := &Supervisor{
		log:       o.Log,
		system:    o.System,
		inbox:     make(chan message, 256),
		ended:     make(chan struct{}),
		ctx:       ctx,
		cancel:    cancel,
		plan:      o.Plan,
		version:   o.Version,
		inherited: o.Inherited,
		feed:      o.Feed,
		jobs:      jobs{entered: make(map[uint32]*job)},
		apps:      make(map[string]*app),
		slots:     slots{limit: o.Plan.ParallelRestarts},
		sockets:   make(map[string]*socket),
		workers:   make(map[uint64]*worker),

		restoring:      make(map[string]bool),
		lastNumbers:    make(map[string]uint64),
		nextGeneration: o.LastGeneration,
	}
	maps.Copy(s.lastNumbers, o.LastNumbers)
	s.ports = process.NewPorts(o.Plan.Ports.From, o.Plan.Ports.To, s.probePort)
	return s
}

// probePort says why a port can not be given to an instance, or nil if it can.
func (s *Supervisor) probePort(port int) error {
	if s.plan.Reserved(port) {
		return fmt.Errorf("it is of an external address: %w", syscall.EADDRINUSE)
	}
	return s.system.ProbePort(port)
}

// Run starts a worker and the apps of the plan, and returns when a Stop has
// ended them all.
func (s *Supervisor) Run() {
	defer s.cancel()
	defer close(s.ended)
	if s.inherited != nil {
		s.restore(s.inherited)
	} else {
		s.boot()
	}
	s.settle()
	s.save()
	s.tellNews()
	for !s.finished {
		s.handle(<-s.inbox)
	}
	s.closeSockets()
	for _, a := range s.apps {
		s.closeAccessLog(a)
	}
	s.removals.Wait()
}

// boot begins from nothing.
func (s *Supervisor) boot() {
	s.began = time.Now()
	s.startWorker()
	for _, a := range s.plan.Apps {
		s.addApp(a, "boot", nil)
	}
}

// longestBatch bounds how many messages have one table: whoever asks again and
// again must not keep what all of them have changed from being told.
const longestBatch = 256

// handle takes a message and those that wait behind it, so that one table shows
// what all of them have changed.
func (s *Supervisor) handle(m message) {
	m.deliver(s)
	s.settle()
	for range longestBatch - 1 {
		select {
		case m = <-s.inbox:
			m.deliver(s)
			s.settle()
			continue
		default:
		}
		break
	}
	s.publish()
	s.settle()
	s.save()
	s.tellNews()
}

// settle does what was put off.
func (s *Supervisor) settle() {
	for len(s.todo) > 0 {
		next := s.todo[0]
		s.todo = s.todo[1:]
		next()
	}
}

// soon puts something off until the message at hand is dealt with.
func (s *Supervisor) soon(f func()) { s.todo = append(s.todo, f) }

// post gives a message to the goroutine that owns the state. It must not be
// called from that one.
func (s *Supervisor) post(m message) {
	select {
	case s.inbox <- m:
	case <-s.ended:
	}
}

// ask posts a message that is answered on a channel of capacity one.
func ask[T any](ctx context.Context, s *Supervisor, m message, reply chan T) (T, error) {
	var none T
	select {
	case s.inbox <- m:
	case <-s.ended:
		return none, errEnded
	case <-ctx.Done():
		return none, ctx.Err()
	}
	select {
	case answer := <-reply:
		return answer, nil
	case <-s.ended:
		return none, errEnded
	case <-ctx.Done():
		return none, ctx.Err()
	}
}
