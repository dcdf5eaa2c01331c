package proxy

import (
	"sync"
	"time"
)

// Habits of idle connections to apps.
const (
	// idleLife is how long a connection stays idle before it is closed, if
	// the app does not say (Keep-Alive: timeout=). It is less than the usual
	// time-outs of app servers, the shortest of which is 5 s.
	idleLife = 4 * time.Second
	// freshEnough is how long a connection may have been idle to be given to
	// a request that may not be sent twice.
	freshEnough = 500 * time.Millisecond
	// maxIdle bounds the idle connections of an instance.
	maxIdle = 2048
)

// An upstream is a connection to an instance.
type upstream struct {
	sock
	reused  bool
	expires int64 // monotime at which it must not be idle any more
	since   int64 // monotime since when it is idle
}

// A pool holds the idle connections of an instance. The last one in is the
// first one out, so that those that are not needed grow old.
type pool struct {
	hub *sweeper

	mu     sync.Mutex
	idle   []*upstream
	closed bool
}

// take returns an idle connection, or nil. fresh asks for one that was used
// just now.
func (l *pool) take(now int64, fresh bool) *upstream {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := len(l.idle)
	if n == 0 {
		return nil
	}
	u := l.idle[n-1]
	if now >= u.expires || fresh && now-u.since >= int64(freshEnough) {
		return nil // all below it are older
	}
	l.idle[n-1] = nil
	l.idle = l.idle[:n-1]
	u.reused = true
	return u
}

// put takes a connection that is at rest back, or closes it. timeout is what
// the app says in Keep-Alive, in seconds, or negative.
func (l *pool) put(u *upstream, timeout int) {
	life := idleLife
	if timeout >= 0 {
		life = min(life, time.Duration(timeout-1)*time.Second)
	}
	u.since = monotime()
	u.expires = u.since + int64(life)
	u.readBy.Store(0)
	u.writeBy.Store(0)
	u.readCancel, u.writeCancel = nil, nil
	l.mu.Lock()
	keep := !l.closed && life > 0 && len(l.idle) < maxIdle
	if keep {
		l.idle = append(l.idle, u)
	}
	l.mu.Unlock()
	if !keep {
		u.close()
	}
}

// expire closes the connections that have been idle for too long.
func (l *pool) expire(now int64) {
	l.mu.Lock()
	keep := l.idle[:0]
	var old []*upstream
	for _, u := range l.idle {
		if now >= u.expires {
			old = append(old, u)
		} else {
			keep = append(keep, u)
		}
	}
	clear(l.idle[len(keep):])
	l.idle = keep
	l.mu.Unlock()
	closeUpstreams(old)
}

// close closes the idle connections, and those that come back later.
func (l *pool) close() {
	l.mu.Lock()
	idle := l.idle
	l.idle, l.closed = nil, true
	l.mu.Unlock()
	closeUpstreams(idle)
}

// open takes close back.
func (l *pool) open() {
	l.mu.Lock()
	l.closed = false
	l.mu.Unlock()
}

func closeUpstreams(list []*upstream) {
	for _, u := range list {
		u.close()
	}
}
