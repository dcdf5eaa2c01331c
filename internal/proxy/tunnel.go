package proxy

import (
	"sync/atomic"
	"time"

	"gracevisor/internal/proxy/http1"
)

// tunnel answers 101 and then passes bytes in both directions, those that came
// with the heads first, until both have ended. It counts as a request in flight
// all the while. It may be silent for hours, so the exchange is given back; its
// line in the access log is that of the switch.
func (c *conn) tunnel() fate {
	x := c.x
	u, in, a := x.upstream, x.instance, x.app
	x.upstream, x.instance = nil, nil
	defer in.leave()
	defer u.close()
	defer c.up.Store(nil)
	c.waiting.Store(0)
	c.appendSwitch()
	x.out = append(x.out, x.up.unread()...)
	err := c.toClient(x.out)
	if err == nil && !x.in.empty() {
		u.writeCancel = nil
		err = u.write(x.in.unread())
	}
	c.account()
	c.giveBack()
	if err == nil {
		c.join(u, a)
	}
	return over
}

// appendSwitch writes the head of a 101 into x.out.
func (c *conn) appendSwitch() {
	x := c.x
	out := http1.AppendStatusLine(x.out[:0], 101, x.resp.Reason)
	for i := range x.resp.Fields {
		if !x.resp.HopByHop(i) {
			out = http1.AppendField(out, x.resp.Fields[i].Name, x.resp.Fields[i].Value)
		}
	}
	out = append(out, "Connection: Upgrade\r\nUpgrade: "...)
	x.out = append(append(out, x.upgrade...), "\r\n\r\n"...)
}

// A pairing is the state of a tunnel: two directions, and what they tell each
// other.
type pairing struct {
	half     atomic.Bool // one direction has ended
	cut      atomic.Bool // both have to end now
	up, down transfer
}

// tunnelHalfLife bounds how long a tunnel of which one half has ended may be
// silent: a peer that closed everything looks no different from one that closed
// its half only.
const tunnelHalfLife = 5 * time.Minute

// join passes bytes between client and app until both directions have ended. One
// that ends says so to its receiver and leaves the other alone (TCP half-close);
// one that breaks breaks both.
func (c *conn) join(u *upstream, a *app) {
	count := a.counters.of(c)
	t := &pairing{}
	t.up = transfer{from: c.client, to: &u.sock, left: -1, half: &t.half, live: &count.bytesIn}
	t.down = transfer{from: &u.sock, to: c.client, left: -1, half: &t.half, live: &count.bytesOut}
	for _, s := range [...]*sock{&c.sock, &u.sock} {
		s.readBy.Store(0)
		s.writeWithin(0)
		s.readCancel, s.writeCancel = &t.cut, &t.cut
	}
	done := make(chan struct{})
	go func() { // ends with its direction, which join waits for
		defer close(done)
		t.oneWay(&t.up)
	}()
	t.oneWay(&t.down)
	<-done
}

// oneWay moves the bytes of one direction to their end.
func (t *pairing) oneWay(d *transfer) {
	fromErr, toErr := d.run()
	if fromErr != nil || toErr != nil || d.to.closeWrite() != nil {
		t.end(d)
		return
	}
	if !t.half.Swap(true) {
		// The other direction reads from where this one wrote to.
		s := d.to.socket()
		s.readBy.Store(deadline(tunnelHalfLife))
	}
}

// end ends both directions at once, with a reset, so that neither peer takes
// what it got for the whole.
func (t *pairing) end(d *transfer) {
	if t.cut.Swap(true) {
		return
	}
	for _, s := range [...]*sock{d.from.socket(), d.to.socket()} {
		s.reset()
		s.wake()
	}
}
