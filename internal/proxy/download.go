package proxy

import (
	"errors"

	"gracevisor/internal/proxy/http1"
)

// errApp marks a body that the app did not bring to its end.
var errApp = errors.New("read body from app")

// sendAnswer sends the head in x.out, together with the part of the body that
// is there already, and then the rest.
func (c *conn) sendAnswer() error {
	switch x := c.x; x.resp.Framing {
	case http1.Length:
		return c.sendAnswerLength()
	case http1.Chunked:
		return c.sendAnswerChunks()
	case http1.UntilClose:
		return c.sendAnswerUntilClose()
	default:
		return c.toClient(x.out)
	}
}

// sendAnswerLength sends a body of known length.
func (c *conn) sendAnswerLength() error {
	x := c.x
	left := x.resp.Length
	n := int(min(left, int64(x.up.len())))
	x.out = append(x.out, x.up.unread()[:n]...)
	x.up.r += n
	left -= int64(n)
	if err := c.toClient(x.out); err != nil || left == 0 {
		return err
	}
	u := x.upstream
	u.readBy.Store(0)
	t := &x.download
	*t = transfer{from: &u.sock, to: c.client, left: left, patience: x.route.traffic.BodyTimeout, sum: &x.log.out, conn: c}
	fromErr, toErr := t.run()
	if toErr != nil {
		return toErr
	}
	if fromErr != nil || t.left > 0 {
		return c.shortAnswer(fromErr)
	}
	return nil
}

// shortAnswer is the error of a body that ended before its end.
func (c *conn) shortAnswer(err error) error {
	if errors.Is(err, errCancelled) || errors.Is(err, errClosing) {
		return err
	}
	c.blameApp(errAnswerShort)
	return errApp
}

// sendAnswerChunks sends a chunked body: what has come, as one chunk, at once.
func (c *conn) sendAnswerChunks() error {
	x := c.x
	for {
		c.appendData(x.data)
		if x.complete && x.req.Minor > 0 {
			x.out = http1.AppendLastChunk(x.out, keepTrailers(x.chunks.Trailers(), x.resp.Named))
		}
		if len(x.out) > 0 {
			if err := c.toClient(x.out); err != nil {
				return err
			}
		}
		if x.complete {
			return nil
		}
		x.out = x.out[:0]
		n, err := c.readBody()
		if err != nil || n == 0 {
			return c.shortAnswer(err)
		}
		if x.data, x.complete, err = compactChunks(&x.chunks, &x.up); err != nil {
			c.blameApp(err)
			return errApp
		}
	}
}

// appendData writes data for the client into x.out: as a chunk, if it knows such.
func (c *conn) appendData(data []byte) {
	x := c.x
	if x.req.Minor > 0 {
		x.out = appendChunk(x.out, data)
	} else {
		x.out = append(x.out, data...)
	}
}

// sendAnswerUntilClose sends a body that ends with its connection.
func (c *conn) sendAnswerUntilClose() error {
	x := c.x
	for {
		c.appendData(x.up.unread())
		x.up.r = x.up.w
		if err := c.toClient(x.out); err != nil {
			return err
		}
		x.out = x.out[:0]
		n, err := c.readBody()
		switch {
		case err != nil:
			return c.shortAnswer(err)
		case n == 0 && x.req.Minor > 0:
			return c.toClient(http1.AppendLastChunk(x.out, nil))
		case n == 0:
			return nil
		}
	}
}

// readBody reads more of the answer into x.up, all of which was used, behind
// its head. An answer without a length may be a stream of events, and be silent
// for as long as it likes.
func (c *conn) readBody() (int, error) {
	x := c.x
	x.up.r, x.up.w = x.headEnd, x.headEnd
	if len(x.up.free()) < upSize/2 {
		x.up.renew(upSize)
		x.headEnd = 0
	}
	x.upstream.readBy.Store(0)
	n, err := x.upstream.read(x.up.free())
	x.up.w += n
	c.progress()
	return n, err
}
