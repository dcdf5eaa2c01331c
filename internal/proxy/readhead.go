package proxy

import (
	"errors"

	"gracevisor/internal/proxy/handoff"
	"gracevisor/internal/proxy/http1"
)

// readHead reads the head of a request. Its first bytes are in x.in already.
func (c *conn) readHead() fate {
	x := c.x
	limited := false
	for {
		n, err := x.req.Parse(x.in.unread(), x.route.request)
		switch {
		case err != nil:
			return c.refuseHead(err)
		case n > 0:
			x.in.r += n
			x.parsed = true
			c.countHead(n)
			return proceed
		}
		if !limited {
			limited = true
			c.sock.readBy.Store(c.resumed(x.route.traffic.HeaderTimeout))
		}
		// One byte more than the limit shows that it is broken.
		if x.in.w == len(x.in.b) && !x.in.grow(x.route.request.MaxBytes+1) {
			return c.refuseHead(errHeadLong)
		}
		if f := c.readMore(); f != proceed {
			return f
		}
	}
}

// readMore reads more of a head that has begun.
func (c *conn) readMore() fate {
	x := c.x
	c.sock.in.atRest = x.in.len() <= handoff.MaxData
	n, err := c.client.read(x.in.free())
	c.sock.in.atRest = false
	switch {
	case err == errFrozen:
		c.stop()
		return move
	case errors.Is(err, errTimeout):
		return c.refuseHead(errHeadLate)
	case err != nil || n == 0:
		return sever
	}
	x.in.w += n
	return proceed
}

var (
	errHeadLong = &http1.Error{Status: 431, Reason: "header block over the limit"}
	errHeadLate = &http1.Error{Status: 408, Reason: "header block not complete in time"}
)

// refuseHead answers a head that could not be read. Nothing that was found in it
// is used.
func (c *conn) refuseHead(err error) fate {
	r := &c.x.req
	r.Reset()
	r.Method, r.Target, r.Host, r.Fields = nil, nil, nil, r.Fields[:0]
	r.Minor, r.KeepAlive, r.Framing = 1, false, http1.NoBody
	c.x.parsed = true
	c.countHead(c.x.in.len())
	return c.refuse(err)
}

// refuse answers a message that breaks the rules.
func (c *conn) refuse(err error) fate {
	var broken *http1.Error
	if !errors.As(err, &broken) {
		return c.fail(400)
	}
	return c.fail(broken.Status)
}

// screen answers what is not for an app, and finds out what is special about
// the rest.
func (c *conn) screen() fate {
	x := c.x
	r := &x.req
	limit := x.route.traffic.MaxBodyBytes
	switch {
	case string(r.Method) == "CONNECT":
		return c.fail(405)
	case r.MaxForwards == 0:
		return c.answerHere()
	case limit > 0 && r.Framing == http1.Length && r.Length > limit:
		return c.fail(413)
	}
	if len(r.Upgrade) > 0 {
		c.screenUpgrade()
	}
	return proceed
}

// screenUpgrade decides whether a wish to change the protocol is passed on.
// Where it is not, the request is an ordinary one; bytes behind it may be of the
// other protocol, and are not taken for requests (RFC 9931 §5).
func (c *conn) screenUpgrade() {
	x := c.x
	bare := x.req.Framing == http1.NoBody || x.req.Framing == http1.Length && x.req.Length == 0
	if string(x.req.Method) == "GET" && bare {
		x.upgrade = x.route.upgrade(x.req.Upgrade)
	}
	if x.upgrade != "" || !x.in.empty() {
		x.unsettled = true
	}
}
