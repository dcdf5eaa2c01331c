package supervisor

import (
	"slices"
	"strings"

	"gracevisor/internal/control"
	"gracevisor/internal/wire"
)

// workerList is for status.
func (s *Supervisor) workerList() []control.Worker {
	list := make([]control.Worker, 0, len(s.workers))
	for generation := uint64(1); generation <= s.nextGeneration; generation++ {
		w := s.workers[generation]
		if w == nil {
			continue
		}
		state := "starting"
		switch {
		case w.draining:
			state = "draining"
		case w.acknowledged > 0:
			state = control.WorkerServing
		}
		entry := control.Worker{
			Generation: generation, PID: w.pid, State: state, Since: w.began, Revision: w.acknowledged,
		}
		for _, c := range w.counters {
			entry.Connections = max(entry.Connections, c.Connections)
			entry.MovedIn, entry.MovedOut = max(entry.MovedIn, c.MovedIn), max(entry.MovedOut, c.MovedOut)
		}
		list = append(list, entry)
	}
	return list
}

// listWorkers is workerList with what each holds.
func (s *Supervisor) listWorkers() []control.Worker {
	list := s.workerList()
	for n := range list {
		list[n].Apps = s.workers[list[n].Generation].holds()
	}
	return list
}

// holds is what a worker has of each app, as it has last told.
func (w *worker) holds() []control.WorkerApp {
	held := make(map[string]control.WorkerApp)
	w.eachCount(func(c *wire.AppCounters) {
		a := held[c.Name]
		a.Name = c.Name
		a.Waiting += c.Holding
		a.Tunnels += c.Upgraded
		a.TCP += c.Streams
		a.Idle += c.Connections
		for n := range c.Instances {
			a.Requests += c.Instances[n].InFlight // tunnels are in flight as well
		}
		held[c.Name] = a
	})
	var list []control.WorkerApp
	for _, a := range held {
		// What was counted one after the other need not fit.
		a.Requests = max(a.Requests-a.Tunnels-a.TCP, 0)
		a.Idle = max(a.Idle-a.Requests-a.Tunnels-a.TCP-a.Waiting, 0)
		if a != (control.WorkerApp{Name: a.Name}) {
			list = append(list, a)
		}
	}
	slices.SortFunc(list, func(a, b control.WorkerApp) int { return strings.Compare(a.Name, b.Name) })
	return list
}
