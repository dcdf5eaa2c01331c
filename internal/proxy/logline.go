package proxy

import (
	"strconv"
	"time"
	"unicode/utf8"

	"gracevisor/internal/proxy/http1"
)

// field is the value of the first field of a kind.
func field(r *http1.Request, k http1.Kind) []byte {
	for i := range r.Fields {
		if r.Fields[i].Kind == k {
			return r.Fields[i].Value
		}
	}
	return nil
}

// shorten keeps what a client sent from making a line longer than maxLine, four
// of them, each byte of which may take six.
func shorten(b []byte, n int) []byte { return b[:min(len(b), n)] }

const (
	maxLoggedPath  = 380
	maxLoggedValue = 120
)

// appendJSONLine writes a line as a JSON object (RFC 8259).
func (c *conn) appendJSONLine(b []byte) []byte {
	x := c.x
	b = append(b, `{"time":"`...)
	b = time.Now().UTC().AppendFormat(b, "2006-01-02T15:04:05.000Z")
	b = append(b, `","client":"`...)
	b = appendAddress(b, c.origin())
	b = appendJSONString(append(b, `","method":`...), x.req.Method)
	b = appendJSONString(append(b, `,"host":`...), shorten(x.req.Host, maxLoggedValue))
	b = appendJSONString(append(b, `,"target":`...), shorten(x.req.Target, maxLoggedPath))
	b = append(b, `,"status":`...)
	b = strconv.AppendInt(b, int64(x.log.status), 10)
	b = append(b, `,"bytes_in":`...)
	b = strconv.AppendInt(b, x.log.head+x.log.in, 10)
	b = append(b, `,"bytes_out":`...)
	b = strconv.AppendInt(b, x.log.out, 10)
	b = append(b, `,"microseconds":`...)
	b = strconv.AppendInt(b, (monotime()-x.began)/1000, 10)
	b = append(b, `,"instance":"`...)
	if x.retry.last != nil {
		b = append(b, x.retry.last.id...)
	}
	b = appendJSONString(append(b, `","referer":`...), shorten(field(&x.req, http1.KindReferer), maxLoggedValue))
	b = appendJSONString(append(b, `,"user_agent":`...), shorten(field(&x.req, http1.KindUserAgent), maxLoggedValue))
	return append(b, "}\n"...)
}

// appendJSONString writes s as a JSON string. Bytes that are no UTF-8 become
// U+FFFD.
func appendJSONString(b, s []byte) []byte {
	const digits = "0123456789abcdef"
	b = append(b, '"')
	for len(s) > 0 {
		r, n := utf8.DecodeRune(s)
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r < ' ' || r == 0x7f:
			b = append(b, '\\', 'u', '0', '0', digits[r>>4], digits[r&15])
		default:
			b = utf8.AppendRune(b, r)
		}
		s = s[n:]
	}
	return append(b, '"')
}

// appendCombinedLine writes a line in the combined format of Apache httpd, which
// log analysers read.
func (c *conn) appendCombinedLine(b []byte) []byte {
	x := c.x
	b = appendAddress(b, c.origin())
	b = append(b, " - - ["...)
	b = time.Now().AppendFormat(b, "02/Jan/2006:15:04:05 -0700")
	b = append(b, `] "`...)
	b = appendQuoted(b, x.req.Method)
	b = append(b, ' ')
	b = appendQuoted(b, shorten(x.req.Target, maxLoggedPath))
	b = append(b, " HTTP/1."...)
	b = append(b, byte('0'+x.req.Minor), '"', ' ')
	b = strconv.AppendInt(b, int64(x.log.status), 10)
	b = append(b, ' ')
	b = strconv.AppendInt(b, x.log.out, 10)
	b = append(b, ` "`...)
	b = appendQuotedOrDash(b, field(&x.req, http1.KindReferer))
	b = append(b, `" "`...)
	b = appendQuotedOrDash(b, field(&x.req, http1.KindUserAgent))
	return append(b, "\"\n"...)
}

func appendQuotedOrDash(b, s []byte) []byte {
	if len(s) == 0 {
		return append(b, '-')
	}
	return appendQuoted(b, shorten(s, maxLoggedValue))
}

// appendQuoted escapes what would end a quoted string or a line.
func appendQuoted(b, s []byte) []byte {
	const digits = "0123456789abcdef"
	for _, c := range s {
		if c < ' ' || c >= 0x7f || c == '"' || c == '\\' {
			b = append(b, '\\', 'x', digits[c>>4], digits[c&15])
		} else {
			b = append(b, c)
		}
	}
	return b
}
