package supervisor

import (
	"slices"

	"gracevisor/internal/wire"
)

// A worker that drains gives its connections to the newest one over a socket of
// which the supervisor only hands out the ends. What it has to know of that is
// what may be on its way: a tunnel counts for its instance's drain, whichever
// worker has it. The new worker counts it before the old one stops to, but what
// they say arrives in any order; so the old one's word that it has nothing of an
// instance makes the supervisor ask its heirs anew.

// tie gives a worker that drains and the newest one the ends of a socket, once
// for each pair in the life of a supervisor: whether a predecessor came to send
// both nobody knows, and a second pair takes the place of the first.
func (s *Supervisor) tie(w, newest *worker) {
	if w.moves == 0 || newest.moves == 0 || w.tied == newest.generation {
		return
	}
	from, to, err := wire.Pair()
	if err != nil {
		s.log.Error("cannot have a worker move its connections", "worker", w.generation, "newer", newest.generation, "error", err)
		return
	}
	w.tied = newest.generation
	if !slices.Contains(w.heirs, newest.generation) {
		w.heirs = append(w.heirs, newest.generation)
	}
	// A successor that knows nothing of it would not ask the heir.
	s.onceSaved(func() {
		newest.outbox.Post(&wire.TakeOver{Generation: w.generation}, to)
		w.outbox.Post(&wire.MoveTo{Generation: newest.generation}, from)
	})
}

// askHeirs makes those that a worker may have given requests on an instance to
// say again whether they have any: what they have said so far may be older than
// that.
func (s *Supervisor) askHeirs(w *worker, i *instance) {
	for _, generation := range w.heirs {
		heir := s.workers[generation]
		if heir == nil || !heir.serves() {
			continue
		}
		i.busy[generation] = true
		i.routed = s.revision
		s.stale = true
	}
}

// settled notes that a worker has no request on an instance any more, because it
// says so or has gone.
func (s *Supervisor) settled(w *worker, i *instance) {
	if i.busy[w.generation] {
		delete(i.busy, w.generation)
		s.askHeirs(w, i)
	}
}
