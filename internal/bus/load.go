package bus

import (
	"context"
	"sync"
)

// load counts what is being served, and for whom.
type load[Key comparable] struct {
	mu    sync.Mutex
	total int
	of    map[Key]int
	// idle are closed when there is nothing.
	idle []chan struct{}
}

func newLoad[Key comparable]() load[Key] { return load[Key]{of: make(map[Key]int)} }

// enter counts one in, unless there are so many in total, or of this one each.
func (l *load[Key]) enter(who Key, total, each int) (leave func(), ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.total >= total || l.of[who] >= each {
		return nil, false
	}
	l.total++
	l.of[who]++
	return func() { l.leave(who) }, true
}

func (l *load[Key]) leave(who Key) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.of[who]--; l.of[who] == 0 {
		delete(l.of, who)
	}
	if l.total--; l.total == 0 {
		for _, idle := range l.idle {
			close(idle)
		}
		l.idle = nil
	}
}

// settle waits until there is nothing to serve, or until ctx ends.
func (l *load[Key]) settle(ctx context.Context) {
	idle := make(chan struct{})
	l.mu.Lock()
	if l.total == 0 {
		close(idle)
	} else {
		l.idle = append(l.idle, idle)
	}
	l.mu.Unlock()
	select {
	case <-idle:
	case <-ctx.Done():
	}
}
