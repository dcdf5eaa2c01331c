package supervisor

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"time"

	"gracevisor/internal/process"
	"gracevisor/internal/supervisor/lifecycle"
	"gracevisor/internal/wire"
)

const (
	// pingInterval is how often a worker is asked for a sign of life.
	pingInterval = time.Second
	// unansweredPings is how many a worker may leave unanswered before it is
	// killed: a switch waits for every living one. It is no time, because the
	// supervisor may have been stopped itself.
	unansweredPings = 10
	// maxCounterParts bounds what is kept of a worker's counters.
	maxCounterParts = 4096
	// longestWorkerPause bounds the pause before a worker is started in the
	// place of one that ended too soon.
	longestWorkerPause = 2 * time.Second
	// workerPatience is how long a worker may take to be ready before another
	// is started beside it, if none serves.
	workerPatience = time.Second
)

// worker is a generation of the data plane.
type worker struct {
	generation uint64
	process    WorkerProcess
	pid        int
	outbox     *wire.Outbox
	began      time.Time
	// build is the version that it is of.
	build string
	// ready: it has answered Hello. draining: it was told to leave. gone: its
	// conversation or its process has ended.
	ready, draining, gone bool
	// drainingSince is when it was told.
	drainingSince time.Time
	// ordered is the newest table that was sent to it, acknowledged the newest
	// that it has confirmed.
	ordered, acknowledged uint64
	// moves is the version in which it gives away and takes over connections,
	// or 0; tied is the worker that it was last told to give them to, and heirs
	// are all of those.
	moves int
	tied  uint64
	heirs []uint64
	// sent are the files that it has.
	sent map[string]bool

	pings uint64
	// unanswered counts the pings since it last said anything.
	unanswered int
	counters   map[int]*wire.Counters
}

// serves reports whether the worker has been given a table, and lives: only
// such a one can have requests in flight.
func (w *worker) serves() bool { return w.ordered > 0 && !w.gone }

// startWorker starts the next generation.
func (s *Supervisor) startWorker() {
	if s.stopping != nil {
		return
	}
	s.makeRoom()
	s.nextGeneration++
	w := s.newWorker(s.nextGeneration)
	go func() { // ends when the process is started
		p, err := s.system.StartWorker(w.generation)
		s.post(workerStarted{w, p, err})
	}()
}

// workerStarted has the worker's process; the worker says when it is ready.
func (s *Supervisor) workerStarted(w *worker, p WorkerProcess, err error) {
	if err != nil {
		s.log.Error("cannot start worker", "worker", w.generation, "error", err)
		s.workerGone(w)
		return
	}
	w.process, w.pid = p, p.ID()
	if s.stopping != nil {
		s.dismiss(w) // it came too late to serve
	}
	s.unsaved = true
	w.outbox.Post(&wire.Hello{Version: wire.Version, Generation: w.generation})
	s.converse(w)
}

// talkTo sends a worker what is posted to it. That it has hung up the reader
// tells; anything else that keeps it from being talked to is as bad.
func (s *Supervisor) talkTo(w *worker) {
	err := w.outbox.Run(w.process.Conn())
	if err != nil && !errors.Is(err, syscall.EPIPE) && !errors.Is(err, net.ErrClosed) {
		s.post(workerHungUp{w, err})
	}
}

// listenTo reports what a worker says.
func (s *Supervisor) listenTo(w *worker) {
	conn := w.process.Conn()
	for {
		said, files, err := conn.Receive()
		for _, f := range files {
			f.Close() // no message from a worker has any
		}
		if err != nil {
			s.post(workerHungUp{w, err})
			return
		}
		s.post(workerSaid{w, said})
	}
}

// workerSaid takes a message from a worker.
func (s *Supervisor) workerSaid(w *worker, said wire.Message) {
	if w.gone {
		return
	}
	w.unanswered = 0 // whatever it says shows that it lives
	switch m := said.(type) {
	case *wire.Ready:
		w.moves = m.Moves
		s.workerReady(w)
	case *wire.Ack:
		s.acknowledged(w, m)
	case *wire.Drained:
		s.drainedBy(w, m)
	case *wire.ProbeResult:
		s.probed(m)
	case *wire.Counters:
		if m.Part >= 0 && m.Part < maxCounterParts {
			w.counters[m.Part] = m
		}
	case *wire.Pong:
	default:
		s.log.Error("worker says what only a supervisor may", "worker", w.generation)
		s.dismiss(w)
	}
}

func (s *Supervisor) workerReady(w *worker) {
	if w.ready {
		return
	}
	w.ready = true
	s.unsaved = true
	s.log.Info("worker ready", "worker", w.generation, "pid", w.pid)
	s.stale = true
	s.probeAgain()
}

// newestWorker is the one that probes, or nil if none is ready.
func (s *Supervisor) newestWorker() *worker {
	var newest *worker
	for _, w := range s.workers {
		if w.ready && !w.gone && !w.draining && (newest == nil || w.generation > newest.generation) {
			newest = w
		}
	}
	return newest
}

// wantsWorker reports whether no worker of this build serves, and none is on its
// way. If none at all serves, one that has been on its way for long does not
// count.
func (s *Supervisor) wantsWorker() bool {
	newest := s.newestWorker()
	for _, w := range s.workers {
		if !w.ready && !w.gone && (newest != nil || time.Since(w.began) < workerPatience) {
			return false
		}
	}
	return newest == nil || newest.build != s.version
}

// drainedBy notes that a worker has no request on an instance any more.
func (s *Supervisor) drainedBy(w *worker, m *wire.Drained) {
	i := s.instanceByID(m.Instance)
	if i == nil || m.Revision <= i.routed {
		return // from before it came back from an earlier draining
	}
	s.settled(w, i)
	s.checkDrained(i)
}

// tickWorker looks after the worker once a second as long as it lives.
func (s *Supervisor) tickWorker(w *worker) {
	time.AfterFunc(pingInterval, func() { s.post(workerTick{w}) })
}

// checkWorker kills a worker that has been silent for too long: a hung one must
// not hold up every switch.
func (s *Supervisor) checkWorker(w *worker) {
	if w.gone {
		return
	}
	if w.unanswered >= unansweredPings {
		s.log.Error("worker does not answer; killing it", "worker", w.generation, "pid", w.pid, "unanswered_pings", w.unanswered)
		s.dismiss(w)
		return
	}
	w.pings++
	w.unanswered++
	w.outbox.Post(&wire.Ping{Number: w.pings})
	s.tickWorker(w)
}

// dismiss kills a worker that can not be relied on; its end is told by its
// process.
func (s *Supervisor) dismiss(w *worker) {
	if w.process == nil {
		return
	}
	if err := w.process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		s.log.Error("cannot kill worker", "worker", w.generation, "pid", w.pid, "error", err)
	}
}

// workerHungUp deals with the end of a conversation: a worker that can not be
// told anything any more is of no use.
func (s *Supervisor) workerHungUp(w *worker, err error) {
	if w.gone {
		return
	}
	// One that was told to leave may be gone before it has taken all that it was
	// sent, which the kernel tells as a reset.
	left := w.draining && errors.Is(err, syscall.ECONNRESET)
	if !errors.Is(err, io.EOF) && !left {
		s.log.Error("cannot talk with worker; killing it", "worker", w.generation, "pid", w.pid, "error", err)
	}
	s.dismiss(w)
}

// workerExited settles what the worker leaves behind.
func (s *Supervisor) workerExited(w *worker, exit process.Exit) {
	if w.gone {
		return
	}
	switch {
	case !w.draining:
		s.log.Error("worker ended", "worker", w.generation, "pid", w.pid, "exit", exit.String())
	case s.stopping == nil:
		s.log.Info("worker has left", "worker", w.generation, "pid", w.pid, "exit", exit.String(),
			"took", time.Since(w.drainingSince).Round(time.Millisecond).String())
	}
	w.process.Conn().Close()
	s.workerGone(w)
}

// workerGone forgets a worker: what was in flight on it has ended with it.
func (s *Supervisor) workerGone(w *worker) {
	w.gone = true
	s.unsaved = true
	s.keepCounters(w)
	w.outbox.Close()
	delete(s.workers, w.generation)
	for _, a := range s.apps {
		for _, i := range a.instances {
			s.settled(w, i)
			if i.state == lifecycle.Draining {
				s.soon(func() { s.checkDrained(i) })
			}
		}
	}
	s.checkAcknowledged()
	if s.stopping != nil {
		s.checkStopped()
		return
	}
	if newest := s.newestWorker(); newest != nil && newest.generation < w.generation {
		s.probeAgain() // that was what the other did
	}
	if w.draining {
		return
	}
	if !s.wantsWorker() {
		// Whether the one that is on its way serves then.
		time.AfterFunc(workerPatience, func() { s.post(workerDue{}) })
		return
	}
	pause := min(s.workerCrashes.pause(time.Since(w.began)), longestWorkerPause)
	if pause == 0 {
		s.startWorker()
		return
	}
	s.log.Warn("waiting before the next worker is started", "pause", pause.Round(time.Millisecond).String())
	time.AfterFunc(pause, func() { s.post(workerDue{}) })
}
