package proxy

import "errors"

// outcome is what became of an attempt to have a request answered.
type outcome uint8

const (
	answered   outcome = iota // the head of the answer is in x.resp
	refused                   // no connection to the instance
	unsent                    // the connection broke before it took a byte
	unanswered                // the request was sent, and not a byte came back
	garbage                   // what came back is not an answer
	late                      // no answer within answer_timeout
	withdrawn                 // the client has left, or its body is at fault
)

// forward has the request answered by an instance: by another, or again, where
// that is allowed.
func (c *conn) forward() fate {
	for {
		if f := c.acquire(); f != proceed {
			return f
		}
		o := c.attempt()
		if o == answered {
			return c.answer()
		}
		c.discard()
		c.release()
		if f := c.afterFailure(o); f != proceed {
			return f
		}
	}
}

// acquire begins the request on an instance, and waits for one if need be.
func (c *conn) acquire() fate {
	x := c.x
	for {
		in, r := x.app.acquire(x.retry.tried)
		if in != nil {
			in.counters.of(c).requests.Add(1)
			x.instance, x.retry.last = in, in
			return proceed
		}
		if !r.holding() {
			x.app.queue.handOn(&x.waiter)
			return c.fail(503)
		}
		retry := len(x.retry.tried) > 0
		err := c.hold(x.app, r, &x.waiter, &x.retry.patience, retry)
		switch {
		case errors.Is(err, errHoldLeft):
			return sever
		case err != nil:
			return c.fail(503)
		}
		x.retry.tried = x.retry.tried[:0]
	}
}

// release ends what acquire began.
func (c *conn) release() {
	if in := c.x.instance; in != nil {
		c.x.instance = nil
		in.leave()
	}
}

// attempt sends the request to the instance, and reads the head of the answer.
func (c *conn) attempt() outcome {
	x := c.x
	u, err := c.connect()
	if err != nil {
		return c.refusedBy(err)
	}
	x.upstream = u
	x.resp.Reset()
	x.up.r, x.up.w = 0, 0
	c.up.Store(u)
	u.readCancel, u.writeCancel = &c.gone, &c.gone
	u.readBy.Store(deadline(x.route.traffic.AnswerTimeout))
	u.writeWithin(x.route.traffic.BodyTimeout)
	sent, n, err := c.send(u)
	if n == 0 {
		return c.silence(u, sent, err)
	}
	x.up.w = n
	return c.readAnswer()
}

// connect takes an idle connection to the instance, or makes one. A request
// that can not be sent again goes only where it will not find a closed door:
// on a connection that was in use just now, or on a new one.
func (c *conn) connect() (*upstream, error) {
	x := c.x
	in := x.instance
	now := monotime()
	c.waiting.Store(now)
	defer x.app.queue.handOn(&x.waiter)
	if !x.retry.fresh && !x.upload.needed {
		if u := in.pool.take(now, !idempotent(x.req.Method)); u != nil {
			return u, nil
		}
	}
	by := deadline(x.route.traffic.ConnectTimeout)
	return c.proxy.sweep.dial(&in.address, by, &c.gone, func(u *upstream) {
		c.up.Store(u)
		x.app.queue.handOn(&x.waiter)
	})
}

func (c *conn) refusedBy(err error) outcome {
	c.up.Store(nil)
	if c.gone.Load() || errors.Is(err, errClosing) {
		return withdrawn
	}
	return refused
}

// send sends what x.out holds, and waits for the first bytes of the answer.
func (c *conn) send(u *upstream) (sent, n int, err error) {
	x := c.x
	if !x.upload.needed {
		return u.exchange(x.out, x.up.free())
	}
	if err = u.write(x.out); err != nil {
		n, err = u.lastWords(x.up.free(), err)
		return 1, n, err // it may have taken some
	}
	c.startUpload(u)
	n, err = u.read(x.up.free())
	return len(x.out), n, err
}

// silence finds out why not a byte was answered.
func (c *conn) silence(u *upstream, sent int, err error) outcome {
	switch {
	case errors.Is(err, errTimeout):
		return late
	case errors.Is(err, errCancelled), errors.Is(err, errClosing):
		return withdrawn
	case sent == 0:
		return unsent
	}
	return unanswered
}

// discard closes the connection to the app, whatever state it is in.
func (c *conn) discard() {
	c.stopUpload()
	c.waiting.Store(0)
	c.up.Store(nil)
	if u := c.x.upstream; u != nil {
		c.x.upstream = nil
		u.close()
	}
}

// progress notes that bytes have moved.
func (c *conn) progress() { c.waiting.Store(monotime()) }
