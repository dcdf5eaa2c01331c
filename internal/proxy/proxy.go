package proxy

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"

	"gracevisor/internal/wire"
)

// Options are what a Proxy is made with.
type Options struct {
	// Log takes what operators should know; nil means slog.Default().
	Log *slog.Logger
	// Events is told what happens; nil means nobody is.
	Events Events
	// Generation is the number of this worker, for its log lines.
	Generation uint64
}

// Events are called from the proxy's goroutines, and from Apply, and must not
// block.
type Events interface {
	// Drained says that an instance which takes no new requests has none in
	// flight. It is told when that comes about, and again by each table that
	// is applied as long as it is so.
	Drained(instance string)
	// Probed reports a change of what a probe found.
	Probed(wire.ProbeResult)
}

// A Proxy serves the clients of all apps by the newest table.
type Proxy struct {
	log    *slog.Logger
	events Events
	sweep  *sweeper
	gate   *gate // of all client connections
	room   int   // for how many of them there are descriptors

	mu        sync.Mutex // guards what follows, and Apply
	apps      map[string]*app
	instances map[string]*instance
	listeners map[string]*listener
	accessLog map[string]*logPipe
	probes    map[string]*probe
	leaving   bool // Drain was called
	mover     atomic.Pointer[mover]

	movedIn, movedOut atomic.Uint64 // connections
	movedBytes        atomic.Uint64 // that came along with them

	draining atomic.Bool
	drained  chan struct{} // closed with the last connection of a drain
	told     sync.Once     // closes drained
	stop     chan struct{} // closed by Close
	wg       sync.WaitGroup
}

// New makes a proxy that serves nothing yet. Its sweeper runs until Close.
func New(o Options) *Proxy {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Events == nil {
		o.Events = nobody{}
	}
	p := &Proxy{
		log:       o.Log.With("generation", o.Generation),
		events:    o.Events,
		sweep:     newSweeper(),
		gate:      newGate(),
		room:      clientRoom(),
		apps:      make(map[string]*app),
		instances: make(map[string]*instance),
		listeners: make(map[string]*listener),
		accessLog: make(map[string]*logPipe),
		probes:    make(map[string]*probe),
		drained:   make(chan struct{}),
		stop:      make(chan struct{}),
	}
	p.wg.Go(func() { p.sweep.run(p.stop, p.housekeep) }) // ended by Close
	return p
}

type nobody struct{}

func (nobody) Drained(string)          {}
func (nobody) Probed(wire.ProbeResult) {}

// AddFile gives the proxy a listening socket, or with the prefix "access:" the
// write end of the pipe for an app's access log, under a name that tables use.
// The proxy takes the file over, whatever it returns. A second file of the same
// name replaces the first.
func (p *Proxy) AddFile(name string, f *os.File) error {
	defer f.Close()
	fd, err := duplicate(f)
	if err != nil {
		return fmt.Errorf("add file %q: %w", name, err)
	}
	if app, ok := strings.CutPrefix(name, "access:"); ok {
		p.addLogPipe(app, fd)
		return nil
	}
	l, err := newListener(p, name, fd)
	if err != nil {
		return fmt.Errorf("add listener %q: %w", name, err)
	}
	p.mu.Lock()
	if p.closed() {
		p.mu.Unlock()
		l.close()
		return errClosed
	}
	old := p.listeners[name]
	p.listeners[name] = l
	if old != nil && old.app.Load() != nil {
		l.serve(old.app.Load())
	}
	p.mu.Unlock()
	if old != nil {
		old.close()
	}
	return nil
}

// housekeep does after each sweep what has to be done now and then.
func (p *Proxy) housekeep(now int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	pipes.shrink(now)
	for _, in := range p.instances {
		in.pool.expire(now)
	}
	for app, l := range p.accessLog {
		l.flush()
		if n := l.takeDropped(); n > 0 {
			p.log.Warn("access log lines dropped, their reader is slow", "app", app, "lines", n)
		}
	}
}

// Close ends everything at once: listeners, connections, probes. It is meant
// for tests and for a worker that gives up; a worker that leaves uses Drain.
func (p *Proxy) Close() {
	p.mu.Lock()
	if p.closed() {
		p.mu.Unlock()
		return
	}
	close(p.stop)
	for _, pr := range p.probes {
		pr.end()
	}
	p.probes = make(map[string]*probe)
	listeners := p.listeners
	p.listeners = make(map[string]*listener)
	p.mu.Unlock()
	if m := p.mover.Load(); m != nil {
		m.resign()
	}
	p.sweep.close()
	for _, l := range listeners {
		l.close()
	}
	p.wg.Wait()
	p.closeRest()
}

// errClosed answers calls after Close.
var errClosed = errors.New("use proxy: it is closed")

// closed reports whether Close was called; p.mu is held.
func (p *Proxy) closed() bool {
	select {
	case <-p.stop:
		return true
	default:
		return false
	}
}

// closeRest closes what no goroutine uses any more.
func (p *Proxy) closeRest() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, in := range p.instances {
		in.pool.close()
	}
	for _, l := range p.accessLog {
		l.flush()
		l.close()
	}
	pipes.trim()
}
