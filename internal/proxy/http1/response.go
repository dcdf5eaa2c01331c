package http1

import (
	"bytes"
	"math"
)

// Parse reads the head of one answer from the start of buf, as
// [Request.Parse] does with a request. With head set, the answer is one to
// HEAD, and has no body whatever its fields say. Answers to CONNECT are not
// provided for.
func (r *Response) Parse(buf []byte, lim Limits, head bool) (n int, err error) {
	n, e := r.parse(buf, &lim, head)
	if n > 0 || e != nil {
		r.at = progress{}
	}
	if e != nil {
		return 0, e.fromServer()
	}
	return n, nil
}

// Reset makes r an answer of which nothing has come. Parse goes on with no head
// that came before it.
func (r *Response) Reset() {
	*r = Response{Fields: r.Fields[:0], KeepAliveTimeout: -1}
}

func (r *Response) parse(buf []byte, lim *Limits, head bool) (int, *Error) {
	buf, full := lim.window(buf)
	if !r.at.resumes(buf) {
		r.Reset()
	}
	if !r.at.started {
		if err := r.startLine(buf); err != nil {
			return 0, err
		}
	}
	var n int
	var err *Error
	if r.at.started {
		r.Fields, n, err = r.at.fieldLines(buf, r.Fields, lim.MaxFields, true)
	}
	switch {
	case err != nil:
		return 0, err
	case n == 0 && full:
		return 0, errHeadLong
	case n == 0:
		return 0, nil
	}
	return n, r.readFields(head)
}

// startLine parses the status line, or pauses if it is not complete.
func (r *Response) startLine(buf []byte) *Error {
	if n := min(len(buf), len("HTTP/")); string(buf[:n]) != "HTTP/"[:n] {
		return errStatusLine
	}
	end := r.at.lineEnd(buf, 0)
	if end < 0 {
		r.at.pause(buf, 0)
		return nil
	}
	line, err := cutLine(buf[:end])
	if err != nil {
		return err
	}
	if err := r.statusLine(line); err != nil {
		return err
	}
	r.at.started, r.at.line, r.at.seen = true, end+1, 0
	return nil
}

// statusLine parses HTTP-version SP status-code [ SP [ reason-phrase ] ]: the
// space after the code, which a server must send even without a reason, is
// often forgotten, and nothing depends on it (RFC 9112 §4).
func (r *Response) statusLine(line []byte) *Error {
	const version, code = len("HTTP/1.1"), len("HTTP/1.1 200")
	if len(line) < code || line[version] != ' ' {
		return errStatusLine
	}
	minor, err := parseVersion(line[:version])
	if err != nil {
		return err
	}
	digits, rest := line[version+1:code], line[code:]
	status, _, ok := parseDecimal(digits, 999)
	switch {
	case !ok || len(rest) > 0 && rest[0] != ' ':
		return errStatusLine
	case status < 100 || status > 599:
		return errStatus
	}
	if len(rest) > 0 {
		rest = rest[1:]
	}
	if !cleanValue(rest) {
		if bytes.IndexByte(rest, '\r') >= 0 {
			return errBareCR
		}
		return errStatusLine
	}
	r.Minor, r.Status, r.Reason = minor, int(status), rest[:len(rest):len(rest)]
	return nil
}

// readFields applies the rules about the fields of an answer.
func (r *Response) readFields(head bool) *Error {
	var b body
	var o options
	for i := range r.Fields {
		f := &r.Fields[i]
		var err *Error
		switch f.Kind {
		case KindContentLength:
			err = b.readLength(f.Value)
		case KindTransferEncoding:
			err = b.readCoding(f.Value)
		case KindConnection:
			err = o.read(f.Value, &r.named)
		case KindKeepAlive:
			r.readKeepAlive(f.Value)
		case KindUpgrade:
			if r.Upgrade == nil {
				r.Upgrade = f.Value
			}
		}
		if err != nil {
			return err
		}
	}
	if !o.upgrade {
		r.Upgrade = nil
	}
	return r.settleBody(&b, &o, head)
}

// settleBody finds out how the answer ends, and whether the connection is good
// for another one.
func (r *Response) settleBody(b *body, o *options, head bool) *Error {
	if err := b.check(r.Minor); err != nil {
		return err
	}
	switch {
	case r.Status < 200 && b.hasCoding:
		return errCodingNone
	case r.Status < 200 && b.length > 0:
		return errLengthNone
	}
	r.Framing, r.Length = b.ofResponse(r.Status, head)
	r.KeepAlive = o.persists(r.Minor) && r.Framing != UntilClose
	if r.Status == 204 && (b.hasCoding || b.length > 0) {
		// Forbidden, harmless, and common with chunked: but the server may
		// well send the body that it announced, which would then be taken
		// for the next answer (RFC 9112 §6.1, RFC 9110 §8.6).
		r.KeepAlive = false
	}
	return nil
}

// readKeepAlive reads the timeout of a Keep-Alive field, which has no standard
// but RFC 2068 §19.7.1.1. The shortest counts.
func (r *Response) readKeepAlive(value []byte) {
	const timeout = "timeout="
	for element := range elements(value) {
		if len(element) > len(timeout) && equalFold(element[:len(timeout)], timeout) {
			n, _, ok := parseDecimal(element[len(timeout):], math.MaxInt32)
			if ok && (r.KeepAliveTimeout < 0 || int(n) < r.KeepAliveTimeout) {
				r.KeepAliveTimeout = int(n)
			}
		}
	}
}
