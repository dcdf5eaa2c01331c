package proxy

import (
	"errors"

	"gracevisor/internal/proxy/http1"
)

// collectBody writes the request for the app into x.out: its head, and its body
// if that is small and all there, or to be had without asking the client to
// send it. Such a request leaves in one write and can be sent again. Of any
// other body x.out gets what has come already, and upload sends the rest.
func (c *conn) collectBody() fate {
	x := c.x
	c.appendRequestHead()
	x.upload.reset()
	switch x.req.Framing {
	case http1.Length:
		return c.collectLength()
	case http1.Chunked:
		return c.collectChunks()
	}
	return proceed
}

func (c *conn) collectLength() fate {
	x := c.x
	left := x.req.Length
	n := int(min(left, int64(x.in.len())))
	x.out = append(x.out, x.in.unread()[:n]...)
	x.in.r += n
	left -= int64(n)
	x.log.in += int64(n)
	if left == 0 {
		return proceed
	}
	if x.req.Length > replayable || x.req.ExpectContinue {
		x.upload.left, x.upload.needed = left, true
		return proceed
	}
	return c.readSmallBody(int(left))
}

// readSmallBody waits for the rest of a body that is kept.
func (c *conn) readSmallBody(left int) fate {
	x := c.x
	x.out = grown(x.out, left)
	for left > 0 {
		c.sock.readBy.Store(deadline(x.route.traffic.BodyTimeout))
		free := x.out[len(x.out) : len(x.out)+left]
		n, err := c.client.read(free)
		switch {
		case errors.Is(err, errTimeout):
			return c.fail(408)
		case err != nil || n == 0:
			return sever
		}
		x.out = x.out[:len(x.out)+n]
		x.log.in += int64(n)
		left -= n
	}
	return proceed
}

// grown is b with room for n bytes more.
func grown(b []byte, n int) []byte {
	if cap(b)-len(b) >= n {
		return b
	}
	return append(make([]byte, 0, len(b)+n), b...)
}

// collectChunks takes the chunks that came with the head. A chunked body may
// be one half of a conversation, so it never waits for more.
func (c *conn) collectChunks() fate {
	x := c.x
	x.upChunks.Reset(x.route.request)
	out, done, err := c.passChunks(x.out)
	if err != nil {
		return c.refuse(err)
	}
	x.out = out
	x.upload.needed = !done
	return proceed
}

// passChunks appends the data of all chunks in x.in, whole or not, to out as one
// chunk, and at the end of the body its trailers.
func (c *conn) passChunks(out []byte) (_ []byte, done bool, err error) {
	x := c.x
	data, done, err := compactChunks(&x.upChunks, &x.in)
	if err != nil {
		return out, false, err
	}
	x.seen += int64(len(data))
	x.log.in += int64(len(data))
	if limit := x.route.traffic.MaxBodyBytes; limit > 0 && x.seen > limit {
		return out, false, errBodyLong
	}
	out = appendChunk(out, data)
	if done {
		out = http1.AppendLastChunk(out, keepTrailers(x.upChunks.Trailers(), x.req.Named))
	}
	return out, done, nil
}

// errBodyLong refuses a body whose length was not known before.
var errBodyLong = &http1.Error{Status: 413, Reason: "body over max_body_bytes"}

// keepTrailers leaves out the trailers that Connection names.
func keepTrailers(list []http1.Field, named func([]byte) bool) []http1.Field {
	kept := list[:0]
	for _, f := range list {
		if !named(f.Name) {
			kept = append(kept, f)
		}
	}
	return kept
}

// compactChunks takes the framing out of what b holds and returns the data,
// which stays in b's memory until that is used again.
func compactChunks(chunks *http1.ChunkReader, b *buffer) (data []byte, done bool, err error) {
	first, end := b.r, b.r
	for {
		skip, n, last, err := chunks.Next(b.unread())
		if err != nil {
			return b.b[first:end], false, err
		}
		b.r += skip
		end += copy(b.b[end:], b.b[b.r:b.r+n])
		b.r += n
		if last || b.empty() {
			return b.b[first:end], last, nil
		}
	}
}

// appendChunk appends data as one chunk, if there is any.
func appendChunk(out, data []byte) []byte {
	if len(data) == 0 {
		return out
	}
	out = http1.AppendChunkHeader(out, len(data))
	return append(append(out, data...), "\r\n"...)
}
