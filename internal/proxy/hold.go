package proxy

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"gracevisor/internal/wire"
)

// A queue holds the requests and connections that wait for an instance, in the
// order in which they came, and lets them go in that order: each one wakes the
// next when its connection to the instance is on the way, which no one can hold
// up. So an app meets them one after the other.
type queue struct {
	mu          sync.Mutex
	first, last *waiter
	n           int
	round       uint64 // tables that let go whoever had joined before
	going       bool   // somebody has been woken who has not woken the next yet
}

// A waiter is one that waits. It waits on its own client's socket, so that it
// notices when the client's patience ends, and is woken there.
type waiter struct {
	sock       *sock
	woken      atomic.Bool
	halfClosed bool // that the client sends its end does not mean that it has gone
	left       bool // the client has gone
	queued     bool
	round      uint64 // of the queue when it joined
	turn       bool   // it has to wake the next one
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
	w.left, w.queued, w.round = false, true, q.round
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

// letGo wakes all who wait now, one after the other: the table has changed. Who
// joins later waits for the next one.
func (q *queue) letGo() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.round++
	if !q.going {
		q.wakeFirst()
	}
}

// wakeFirst wakes the one that has waited longest, if it is to go. q.mu is held.
func (q *queue) wakeFirst() {
	w := q.first
	if q.going = w != nil && w.round < q.round; !q.going {
		return
	}
	q.remove(w)
	w.turn = true
	w.woken.Store(true)
	w.sock.file.SetReadDeadline(past)
}

// handOn wakes who comes after w, if w was woken and has not done so. It has to
// be called before w waits for anything again, or ends.
func (q *queue) handOn(w *waiter) {
	if !w.turn {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	w.turn = false
	q.wakeFirst()
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
	// carried is until as the last owner of the connection has set it, or 0.
	carried int64
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
	a.queue.handOn(w)
	if t.until == 0 {
		t.until = t.carried
		if t.until == 0 {
			t.until = monotime() + int64(r.traffic.HoldTimeout)
		}
		t.pause = minRetryPause
		a.counters.of(c).held.Add(1)
		w.sock = &c.sock
		hup, _ := pending(c.sock.fd)
		w.halfClosed = hup || r.tcp // where it may be all that the client has to say
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
	if err != nil {
		a.queue.handOn(w)
	}
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
	if s.in.atRest && s.freeze.Load() {
		return errFrozen // the alarm may have undone the waking
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
	case err == errFrozen:
		return err
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
