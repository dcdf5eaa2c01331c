package proxy

import (
	"sync"
	"sync/atomic"
	"time"
)

// The bounds of the pause between two sweeps.
const (
	minSweep = 5 * time.Millisecond
	maxSweep = 500 * time.Millisecond
)

// epoch is the zero of monotime.
var epoch = time.Now()

// monotime is the time since the process began, in nanoseconds.
func monotime() int64 { return int64(time.Since(epoch)) }

// past is a deadline that wakes whoever waits for a socket.
var past = time.Unix(1, 0)

// A sweeper keeps the time-outs of all sockets. Setting a deadline is one
// atomic store, where a timer of the runtime would be locked and moved several
// times in each request; the price is that a time-out comes up to one sweep
// late, which is an eighth of the shortest one, and half a second at most. It also looks after what has to be done now and then.
type sweeper struct {
	every   atomic.Int64 // nanoseconds from one sweep to the next
	closing atomic.Bool
	faster  chan struct{} // every has become less
	shards  [8]shard
	turn    atomic.Uint32
}

type shard struct {
	mu    sync.Mutex
	socks map[*sock]struct{}
}

func newSweeper() *sweeper {
	w := &sweeper{faster: make(chan struct{}, 1)}
	w.every.Store(int64(maxSweep))
	for i := range w.shards {
		w.shards[i].socks = make(map[*sock]struct{})
	}
	return w
}

// adapt chooses the pause so that the shortest time-out is kept with 1/8 of
// itself.
func (w *sweeper) adapt(shortest time.Duration) {
	every := min(max(shortest/8, minSweep), maxSweep)
	if int64(every) < w.every.Swap(int64(every)) {
		select {
		case w.faster <- struct{}{}:
		default:
		}
	}
}

// run sweeps until stop is closed, and calls also after each sweep.
func (w *sweeper) run(stop <-chan struct{}, also func(now int64)) {
	timer := time.NewTimer(time.Duration(w.every.Load()))
	defer timer.Stop()
	for {
		select {
		case <-stop:
			return
		case <-w.faster:
		case <-timer.C:
			now := monotime()
			w.sweep(now)
			also(now)
		}
		timer.Reset(time.Duration(w.every.Load()))
	}
}

// deadline is the time in monotime after d, or 0 for none.
func deadline(d time.Duration) int64 {
	if d <= 0 {
		return 0
	}
	return monotime() + int64(d)
}

// sweep wakes those whose time has come.
func (w *sweeper) sweep(now int64) {
	for i := range w.shards {
		sh := &w.shards[i]
		sh.mu.Lock()
		for s := range sh.socks {
			if by := s.readBy.Load(); by != 0 && now >= by {
				s.file.SetReadDeadline(past)
			}
			if by := s.writeBy.Load(); by != 0 && now >= by {
				s.file.SetWriteDeadline(past)
			}
			if s.owner != nil {
				s.owner.watch(now)
			}
		}
		sh.mu.Unlock()
	}
}

// add begins to look after s.
func (w *sweeper) add(s *sock) {
	s.shard = uint8(w.turn.Add(1) % uint32(len(w.shards)))
	sh := &w.shards[s.shard]
	sh.mu.Lock()
	sh.socks[s] = struct{}{}
	sh.mu.Unlock()
}

// remove ends it: when it returns, the sweeper does not use s any more.
func (w *sweeper) remove(s *sock) {
	sh := &w.shards[s.shard]
	sh.mu.Lock()
	delete(sh.socks, s)
	sh.mu.Unlock()
}

// close ends every wait, and every later one, with errClosing.
func (w *sweeper) close() {
	w.closing.Store(true)
	for i := range w.shards {
		sh := &w.shards[i]
		sh.mu.Lock()
		for s := range sh.socks {
			s.wake()
		}
		sh.mu.Unlock()
	}
}
