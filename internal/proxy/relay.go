package proxy

import "errors"

// relay serves a connection of an app with `proxy: tcp`: it waits for an
// instance as a request does, and is then a tunnel.
func (c *conn) relay() {
	a := c.home
	count := a.counters.of(c)
	if !c.served {
		c.served = true
		count.requests.Add(1)
	}
	r := retry{patience: patience{carried: c.resumed(0)}}
	w := new(waiter)
	defer a.queue.handOn(w)
	for {
		in, u := c.reach(a, w, &r)
		if in == nil {
			return // or it has stopped
		}
		if u == nil {
			r.tried = append(r.tried, in)
			count.retries.Add(1)
			in.counters.of(c).retries.Add(1)
			continue
		}
		c.enterTunnel(u, in, a, false)
		c.carry()
		return
	}
}

// reach connects to an instance, and waits for one if need be. Without an
// instance there is no use in going on; without a connection that instance
// refused.
func (c *conn) reach(a *app, w *waiter, r *retry) (*instance, *upstream) {
	for {
		in, rt := a.acquire(r.tried)
		if in == nil {
			if !c.awaitInstance(a, rt, w, r) {
				return nil, nil
			}
			r.tried = r.tried[:0]
			continue
		}
		u, err := c.proxy.sweep.dial(&in.address, deadline(rt.traffic.ConnectTimeout), &c.gone,
			func(*upstream) { a.queue.handOn(w) })
		if err == nil {
			in.counters.of(c).requests.Add(1)
			return in, u
		}
		in.leave()
		if errors.Is(err, errClosing) {
			return nil, nil
		}
		return in, nil
	}
}

// awaitInstance waits for another table. False means that there is no use in
// going on, or that the connection has stopped so that it can be moved.
func (c *conn) awaitInstance(a *app, rt *route, w *waiter, r *retry) bool {
	err := errHoldTimeout
	if rt.holding() {
		c.sock.in.atRest = true
		err = c.hold(a, rt, w, &r.patience, len(r.tried) > 0)
		c.sock.in.atRest = false
	}
	switch err {
	case nil:
		return true
	case errFrozen:
		c.stop()
		c.resumeBy = r.patience.until
	default:
		a.counters.of(c).errors.Add(1)
	}
	return false
}
