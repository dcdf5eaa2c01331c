package survival

import (
	"slices"
	"strings"

	"gracevisor/test/harness"
)

// holdings is what there must be as much of after an event as before.
type holdings struct {
	// fds, goroutines and resident are those of the daemon.
	fds, goroutines int
	resident        int64
	// workerFDs and workerResident are those of the newest worker.
	workerFDs      int
	workerResident int64
	processes      []string
	stored         []string
	workers        int
	instances      []string
}

// What may be more: the runtime keeps memory and goroutines for a while, and the
// worker some pipes. One that is lost at each event shows when that happens as
// often as in the long form. The race detector keeps several times as much memory
// as is in use, and gives none of it back.
const (
	moreWorkerFDs  = 8
	moreGoroutines = 8
	moreResident   = 64 << 20
	moreWithRace   = 256 << 20
)

// holds tells what is there.
func (s *scene) holds(pid int) holdings {
	s.t.Helper()
	usage, err := harness.UsageOf(pid)
	if err != nil {
		s.t.Fatal(err)
	}
	status := s.Status()
	h := holdings{fds: usage.FDs, resident: usage.Resident, goroutines: status.Goroutines, workers: len(status.Workers)}
	if n := len(status.Workers); n > 0 {
		worker := status.Workers[n-1].PID
		// A worker that has just ended holds nothing.
		h.workerFDs, _ = harness.LastingFDs(worker)
		usage, _ := harness.UsageOf(worker)
		h.workerResident = usage.Resident
	}
	for _, p := range s.Processes() {
		name := p.Name
		if p.State == 'Z' {
			name += " (zombie)"
		}
		h.processes = append(h.processes, name)
	}
	slices.Sort(h.processes)
	for _, a := range status.Apps {
		h.instances = append(h.instances, a.Name+" "+a.State+strings.Repeat(" instance", len(a.Instances)))
	}
	if s.service != nil {
		h.stored = kinds(s.service.Names())
	}
	return h
}

// kinds are names without the numbers in them, which grow.
func kinds(names []string) []string {
	var all []string
	for _, name := range names {
		all = append(all, strings.Map(func(r rune) rune {
			if r >= '0' && r <= '9' {
				return -1
			}
			return r
		}, name))
	}
	slices.Sort(all)
	return all
}

// asBefore waits until everything is as it was.
func (s *scene) asBefore(before holdings) {
	s.t.Helper()
	var now holdings
	defer func() {
		if s.t.Failed() {
			s.t.Logf("before: %+v\nnow:    %+v", before, now)
		}
	}()
	s.Await("everything to be as it was", func() bool {
		now = s.holds(s.Status().PID)
		return now.within(before)
	})
}

// within reports whether there is no more than before.
func (h holdings) within(before holdings) bool {
	moreResident := int64(moreResident)
	if harness.Race {
		moreResident = moreWithRace
	}
	return h.fds <= before.fds && h.goroutines <= before.goroutines+moreGoroutines &&
		h.resident <= before.resident+moreResident &&
		h.workerFDs <= before.workerFDs+moreWorkerFDs && h.workerResident <= before.workerResident+moreResident &&
		slices.Equal(h.processes, before.processes) && slices.Equal(h.stored, before.stored) &&
		h.workers == before.workers && slices.Equal(h.instances, before.instances)
}
