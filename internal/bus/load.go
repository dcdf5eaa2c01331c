package bus

import (
	"context"
	"sync"
)

// load counts the calls that are being served.
type load struct {
	mu       sync.Mutex
	total    int
	bySender map[string]int
	// idle are closed when there is none.
	idle []chan struct{}
}

// enter counts a call in, unless there are too many.
func (l *load) enter(sender string) (leave func(), ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.total >= maxCalls || l.bySender[sender] >= maxSenderCalls {
		return nil, false
	}
	l.total++
	l.bySender[sender]++
	return func() { l.leave(sender) }, true
}

func (l *load) leave(sender string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.bySender[sender]--; l.bySender[sender] == 0 {
		delete(l.bySender, sender)
	}
	if l.total--; l.total == 0 {
		for _, idle := range l.idle {
			close(idle)
		}
		l.idle = nil
	}
}

// settle waits until all calls are answered, or until ctx ends.
func (l *load) settle(ctx context.Context) {
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
