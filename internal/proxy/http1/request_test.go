package http1

import (
	"strings"
	"testing"
)

func TestRequestLine(t *testing.T) {
	run(t, requestParser(usualLimits), []headCase{
		{name: "RFC 9112 §3: a request", raw: get(), want: "Method=GET Target=/ Path=/ Host=a Minor=1 Framing=0 KeepAlive=true"},
		{name: "RFC 9112 §3.1: method is any token", raw: "x!#$%&'*+-.^_`|~9 / HTTP/1.1\r\nHost: a\r\n\r\n", want: "Method=x!#$%&'*+-.^_`|~9"},
		{name: "RFC 9112 §3.1: method with a bad byte", raw: "GE(T / HTTP/1.1\r\nHost: a\r\n\r\n", err: errMethod},
		{name: "RFC 9112 §3.1: method with NUL", raw: "GE\x00T / HTTP/1.1\r\nHost: a\r\n\r\n", err: errMethod},
		{name: "RFC 9112 §3.1: method beyond ASCII", raw: "GE\xc3\x96 / HTTP/1.1\r\nHost: a\r\n\r\n", err: errMethod},
		{name: "RFC 9112 §3.1: no method", raw: " / HTTP/1.1\r\nHost: a\r\n\r\n", err: errMethod},
		{name: "RFC 9112 §3: longest method", raw: strings.Repeat("M", maxMethod) + " / HTTP/1.1\r\nHost: a\r\n\r\n"},
		{name: "RFC 9112 §3: method too long", raw: strings.Repeat("M", maxMethod+1) + " / HTTP/1.1\r\nHost: a\r\n\r\n", err: errMethodLong},
		{name: "RFC 9112 §3: TLS instead of HTTP", raw: "\x16\x03\x01\x02\x00\x01", err: errMethod},
		{name: "RFC 9112 §3: two spaces before the target", raw: "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", err: errRequestLine},
		{name: "RFC 9112 §3: two spaces after the target", raw: "GET /  HTTP/1.1\r\nHost: a\r\n\r\n", err: errVersion},
		{name: "RFC 9112 §3: tab after the method", raw: "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", err: errMethod},
		{name: "RFC 9112 §3: tab after the target", raw: "GET /\tHTTP/1.1\r\nHost: a\r\n\r\n", err: errRequestLine},
		{name: "RFC 9112 §3: space at the end", raw: "GET / HTTP/1.1 \r\nHost: a\r\n\r\n", err: errVersion},
		{name: "RFC 9112 §3: method alone", raw: "GET\r\n", err: errMethod},
		{name: "RFC 9112 §3: HTTP/0.9", raw: "GET /\r\n", err: errRequestLine},
		{name: "RFC 9112 §3: space in the target", raw: "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", err: errVersion},
		{name: "RFC 9112 §2.3: HTTP/1.0", raw: "GET / HTTP/1.0\r\nHost: a\r\n\r\n", want: "Minor=0 KeepAlive=false"},
		{name: "RFC 9110 §2.5: 1.x counts as 1.1", raw: "GET / HTTP/1.7\r\nHost: a\r\n\r\n", want: "Minor=1 KeepAlive=true"},
		{name: "RFC 9110 §15.6.6: HTTP/2.0", raw: "GET / HTTP/2.0\r\nHost: a\r\n\r\n", err: errMajor},
		{name: "RFC 9110 §15.6.6: the preface of HTTP/2", raw: "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", err: errMajor},
		{name: "RFC 9110 §15.6.6: HTTP/0.9 in words", raw: "GET / HTTP/0.9\r\nHost: a\r\n\r\n", err: errMajor},
		{name: "RFC 9112 §2.3: two digits", raw: "GET / HTTP/1.10\r\nHost: a\r\n\r\n", err: errVersion},
		{name: "RFC 9112 §2.3: no digit", raw: "GET / HTTP/1.x\r\nHost: a\r\n\r\n", err: errVersion},
		{name: "RFC 9112 §2.3: lower case", raw: "GET / http/1.1\r\nHost: a\r\n\r\n", err: errVersion},
		{name: "RFC 9112 §2.3: too long to become one", raw: "GET / HTTP/1.1aa", err: errVersion},
		{name: "RFC 9112 §2.3: another protocol", raw: "GET / RTSP/1.0\r\n\r\n", err: errVersion},
	})
}

func TestLineEnds(t *testing.T) {
	run(t, requestParser(usualLimits), []headCase{
		{name: "RFC 9112 §2.2: one empty line first", raw: "\r\n" + get(), want: "Method=GET"},
		{name: "RFC 9112 §2.2: two empty lines first", raw: "\r\n\r\n" + get(), err: errEmptyLines},
		{name: "RFC 9112 §2.2: an empty line and a bare one", raw: "\r\n\n" + get(), err: errEmptyLines},
		{name: "RFC 9112 §2.2: a bare empty line first", raw: "\n" + get(), err: errBareLF},
		{name: "RFC 9112 §2.2: a lone CR first", raw: "\rGET / HTTP/1.1\r\nHost: a\r\n\r\n", err: errBareCR},
		{name: "RFC 9112 §2.2: request line ends with LF", raw: "GET / HTTP/1.1\nHost: a\r\n\r\n", err: errBareLF},
		{name: "RFC 9112 §2.2: field line ends with LF", raw: "GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n", err: errBareLF},
		{name: "RFC 9112 §2.2: empty line is a LF", raw: "GET / HTTP/1.1\r\nHost: a\r\n\n", err: errBareLF},
		{name: "RFC 9112 §2.2: everything ends with LF", raw: "GET / HTTP/1.1\nHost: a\n\n", err: errBareLF},
		{name: "RFC 9112 §2.2: two CRs at a line's end", raw: "GET / HTTP/1.1\r\nHost: a\r\r\n\r\n", err: errBareCR, field: "Host"},
		{name: "RFC 9112 §2.2: two CRs at the end", raw: "GET / HTTP/1.1\r\nHost: a\r\n\r\r\n", err: errName},
		{name: "RFC 9112 §2.2: CR in a value", raw: get("X: a\rb"), err: errBareCR, field: "X"},
		{name: "RFC 9112 §2.2: CR before a value", raw: get("X:\ra"), err: errBareCR, field: "X"},
		{name: "RFC 9112 §2.2: CR in the target", raw: "GET /a\rb HTTP/1.1\r\nHost: a\r\n\r\n", err: errTarget},
		{name: "RFC 9112 §2.2: CR in a name", raw: get("X\ry: a"), err: errName},
	})
}

func TestFieldLines(t *testing.T) {
	run(t, requestParser(usualLimits), []headCase{
		{name: "RFC 9110 §5.1: name is any token", raw: get("x!#$%&'*+-.^_`|~9: v"), want: "+x!#$%&'*+-.^_`|~9=v"},
		{name: "RFC 9110 §5.1: name with a bad byte", raw: get("X(y: v"), err: errName},
		{name: "RFC 9110 §5.1: name with NUL", raw: get("X\x00: v"), err: errName},
		{name: "RFC 9110 §5.1: name beyond ASCII", raw: get("\xc3\x96: v"), err: errName},
		{name: "RFC 9110 §5.1: no name", raw: get(": v"), err: errName},
		{name: "RFC 9112 §5: no colon", raw: get("X"), err: errName},
		{name: "RFC 9112 §5: no colon but a space", raw: get("X y"), err: errName},
		{name: "RFC 9112 §5.1: space before the colon", raw: get("X : v"), err: errSpaceInName, field: "X"},
		{name: "RFC 9112 §5.1: tab before the colon", raw: get("Content-Length\t: 5"), err: errSpaceInName, field: "Content-Length"},
		{name: "RFC 9112 §5.2: folded line", raw: get("X: a", " b"), err: errFold},
		{name: "RFC 9112 §5.2: folded with a tab", raw: get("X: a", "\tb"), err: errFold},
		{name: "RFC 9112 §5.2: folded and empty", raw: get("X: a", " "), err: errFold},
		{name: "RFC 9112 §5.2: folded to look like a field", raw: get("X: a", " Y: b"), err: errFold},
		{name: "RFC 9112 §2.2: white space before the first field", raw: "GET / HTTP/1.1\r\n Host: a\r\n\r\n", err: errFold},
		{name: "RFC 9112 §5: white space around a value", raw: get("X:\t a b \t"), want: "+X=a·b"},
		{name: "RFC 9112 §5: no white space", raw: get("X:a"), want: "+X=a"},
		{name: "RFC 9112 §5: empty value", raw: get("X:"), want: "+X="},
		{name: "RFC 9112 §5: value of spaces", raw: get("X:  "), want: "+X="},
		{name: "RFC 9110 §5.5: obs-text", raw: get("X: \x80\xff\xc3\xa4"), want: "+X=\x80\xff\xc3\xa4"},
		{name: "RFC 9110 §5.5: HTAB in a value", raw: get("X: a\tb"), want: "+X=a→b"},
		{name: "RFC 9110 §5.5: HTAB in a long value", raw: get("X: 0123456789a\tb0123456789")},
		{name: "RFC 9110 §5.5: NUL in a value", raw: get("X: a\x00b"), err: errValue, field: "X"},
		{name: "RFC 9110 §5.5: DEL in a long value", raw: get("X: 01234\x7f6789"), err: errValue, field: "X"},
		{name: "RFC 9110 §5.5: control after HTAB", raw: get("X: 0\t234567890\x01"), err: errValue, field: "X"},
		{name: "RFC 9110 §5.5: form feed before a value", raw: get("X: \fa"), err: errValue, field: "X"},
		{name: "RFC 9110 §5.5: vertical tab after a value", raw: get("X: a\v"), err: errValue, field: "X"},
	})
}

// TestEveryByte puts every byte into every place, and compares with the
// grammar as written out here.
func TestEveryByte(t *testing.T) {
	const token = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	for c := range 256 {
		b := string([]byte{byte(c)})
		visible := c > 0x20 && c < 0x7f
		target := visible && !strings.Contains(`"#<>`, b)
		for place, want := range map[string]bool{
			"M" + b + "M / HTTP/1.1\r\nHost: a\r\n\r\n":                         strings.Contains(token, b),
			"GET /a" + b + "c HTTP/1.1\r\nHost: a\r\n\r\n":                      target,
			"GET /01234567890" + b + "234567890 HTTP/1.1\r\nHost: a\r\n\r\n":    target,
			"GET / HTTP/1.1\r\nHost: a\r\nX" + b + "Y: v\r\n\r\n":               strings.Contains(token+":", b),
			"GET / HTTP/1.1\r\nHost: a\r\nX: v" + b + "w\r\n\r\n":               visible || c >= 0x80 || c == ' ' || c == '\t',
			"GET / HTTP/1.1\r\nHost: a\r\nX: 0123456789" + b + "123456\r\n\r\n": visible || c >= 0x80 || c == ' ' || c == '\t',
		} {
			var r Request
			n, err := r.Parse([]byte(place), usualLimits)
			if (n == len(place) && err == nil) != want {
				t.Errorf("byte %#x: %q: got %d, %v, want accepted: %t", c, place, n, err, want)
			}
		}
	}
}
