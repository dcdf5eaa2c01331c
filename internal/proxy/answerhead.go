package proxy

import "gracevisor/internal/proxy/http1"

// appendAnswerHead writes the head of the answer for the client into x.out.
func (c *conn) appendAnswerHead() {
	x := c.x
	r := &x.resp
	out := http1.AppendStatusLine(x.out[:0], r.Status, r.Reason)
	date := false
	for i := range r.Fields {
		f := &r.Fields[i]
		date = date || f.Kind == http1.KindDate
		if f.Kind == http1.KindContentLength && r.Status == 204 {
			continue // RFC 9110 §8.6
		}
		if f.Kind == http1.KindTrailer && r.Framing == http1.Chunked && x.req.Minor > 0 || !r.HopByHop(i) {
			out = http1.AppendField(out, f.Name, f.Value)
		}
	}
	if !date {
		out = appendDate(out) // RFC 9110 §6.6.1
	}
	if x.route.traffic.Via {
		out = append(out, via[r.Minor]...)
	}
	out = c.appendFraming(out)
	x.out = append(out, "\r\n"...)
}

// appendFraming writes how the client finds the end of the body, and whether
// the connection goes on after it.
func (c *conn) appendFraming(out []byte) []byte {
	x := c.x
	open := x.resp.Framing == http1.Chunked || x.resp.Framing == http1.UntilClose
	if open && x.req.Minor > 0 {
		out = append(out, "Transfer-Encoding: chunked\r\n"...)
	}
	x.expected = !open || x.req.Minor > 0
	x.closing = !x.expected || c.lastAnswer()
	switch {
	case x.closing:
		out = append(out, "Connection: close\r\n"...)
	case x.req.Minor == 0:
		out = append(out, "Connection: keep-alive\r\n"...)
	}
	return out
}

// lastAnswer reports whether the connection ends with this answer.
func (c *conn) lastAnswer() bool {
	x := c.x
	if !x.req.KeepAlive || x.unsettled || c.parting() {
		return true
	}
	if !x.upload.begun || x.upload.read.Load() {
		return false
	}
	// The answer came before the body had been read (RFC 9112 §9.3). The rest
	// is not waited for if nobody wants it, or the client may not send it at
	// all, or the answer's end will have come first.
	return x.resp.Status >= 400 || x.req.ExpectContinue || x.wholeAnswer()
}

// wholeAnswer reports whether all of the answer has come with its head.
func (x *exchange) wholeAnswer() bool {
	switch x.resp.Framing {
	case http1.NoBody:
		return true
	case http1.Length:
		return x.resp.Length <= int64(x.up.len())
	case http1.Chunked:
		return x.complete
	}
	return false
}
