package supervisor

import (
	"context"
	"errors"
	"sync"
)

// Freeze saves the state and stops the world: until resume is called nothing is
// decided any more, so that what was saved stays true. resume may be called more
// than once. restart says to the successor that an operator wanted it: it reads
// the configuration then. A daemon that is being stopped does not freeze.
func (s *Supervisor) Freeze(ctx context.Context, restart bool) (resume func(), err error) {
	frozen, thaw := make(chan error, 1), make(chan struct{})
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	refused, err := ask(ctx, s, askFreeze{restart, frozen, thaw}, frozen)
	if err := errors.Join(err, refused); err != nil {
		close(thaw)
		return nil, err
	}
	return sync.OnceFunc(func() { close(thaw) }), nil
}

// freeze waits in the goroutine that owns the state.
func (s *Supervisor) freeze(m askFreeze) {
	if s.stopping != nil {
		m.frozen <- errStopping
		return
	}
	s.settle()
	before := s.updateDue
	s.planned, s.updateDue = m.restart, m.restart || s.updateDue
	s.jobs.told = true // whoever froze us sees to that
	s.unsaved = true
	s.save()
	s.tellNews() // a successor takes them as told
	m.frozen <- nil
	<-m.thaw
	s.planned, s.updateDue, s.jobs.told = false, before, false
	s.unsaved = true
}

// UpdateBegun says that the configuration was applied that a restart is to go
// by, or that it can not be: no successor has to.
func (s *Supervisor) UpdateBegun() { s.post(updateBegun{}) }

func (s *Supervisor) updateBegun() { s.updateDue, s.unsaved = false, true }
