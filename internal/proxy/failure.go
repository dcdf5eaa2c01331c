package proxy

import (
	"bytes"
	"strconv"

	"gracevisor/internal/proxy/http1"
)

// retryAfter is what a client is told to wait after 503, in seconds.
const retryAfter = "Retry-After: 1\r\n"

// allowed is what a client may use instead of CONNECT.
const allowed = "Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, TRACE\r\n"

// fail answers with a status of our own: shortly, in the form that the client
// prefers, and without a word about the inside.
//
// With 502, 503 and 504 the connection goes on if the client's next bytes are
// sure to be a request. All others are answers to something that we do not
// understand or do not want to read.
func (c *conn) fail(status int) fate {
	x := c.x
	c.discard()
	goOn := status >= 502 && status <= 504 && c.mayGoOn()
	form := forms[preferred(&x.req)]
	out := http1.AppendStatusLine(x.out[:0], status, nil)
	out = appendDate(out)
	switch status {
	case 503:
		out = append(out, retryAfter...)
	case 405:
		out = append(out, allowed...)
	}
	out = append(append(append(out, "Content-Type: "...), form.mediaType...), "\r\n"...)
	body := form.body(status)
	out = append(out, "Content-Length: "...)
	out = append(strconv.AppendInt(out, int64(len(body)), 10), "\r\n"...)
	out = appendGoOn(out, goOn, x.req.Minor)
	if string(x.req.Method) != "HEAD" {
		out = append(out, body...)
	}
	return c.answerOwn(out, status, goOn)
}

// answerOwn sends an answer that no app made.
func (c *conn) answerOwn(out []byte, status int, goOn bool) fate {
	c.x.out = out
	c.countOwn(status)
	err := c.toClient(out)
	switch {
	case err != nil:
		return sever
	case goOn:
		return keep
	}
	return linger
}

// mayGoOn reports whether the connection may be used for another request.
func (c *conn) mayGoOn() bool {
	x := c.x
	read := !x.upload.needed || x.upload.read.Load()
	return read && x.req.KeepAlive && !x.unsettled && !c.parting()
}

// appendGoOn writes whether the connection goes on, and the end of the head.
func appendGoOn(out []byte, goOn bool, minor int) []byte {
	switch {
	case !goOn:
		out = append(out, "Connection: close\r\n"...)
	case minor == 0:
		out = append(out, "Connection: keep-alive\r\n"...)
	}
	return append(out, "\r\n"...)
}

// A form is a way to say what went wrong.
type form struct {
	mediaType string
	body      func(status int) string
}

var forms = [...]form{
	{"text/plain; charset=utf-8", func(status int) string {
		return strconv.Itoa(status) + " " + http1.StatusText(status) + "\n"
	}},
	{"application/json", func(status int) string {
		return `{"status":` + strconv.Itoa(status) + `,"error":"` + http1.StatusText(status) + "\"}\n"
	}},
	{"text/html; charset=utf-8", func(status int) string {
		title := strconv.Itoa(status) + " " + http1.StatusText(status)
		return "<!doctype html><title>" + title + "</title><h1>" + title + "</h1>\n"
	}},
}

// preferred is the index of the form whose media type comes first in Accept.
// The finer rules of RFC 9110 §12.5.1 are not worth it for three words.
func preferred(r *http1.Request) int {
	best, at := 0, -1
	for i := range r.Fields {
		if r.Fields[i].Kind != http1.KindAccept {
			continue
		}
		for n, name := range [...]string{"text/plain", "application/json", "text/html"} {
			if p := bytes.Index(r.Fields[i].Value, []byte(name)); p >= 0 && (at < 0 || p < at) {
				best, at = n, p
			}
		}
		break
	}
	return best
}

// answerHere answers TRACE and OPTIONS whose Max-Forwards is used up (RFC 9110
// §7.6.2), as the server they were meant to reach.
func (c *conn) answerHere() fate {
	x := c.x
	goOn := c.mayGoOn() && x.req.Framing == http1.NoBody
	if string(x.req.Method) == "OPTIONS" {
		out := http1.AppendStatusLine(x.out[:0], 204, nil)
		out = append(appendDate(out), allowed...)
		return c.answerOwn(appendGoOn(out, goOn, x.req.Minor), 204, goOn)
	}
	body := reflection(&x.req)
	out := http1.AppendStatusLine(x.out[:0], 200, nil)
	out = append(appendDate(out), "Content-Type: message/http\r\nContent-Length: "...)
	out = append(strconv.AppendInt(out, int64(len(body)), 10), "\r\n"...)
	out = append(appendGoOn(out, goOn, x.req.Minor), body...)
	return c.answerOwn(out, 200, goOn)
}

// reflection is a request as TRACE shows it: without the fields that may hold
// credentials (RFC 9110 §9.3.8).
func reflection(r *http1.Request) []byte {
	out := http1.AppendRequestLine(nil, r.Method, r.Target)
	for i := range r.Fields {
		f := &r.Fields[i]
		name := bytes.ToLower(f.Name)
		if f.Kind == http1.KindProxyAuthorization || bytes.Contains(name, []byte("auth")) || bytes.Contains(name, []byte("cookie")) {
			continue
		}
		out = http1.AppendField(out, f.Name, f.Value)
	}
	return append(out, "\r\n"...)
}
