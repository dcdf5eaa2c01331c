package proxy

import (
	"errors"

	"gracevisor/internal/proxy/http1"
)

// readAnswer reads the head of the answer into x.resp; its first bytes are in
// x.up. What is only interim on the way there is passed on.
func (c *conn) readAnswer() outcome {
	x := c.x
	head := string(x.req.Method) == "HEAD"
	for {
		n, err := x.resp.Parse(x.up.unread(), x.route.answer, head)
		switch {
		case err != nil:
			c.blameApp(err)
			return garbage
		case n == 0:
			if o := c.readAnswerMore(); o != answered {
				return o
			}
			continue
		}
		x.up.r += n
		x.headEnd = x.up.r
		if x.resp.Status >= 200 || x.resp.Status == 101 {
			return c.checkAnswer()
		}
		if err := c.passInterim(); err != nil {
			return withdrawn
		}
	}
}

// readAnswerMore reads more of a head that has begun.
func (c *conn) readAnswerMore() outcome {
	x := c.x
	if x.up.w == len(x.up.b) && !x.up.grow(x.route.answer.MaxBytes+1) {
		c.blameApp(errAnswerHeadLong)
		return garbage
	}
	n, err := x.upstream.read(x.up.free())
	switch {
	case errors.Is(err, errTimeout):
		return late
	case errors.Is(err, errCancelled), errors.Is(err, errClosing):
		return withdrawn
	case err != nil || n == 0:
		c.blameApp(errAnswerCut)
		return garbage
	}
	x.up.w += n
	return answered
}

// What apps do wrong beside what the codec finds.
var (
	errAnswerHeadLong = &http1.Error{Status: 502, Reason: "header block over the limit"}
	errAnswerCut      = &http1.Error{Status: 502, Reason: "closed before its header block was complete"}
	errAnswerShort    = &http1.Error{Status: 502, Reason: "closed before its body was complete"}
	errAnswerLong     = &http1.Error{Status: 502, Reason: "bytes after its body"}
	errAnswerSwitch   = &http1.Error{Status: 502, Reason: "101 that was not asked for"}
)

// blameApp tells the operator what an app does wrong.
func (c *conn) blameApp(err error) {
	var broken *http1.Error
	if errors.As(err, &broken) {
		c.x.app.faults.report(c.proxy.log, c.x.app.name, broken)
	}
}

// checkAnswer looks at what can be known to be wrong while there is still time to
// say so: a switch that was not asked for, and the chunks that came with the
// head.
func (c *conn) checkAnswer() outcome {
	x := c.x
	var err error
	switch {
	case x.resp.Status == 101 && x.upgrade == "":
		err = errAnswerSwitch
	case x.resp.Framing == http1.Chunked:
		x.chunks.Reset(x.route.answer)
		x.data, x.complete, err = compactChunks(&x.chunks, &x.up)
	}
	if err != nil {
		c.blameApp(err)
		return garbage
	}
	return answered
}

// passInterim passes an interim answer on to those who know such (RFC 9110
// §15.2): not to HTTP/1.0, and 100 only to who waits for it.
func (c *conn) passInterim() error {
	x := c.x
	if x.req.Minor == 0 || x.resp.Status == 100 && !x.req.ExpectContinue {
		return nil
	}
	out := http1.AppendStatusLine(x.out[:0], x.resp.Status, x.resp.Reason)
	for i := range x.resp.Fields {
		f := &x.resp.Fields[i]
		if f.Kind != http1.KindContentLength && !x.resp.HopByHop(i) {
			out = http1.AppendField(out, f.Name, f.Value)
		}
	}
	x.out = append(out, "\r\n"...)
	if x.resp.Status == 100 {
		// From now on it is the client that the upload waits for.
		c.sock.readBy.Store(deadline(x.route.traffic.BodyTimeout))
	}
	return c.toClient(x.out)
}

// answer sends the answer, whose head is in x.resp, to the client.
func (c *conn) answer() fate {
	x := c.x
	c.countAnswer(x.resp.Status)
	if x.resp.Status == 101 {
		return c.switchOver()
	}
	c.appendAnswerHead()
	err := c.sendAnswer()
	c.waiting.Store(0)
	f := c.settle(err)
	c.release()
	return f
}

// toClient writes to the client.
func (c *conn) toClient(p []byte) error {
	c.sock.writeWithin(c.x.route.traffic.BodyTimeout)
	err := c.client.write(p)
	if err == nil {
		c.x.log.out += int64(len(p))
	}
	return err
}
