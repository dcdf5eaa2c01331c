package supervisor

import (
	"os"

	"gracevisor/internal/activation"
	"gracevisor/internal/config"
	"gracevisor/internal/supervisor/lifecycle"
	"gracevisor/internal/wire"
)

// ackWaiter is called once all workers have acknowledged a revision.
type ackWaiter struct {
	revision uint64
	then     func()
}

// publish sends the workers a table that shows the state as it is now, if the
// last one does not. While that one is unacknowledged the next waits, so that a
// burst of changes costs two tables and not a hundred.
func (s *Supervisor) publish() {
	if !s.stale || s.awaitsListeners() || s.awaitsAck() || !s.anyWorkerReady() {
		return
	}
	table := s.table(s.revision + 1)
	memfd, err := wire.WriteTable(table)
	if err != nil {
		s.log.Error("cannot write table; trying again", "revision", table.Revision, "error", err)
		return // with the next message: workers are looked at each second
	}
	defer memfd.Close()
	s.stale = false
	s.unsaved = true
	s.revision = table.Revision
	s.noteRouted()
	for _, w := range s.workers {
		if w.ready && !w.gone {
			s.giveTable(w, table, memfd)
		}
	}
}

func (s *Supervisor) anyWorkerReady() bool {
	for _, w := range s.workers {
		if w.ready && !w.gone {
			return true
		}
	}
	return false
}

// noteRouted remembers which instances the newest table sends requests to: what
// the workers have told of these before does not count any more.
func (s *Supervisor) noteRouted() {
	for _, a := range s.apps {
		for _, i := range a.instances {
			if i.state.Routed() {
				i.routed = s.revision
			}
		}
	}
}

// awaitsAck reports whether a worker has yet to acknowledge its newest table.
func (s *Supervisor) awaitsAck() bool {
	for _, w := range s.workers {
		if w.serves() && w.acknowledged < w.ordered {
			return true
		}
	}
	return false
}

// giveTable gives a worker a table, and first the files that the table names.
func (s *Supervisor) giveTable(w *worker, table *wire.Table, memfd *os.File) {
	dup, err := activation.Dup(memfd)
	if err != nil {
		s.log.Error("cannot pass table to worker; trying again", "worker", w.generation, "revision", table.Revision, "error", err)
		s.stale = true
		return
	}
	s.sendFiles(w, table)
	w.outbox.Post(&wire.TableOrder{Revision: table.Revision}, dup)
	w.ordered = table.Revision
}

// sendFiles gives a worker the files that a table names and that it lacks.
func (s *Supervisor) sendFiles(w *worker, table *wire.Table) {
	named := make(map[string]bool)
	var names []string
	var files []*os.File
	send := func(name string, f *os.File) {
		named[name] = true
		if w.sent[name] || f == nil {
			return
		}
		dup, err := activation.Dup(f)
		if err != nil {
			s.log.Error("cannot pass file to worker", "worker", w.generation, "file", name, "error", err)
			return
		}
		w.sent[name] = true
		names, files = append(names, name), append(files, dup)
		if len(files) == wire.MaxFiles {
			w.outbox.Post(&wire.Files{Names: names}, files...)
			names, files = nil, nil
		}
	}
	for _, route := range table.Apps {
		for _, name := range route.Listeners {
			send(name, s.sockets[name].File)
		}
		if a := s.apps[route.Name]; a.accessLog != nil {
			send(accessLogName(a.name), a.accessLog)
		}
	}
	if len(files) > 0 {
		w.outbox.Post(&wire.Files{Names: names}, files...)
	}
	for name := range w.sent {
		if !named[name] {
			delete(w.sent, name) // the worker closes what no table names
		}
	}
}

// acknowledged notes that a worker goes by a table.
func (s *Supervisor) acknowledged(w *worker, ack *wire.Ack) {
	if ack.Error != "" {
		s.log.Error("worker can not serve all of the table", "worker", w.generation, "revision", ack.Revision, "error", ack.Error)
	}
	if ack.Revision > w.acknowledged && ack.Revision <= w.ordered {
		w.acknowledged = ack.Revision
		s.retireWorkers()
		s.checkAcknowledged()
	}
}

// agreed is the newest revision that every living worker goes by, or 0 if none
// serves.
func (s *Supervisor) agreed() uint64 {
	var agreed uint64
	for _, w := range s.workers {
		if w.serves() && (agreed == 0 || w.acknowledged < agreed) {
			agreed = w.acknowledged
			if agreed == 0 {
				return 0
			}
		}
	}
	return agreed
}

// checkAcknowledged completes the switches that every worker has confirmed.
func (s *Supervisor) checkAcknowledged() {
	agreed := s.agreed()
	if agreed == 0 {
		return
	}
	for _, name := range append([]string(nil), s.order...) {
		for _, i := range s.apps[name].inState(lifecycle.Switching) {
			if i.revision <= agreed {
				s.step(i, lifecycle.Switched)
			}
		}
	}
	waiting := s.awaitingAck
	s.awaitingAck = nil
	for _, w := range waiting {
		if w.revision <= agreed {
			w.then()
		} else {
			s.awaitingAck = append(s.awaitingAck, w)
		}
	}
}

// whenPublished calls then once every worker goes by a table that shows the
// state as it is now.
func (s *Supervisor) whenPublished(then func()) {
	s.stale = true
	s.awaitingAck = append(s.awaitingAck, ackWaiter{s.revision + 1, then})
}

// table is the state of the apps as the workers need it.
func (s *Supervisor) table(revision uint64) *wire.Table {
	t := &wire.Table{Revision: revision, MaxConnections: s.plan.MaxConnections}
	for _, name := range s.order {
		t.Apps = append(t.Apps, s.route(s.apps[name]))
	}
	return t
}

func (s *Supervisor) route(a *app) wire.App {
	route := wire.App{
		Name:        a.name,
		Mode:        string(a.plan.Proxy),
		Disposition: s.disposition(a),
		Traffic:     trafficOf(&a.plan.Traffic),
	}
	if a.desired != removed {
		route.Listeners = s.listenersOf(a)
	}
	for _, i := range a.instances {
		entry := wire.Instance{ID: i.id(), Network: i.target.Network, Address: i.target.Address}
		switch {
		case i.state.Routed():
			entry.Role = wire.RoleServing
		case i.state == lifecycle.Draining, i.state == lifecycle.Silent:
			entry.Role = wire.RoleDraining
		default:
			continue
		}
		route.Instances = append(route.Instances, entry)
	}
	return route
}

// disposition says what becomes of requests for an app. While it is tried to
// get it to serve they wait.
func (s *Supervisor) disposition(a *app) wire.Disposition {
	switch {
	case s.stopping != nil:
		return wire.Unavailable
	case a.serving() != nil:
		return wire.Serving
	case a.desired == running && !a.failed:
		return wire.Holding
	}
	return wire.Unavailable
}

// trafficOf translates the configuration for the wire, which knows nothing of
// it.
func trafficOf(t *config.Traffic) wire.Traffic {
	return wire.Traffic{
		HoldTimeout:          t.HoldTimeout,
		HoldMax:              t.HoldMax,
		HeaderTimeout:        t.HeaderTimeout,
		IdleTimeout:          t.IdleTimeout,
		ConnectTimeout:       t.ConnectTimeout,
		AnswerTimeout:        t.AnswerTimeout,
		BodyTimeout:          t.BodyTimeout,
		MaxHeaderBytes:       t.MaxHeaderBytes,
		MaxHeaders:           t.MaxHeaders,
		MaxBodyBytes:         t.MaxBodyBytes,
		MaxAnswerHeaderBytes: t.MaxAnswerHeaderBytes,
		MaxAnswerHeaders:     t.MaxAnswerHeaders,
		MaxConnections:       t.MaxConnections,
		TrustedProxies:       t.TrustedProxies,
		Via:                  t.Via,
		Upgrades:             t.Upgrades,
		AccessLog:            t.AccessLog,
	}
}
