package proxy

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"gracevisor/internal/wire"
)

// A queue holds the requests and connections that wait for an instance, in the
// order in which they came.
type queue struct {
	mu          sync.Mutex
	first, last *waiter
	n           int
}

// A waiter is one that waits. It waits on its own client's socket, so that it
// notices when the client's patience ends, and is woken there.
type waiter struct {
	sock       *sock
	woken      atomic.Bool
	halfClosed bool // the client had sent its end before
	left       bool // the client has gone
	queued     bool
	prev, next *waiter
}

// join queues w, if current still holds and there is room for limit.
func (q *queue) join(w *waiter, limit int, current func() bool) (joined, full bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case !current():
		return false, false
	case limit > 0 && q.n >= limit:
		return false, true
	}
	w.woken.Store(false)
	w.left, w.queued = false, true
	w.prev, w.next = q.last, nil
	if q.last != nil {
		q.last.next = w
	} else {
		q.first = w
	}
	q.last = w
	q.n++
	return true, false
}

// part takes w out, if it is still in.
func (q *queue) part(w *waiter) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if w.queued {
		q.remove(w)
	}
}

func (q *queue) remove(w *waiter) {
	if w.prev != nil {
		w.prev.next = w.next
	} else {
		q.first = w.next
	}
	if w.next != nil {
		w.next.prev = w.prev
	} else {
		q.last = w.prev
	}
	w.prev, w.next, w.queued = nil, nil, false
	q.n--
}

// wakeAll wakes all, the first one first: the table has changed.
func (q *queue) wakeAll() {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.first != nil {
		w := q.first
		q.remove(w)
		w.woken.Store(true)
		w.sock.file.SetReadDeadline(past)
	}
}

func (q *queue) len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.n
}

// done is the callback of a wait: whether it is over.
func (w *waiter) done(fd int) bool {
	if w.woken.Load() {
		return true
	}
	hup, dead := pending(fd)
	w.left = dead || hup && !w.halfClosed
	return w.left
}

// What ends a hold other than a new table.
var (
	errHoldFull    = errors.New("hold request: too many wait")
	errHoldTimeout = errors.New("hold request: no instance in time")
	errHoldLeft    = errors.New("hold request: the client has left")
)

// A patience is what a request has waited for an instance so far.
type patience struct {
	until int64         // monotime at which it ends; 0: has not waited
	pause time.Duration // between two tries of an instance that refuses
}

// The pauses between two tries to reach an instance that serves by the table
// and refuses to connect: it has crashed most probably, and a table without it,
// or with another in its place, is to come.
const (
	minRetryPause = 2 * time.Millisecond
	maxRetryPause = 100 * time.Millisecond
)

// hold waits until the table is another than r, at most as long as r's
// hold_timeout in all, and returns nil then. If retry is set it returns after a
// short pause as well.
func (c *conn) hold(a *app, r *route, w *waiter, t *patience, retry bool) error {
	if t.until == 0 {
		t.until = monotime() + int64(r.traffic.HoldTimeout)
		t.pause = minRetryPause
		a.counters.of(c).held.Add(1)
		w.sock = &c.sock
		w.halfClosed, _ = pending(c.sock.fd)
	}
	if r.traffic.HoldTimeout > 0 && monotime() >= t.until {
		return errHoldTimeout
	}
	joined, full := a.queue.join(w, r.traffic.HoldMax, func() bool { return a.route.Load() == r })
	switch {
	case full:
		return errHoldFull
	case !joined:
		return nil
	}
	err := c.wait(w, r, t, retry)
	a.queue.part(w)
	return err
}

// wait is the wait of hold.
func (c *conn) wait(w *waiter, r *route, t *patience, retry bool) error {
	s := &c.sock
	s.readBy.Store(0)
	switch {
	case retry:
		by := monotime() + int64(t.pause)
		if r.traffic.HoldTimeout > 0 {
			by = min(by, t.until)
		}
		t.pause = min(2*t.pause, maxRetryPause)
		s.alarm(by)
	case r.traffic.HoldTimeout > 0:
		s.alarm(t.until)
	}
	s.in.hold = w
	_, err := s.wait(opHold)
	s.in.hold = nil
	s.readBy.Store(0)
	switch {
	case w.woken.Load():
		return nil
	case errors.Is(err, errTimeout):
		return nil // hold looks whether that was all
	case err != nil || w.left:
		return errHoldLeft
	}
	return nil
}

// alarm sets a deadline that is kept to the millisecond.
func (s *sock) alarm(by int64) {
	s.readBy.Store(by)
	s.file.SetReadDeadline(epoch.Add(time.Duration(by)))
}

// holding reports whether it makes sense to wait for an instance.
func (r *route) holding() bool { return r.disposition != wire.Unavailable }
