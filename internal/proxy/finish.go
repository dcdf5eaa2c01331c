package proxy

import "time"

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
