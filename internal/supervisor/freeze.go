package supervisor

import (
	"context"
	"sync"
)

// Freeze saves the state and stops the world: until resume is called nothing is
// decided any more, so that what was saved stays true. resume may be called more
// than once.
func (s *Supervisor) Freeze(ctx context.Context) (resume func(), err error) {
	frozen, thaw := make(chan struct{}, 1), make(chan struct{})
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if _, err := ask(ctx, s, askFreeze{frozen, thaw}, frozen); err != nil {
		close(thaw)
		return nil, err
	}
	return sync.OnceFunc(func() { close(thaw) }), nil
}

// freeze waits in the goroutine that owns the state.
func (s *Supervisor) freeze(frozen, thaw chan struct{}) {
	s.settle()
	s.unsaved = true
	s.save()
	frozen <- struct{}{}
	<-thaw
}
