package proxy

import (
	"errors"

	"gracevisor/internal/proxy/http1"
)

// retry is what was tried for a request so far.
type retry struct {
	tried    []*instance // those that refused, since the last pause
	last     *instance
	patience patience
	fresh    bool // no idle connection any more
	resent   bool // a written request was sent again: never more than once
	unsent   int
}

func (r *retry) reset() {
	clear(r.tried)
	*r = retry{tried: r.tried[:0]}
}

// maxUnsent bounds the connections in a row that break before they take a byte.
const maxUnsent = 3

// afterFailure decides what comes after an attempt that failed: another
// (proceed), or an answer of our own.
func (c *conn) afterFailure(o outcome) fate {
	x := c.x
	r := &x.retry
	switch o {
	case refused:
		r.tried = append(r.tried, r.last)
		c.countRetry()
		return proceed
	case unsent:
		if r.unsent++; r.unsent <= maxUnsent {
			r.fresh = true
			c.countRetry()
			return proceed
		}
	case unanswered:
		if !r.resent && !x.upload.needed && idempotent(x.req.Method) {
			r.fresh, r.resent = true, true
			c.countRetry()
			return proceed
		}
	case late:
		return c.fail(504)
	case withdrawn:
		return c.withdrawn()
	}
	return c.fail(502)
}

// withdrawn answers a request whose client gave up, or broke the rules in its
// body.
func (c *conn) withdrawn() fate {
	var broken *http1.Error
	switch err := c.x.upload.err; {
	case errors.As(err, &broken):
		c.gone.Store(false)
		return c.refuse(broken)
	case errors.Is(err, errTimeout):
		c.gone.Store(false)
		return c.fail(408)
	}
	return sever
}

// idempotent reports whether a request may be sent again without asking (RFC
// 9110 §9.2.2).
func idempotent(method []byte) bool {
	switch string(method) {
	case "GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE":
		return true
	}
	return false
}
