package supervisor

import (
	"context"
	"sync"
)

// Freeze saves the state and stops the world: until resume is called nothing is
// decided any more, so that what was saved stays true. resume may be called more
// than once. restart says to the successor that an operator wanted it: it reads
// the configuration then.
func (s *Supervisor) Freeze(ctx context.Context, restart bool) (resume func(), err error) {
	frozen, thaw := make(chan struct{}, 1), make(chan struct{})
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if _, err := ask(ctx, s, askFreeze{restart, frozen, thaw}, frozen); err != nil {
		close(thaw)
		return nil, err
	}
	return sync.OnceFunc(func() { close(thaw) }), nil
}

// freeze waits in the goroutine that owns the state.
func (s *Supervisor) freeze(m askFreeze) {
	s.settle()
	s.restart, s.unsaved = m.restart, true
	s.save()
	m.frozen <- struct{}{}
	<-m.thaw
	s.restart, s.unsaved = false, true
}
