package proxy

import (
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// A gate bounds a number of connections. Who does not come in waits, so that
// clients over the limit stay in the backlog.
type gate struct {
	n       atomic.Int64
	max     atomic.Int64 // 0: no bound
	waiting atomic.Bool  // somebody waits; looked at after n has become less

	mu   sync.Mutex
	room chan struct{} // closed when there may be room again
}

func newGate() *gate { return &gate{room: make(chan struct{})} }

// limit sets the bound.
func (g *gate) limit(n int) {
	g.max.Store(int64(n))
	g.announce()
}

// enter takes a place, and reports whether there was one.
func (g *gate) enter() bool {
	if n, limit := g.n.Add(1), g.max.Load(); limit > 0 && n > limit {
		g.leave()
		return false
	}
	return true
}

// leave gives a place back.
func (g *gate) leave() {
	g.n.Add(-1)
	if g.waiting.Load() {
		g.announce()
	}
}

func (g *gate) announce() {
	g.mu.Lock()
	g.waiting.Store(false)
	close(g.room)
	g.room = make(chan struct{})
	g.mu.Unlock()
}

// wait waits until there may be room, or quit is closed: then it is false.
func (g *gate) wait(quit <-chan struct{}) bool {
	for {
		g.mu.Lock()
		room := g.room
		g.waiting.Store(true)
		limit := g.max.Load()
		g.mu.Unlock()
		if limit == 0 || g.n.Load() < limit {
			return true
		}
		select {
		case <-room:
		case <-quit:
			return false
		}
	}
}

// clientRoom is how many clients the process has file descriptors for, or 0
// without a bound (RLIMIT_NOFILE, getrlimit(2)). A quarter is left for what
// serving them takes: connections to apps, and pipes. Without it, clients that
// are let in would wait for those that are idle.
func clientRoom() int {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil || limit.Cur >= unix.RLIM_INFINITY>>1 {
		return 0
	}
	return int(limit.Cur - limit.Cur/4)
}

// atMost is the lesser of two bounds, of which 0 is none.
func atMost(a, b int) int {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// enter counts a connection to an app in, or returns the gate that is full.
func (p *Proxy) enter(a *app) (full *gate) {
	if !p.gate.enter() {
		return p.gate
	}
	if !a.gate.enter() {
		p.gate.leave()
		return a.gate
	}
	return nil
}

// leave counts a connection out.
func (p *Proxy) leave(a *app) {
	a.gate.leave()
	p.gate.leave()
	p.checkDrained()
}
