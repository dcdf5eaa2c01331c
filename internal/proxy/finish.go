package proxy

import (
	"time"

	"gracevisor/internal/proxy/http1"
)

// settle cleans up after the answer: the connection to the app goes back to its
// pool if it is at rest, and the client's goes on if both know that it does.
func (c *conn) settle(err error) fate {
	x := c.x
	if err == nil && !x.closing {
		c.awaitUpload()
	}
	read := !x.upload.needed || x.upload.read.Load()
	c.stopUpload()
	rest := err == nil && x.resp.KeepAlive && x.resp.Framing != http1.UntilClose &&
		(!x.upload.needed || x.upload.sent)
	if rest && !x.up.empty() {
		c.blameApp(errAnswerLong)
		rest = false
	}
	c.up.Store(nil)
	if u := x.upstream; u != nil {
		x.upstream = nil
		if rest {
			x.instance.pool.put(u, x.resp.KeepAliveTimeout)
		} else {
			u.close()
		}
	}
	switch {
	case err != nil && !x.expected:
		return abort
	case err != nil:
		return sever
	case c.gone.Load():
		return sever
	case !read:
		return linger
	case x.closing && (x.req.KeepAlive || !x.in.empty()):
		return linger
	case x.closing:
		return finish
	}
	return keep
}

// The bounds of a lingering close.
const (
	lingerTime  = 2 * time.Second
	lingerBytes = 256 << 10
)

// part ends the connection as the last phase wants it.
func (c *conn) part(f fate) {
	switch f {
	case linger:
		c.lingerOn()
	case abort:
		c.sock.reset()
	}
}

// lingerOn closes our half and reads what the client still sends, so that the
// answer to it does not get lost in a reset (RFC 9112 §9.6).
func (c *conn) lingerOn() {
	if c.client.closeWrite() != nil {
		return
	}
	c.sock.readBy.Store(monotime() + int64(lingerTime))
	for left := lingerBytes; left > 0; {
		n, err := c.client.read(c.x.up.b)
		if err != nil || n == 0 {
			return
		}
		left -= n
	}
}
