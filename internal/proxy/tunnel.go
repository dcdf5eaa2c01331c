package proxy

import (
	"sync/atomic"
	"time"

	"gracevisor/internal/proxy/http1"
)

// switchOver answers 101 and makes the connection a tunnel. That counts as a
// request in flight until it ends. It may be silent for hours, so the exchange is
// given back; its line in the access log is that of the switch.
func (c *conn) switchOver() fate {
	x := c.x
	u := x.upstream
	c.enterTunnel(u, x.instance, x.app, true)
	x.upstream, x.instance = nil, nil
	c.waiting.Store(0)
	c.appendSwitch()
	x.out = append(x.out, x.up.unread()...)
	err := c.toClient(x.out)
	if err == nil && !x.in.empty() {
		u.writeCancel = nil
		err = u.write(x.in.unread())
	}
	c.up.Store(nil)
	c.account()
	c.giveBack()
	if err != nil {
		c.leaveTunnel()
	} else {
		c.carry()
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

// A tunnel passes bytes between a client and an instance: two directions, and
// what they tell each other.
type tunnel struct {
	app      *app
	instance *instance
	upstream *upstream
	upgraded bool // it began as a request

	half     atomic.Bool // one direction has ended
	cut      atomic.Bool // both have to end now
	up, down transfer
}

// tunnelHalfLife bounds how long a tunnel of which one half has ended may be
// silent: a peer that closed everything looks no different from one that closed
// its half only.
const tunnelHalfLife = 5 * time.Minute

// enterTunnel makes the connection a tunnel to u, on an instance that it counts
// on already.
func (c *conn) enterTunnel(u *upstream, in *instance, a *app, upgraded bool) *tunnel {
	t := &tunnel{app: a, instance: in, upstream: u, upgraded: upgraded}
	all, own := a.counters.of(c), in.counters.of(c)
	t.up = transfer{from: c.client, to: &u.sock, left: -1, half: &t.half, freeze: &c.freeze}
	t.down = transfer{from: &u.sock, to: c.client, left: -1, half: &t.half, freeze: &c.freeze}
	t.up.live = [...]*atomic.Uint64{&all.bytesIn, &own.bytesIn}
	t.down.live = [...]*atomic.Uint64{&all.bytesOut, &own.bytesOut}
	t.gauge().Add(1)
	c.tunnel.Store(t)
	return t
}

// gauge counts the tunnels of its kind.
func (t *tunnel) gauge() *atomic.Int64 {
	if t.upgraded {
		return &t.app.upgraded
	}
	return &t.app.streams
}

// leaveTunnel ends what enterTunnel began, and closes our end of the connection
// to the instance.
func (c *conn) leaveTunnel() {
	t := c.tunnel.Swap(nil)
	t.upstream.close()
	t.up.drop()
	t.down.drop()
	t.gauge().Add(-1)
	t.instance.leave()
}

// carry passes the bytes of a tunnel until both directions have ended, or have
// stopped so that it can be moved. A direction that ends says so to its receiver
// and leaves the other alone (TCP half-close); one that breaks breaks both.
func (c *conn) carry() {
	t := c.tunnel.Load()
	t.upstream.freeze = &c.freeze
	for _, s := range [...]*sock{&c.sock, &t.upstream.sock} {
		s.readBy.Store(0)
		s.writeWithin(0)
		s.readCancel, s.writeCancel = &t.cut, &t.cut
		s.in.atRest, s.out.atRest = true, true
	}
	done := make(chan struct{})
	go func() { // ends with its direction, which carry waits for
		defer close(done)
		t.oneWay(&t.up)
	}()
	t.oneWay(&t.down)
	<-done
	c.sock.in.atRest, c.sock.out.atRest = false, false
	if t.cut.Load() || t.up.over && t.down.over {
		c.leaveTunnel()
		return
	}
	t.up.pause()
	t.down.pause()
	c.stopped = true
}

// oneWay moves the bytes of one direction to their end, or until they are to
// stop.
func (t *tunnel) oneWay(d *transfer) {
	if d.over {
		return
	}
	fromErr, toErr := d.run()
	switch {
	case fromErr == errFrozen || toErr == errFrozen:
		t.wake() // both stop
		return
	case fromErr != nil || toErr != nil || d.to.closeWrite() != nil:
		t.end(d)
		return
	}
	d.over = true
	if !t.half.Swap(true) {
		// The other direction reads from where this one wrote to.
		s := d.to.socket()
		s.readBy.Store(deadline(tunnelHalfLife))
	}
}

// end ends both directions at once, with a reset, so that neither peer takes
// what it got for the whole.
func (t *tunnel) end(d *transfer) {
	if t.cut.Swap(true) {
		return
	}
	d.from.socket().reset()
	d.to.socket().reset()
	t.wake()
}

// wake makes both directions look whether they have to end or to stop.
func (t *tunnel) wake() {
	t.up.from.socket().wake()
	t.up.to.socket().wake()
}
