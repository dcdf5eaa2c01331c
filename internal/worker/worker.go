package worker

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"reflect"
	"sync"
	"syscall"
	"time"

	"gracevisor/internal/proxy"
	"gracevisor/internal/proxy/handoff"
	"gracevisor/internal/wire"
)

// WireFD is the file descriptor of the worker's end of the conversation.
const WireFD = 3

// countersInterval is how often the supervisor is told what was counted.
const countersInterval = time.Second

// perPart is how many apps and instances together one Counters message holds: it
// has to stay below the size of a datagram, and one takes 800 bytes at most.
const perPart = 128

// lastWords bounds how long a worker that leaves waits for the supervisor to
// take what it has still to say.
const lastWords = time.Second

// Main is the worker process. It returns when there is nothing left to serve.
func Main() error {
	// PIPE: whoever reads the log may have died with the supervisor.
	signal.Ignore(syscall.SIGINT, syscall.SIGHUP, syscall.SIGPIPE)
	terminate := make(chan os.Signal, 1)
	signal.Notify(terminate, syscall.SIGTERM)
	log := slog.New(slog.NewJSONHandler(os.Stderr, nil))
	syscall.CloseOnExec(WireFD)
	conn, err := wire.NewConn(os.NewFile(WireFD, "wire"))
	if err != nil {
		return fmt.Errorf("a worker is started by the daemon only: %w", err)
	}
	if err := dropRights(); err != nil {
		return err
	}
	return run(log, conn, terminate)
}

// worker serves what the supervisor orders.
type worker struct {
	log      *slog.Logger
	conn     *wire.Conn
	outbox   *wire.Outbox
	proxy    *proxy.Proxy
	reported []*wire.Counters
	// retell: all is to be reported again. The newest table may be of another
	// supervisor than the last one.
	retell bool

	mu sync.Mutex
	// revision is that of the table in force.
	revision uint64
	// applying: a table is being put into force. What drains with it is told
	// after it is acknowledged.
	applying bool
	drained  []string
}

// order is a message from the supervisor with its files.
type order struct {
	message wire.Message
	files   []*os.File
}

// run talks with the supervisor until the worker has drained. It closes conn.
func run(log *slog.Logger, conn *wire.Conn, terminate <-chan os.Signal) error {
	defer conn.Close()
	w := &worker{log: log, conn: conn, outbox: wire.NewOutbox()}
	defer w.outbox.Close()
	generation, err := w.greet()
	if err != nil {
		return err
	}
	w.proxy = proxy.New(proxy.Options{Log: log, Events: w, Generation: generation})
	defer w.proxy.Close()
	said := make(chan struct{})
	go func() { // ends with the outbox or the conversation
		defer close(said)
		_ = w.outbox.Run(conn)
	}()
	w.outbox.Post(&wire.Ready{PID: os.Getpid(), Moves: handoff.Version})
	err = w.serve(terminate)
	w.outbox.Close()
	select {
	case <-said:
	case <-time.After(lastWords):
	}
	return err
}

// greet waits for the supervisor's first word.
func (w *worker) greet() (generation uint64, err error) {
	m, files, err := w.conn.Receive()
	if err != nil {
		return 0, fmt.Errorf("wait for the supervisor: %w", err)
	}
	closeAll(files)
	hello, ok := m.(*wire.Hello)
	switch {
	case !ok:
		return 0, fmt.Errorf("wait for the supervisor: it says %T before Hello", m)
	case hello.Version != wire.Version:
		return 0, fmt.Errorf("talk with the supervisor: it speaks version %d, this worker %d", hello.Version, wire.Version)
	}
	return hello.Generation, nil
}

// serve takes orders until nothing is left to do.
func (w *worker) serve(terminate <-chan os.Signal) error {
	orders := make(chan order)
	done := make(chan struct{})
	defer close(done)
	hungUp := make(chan error, 1)
	go w.listen(orders, hungUp, done)
	tick := time.NewTicker(countersInterval)
	defer tick.Stop()
	for {
		select {
		case o := <-orders:
			if err := w.obey(o); err != nil {
				return err
			}
		case err := <-hungUp:
			if !errors.Is(err, io.EOF) {
				return fmt.Errorf("talk with the supervisor: %w", err)
			}
			w.log.Warn("the supervisor has gone; draining")
			hungUp = nil
			w.proxy.Drain()
		case <-terminate:
			w.proxy.Drain()
		case <-tick.C:
			w.report()
		case <-w.proxy.Drained():
			w.report()
			return nil
		}
	}
}

// listen passes on what the supervisor says, until it hangs up or done is
// closed and the conversation with it.
func (w *worker) listen(orders chan<- order, hungUp chan<- error, done <-chan struct{}) {
	for {
		m, files, err := w.conn.Receive()
		if err != nil {
			hungUp <- err
			return
		}
		select {
		case orders <- order{m, files}:
		case <-done:
			closeAll(files)
			return
		}
	}
}

// obey carries out an order. Its error means that the supervisor does not keep
// to the protocol.
func (w *worker) obey(o order) error {
	switch m := o.message.(type) {
	case *wire.Files:
		for n, name := range m.Names {
			if err := w.proxy.AddFile(name, o.files[n]); err != nil {
				w.log.Error("cannot use file from the supervisor", "file", name, "error", err)
			}
		}
	case *wire.TableOrder:
		return w.apply(m.Revision, o.files[0])
	case *wire.Probe:
		w.proxy.Probe(*m)
	case *wire.Unprobe:
		w.proxy.Unprobe(m.Instance)
	case *wire.Ping:
		w.outbox.Post(&wire.Pong{Number: m.Number})
	case *wire.MoveTo:
		if err := w.proxy.MoveTo(o.files[0]); err != nil {
			w.log.Error("cannot move connections to another worker", "worker", m.Generation, "error", err)
		}
	case *wire.TakeOver:
		if err := w.proxy.TakeOver(o.files[0]); err != nil {
			w.log.Error("cannot take over the connections of another worker", "worker", m.Generation, "error", err)
		}
	case *wire.Drain:
		w.proxy.Drain()
	default:
		closeAll(o.files)
		return fmt.Errorf("talk with the supervisor: unexpected %T", o.message)
	}
	return nil
}

// apply puts a table into force and acknowledges it.
func (w *worker) apply(revision uint64, memfd *os.File) error {
	defer memfd.Close()
	table, err := wire.ReadTable(memfd)
	if err != nil {
		return err
	}
	if table.Revision != revision {
		return fmt.Errorf("read table: it is %d, not %d as announced", table.Revision, revision)
	}
	w.mu.Lock()
	w.applying = true
	w.mu.Unlock()
	ack := &wire.Ack{Revision: revision}
	if err := w.proxy.Apply(table); err != nil {
		ack.Error = err.Error()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.applying = false
	w.revision = revision
	w.retell = true
	w.outbox.Post(ack)
	for _, instance := range w.drained {
		w.tellDrained(instance)
	}
	w.drained = nil
	return nil
}

// Drained tells the supervisor that an instance has nothing in flight.
func (w *worker) Drained(instance string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.applying {
		w.drained = append(w.drained, instance)
		return
	}
	w.tellDrained(instance)
}

func (w *worker) tellDrained(instance string) {
	w.outbox.Post(&wire.Drained{Instance: instance, Revision: w.revision})
}

// Probed tells the supervisor what a probe found.
func (w *worker) Probed(r wire.ProbeResult) { w.outbox.Post(&r) }

// report tells the supervisor what was counted, as far as it has changed.
func (w *worker) report() {
	parts := inParts(w.proxy.Counters())
	for n, part := range parts {
		if w.retell || n >= len(w.reported) || !reflect.DeepEqual(part, w.reported[n]) {
			w.outbox.Post(part)
		}
	}
	for n := len(parts); n < len(w.reported); n++ {
		w.outbox.Post(&wire.Counters{Part: n}) // apps were removed
	}
	w.reported, w.retell = parts, false
}

// inParts cuts what was counted into messages. An app whose instances do not
// fit is in several of them: with its own counters in the first.
func inParts(all wire.Counters) []*wire.Counters {
	var parts []*wire.Counters
	room := 0
	for _, a := range all.Apps {
		for rest := a.Instances; ; a = (wire.AppCounters{Name: a.Name}) {
			if room < 2 {
				part := all
				part.Part, part.Apps = len(parts), nil
				parts = append(parts, &part)
				room = perPart
			}
			n := min(len(rest), room-1)
			a.Instances, rest = rest[:n:n], rest[n:]
			part := parts[len(parts)-1]
			part.Apps = append(part.Apps, a)
			room -= 1 + n
			if len(rest) == 0 {
				break
			}
		}
	}
	if len(parts) == 0 {
		return []*wire.Counters{&all}
	}
	return parts
}

func closeAll(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}
