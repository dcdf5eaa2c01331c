package http1

import "testing"

func TestStatusLine(t *testing.T) {
	line := func(s string) string { return s + "\r\nContent-Length: 0\r\n\r\n" }
	run(t, responseParser(usualLimits, false), []headCase{
		{name: "RFC 9112 §4: a status line", raw: line("HTTP/1.1 200 OK"), want: "Status=200 Reason=OK Minor=1"},
		{name: "RFC 9112 §4: no reason", raw: line("HTTP/1.1 200 "), want: "Status=200 Reason="},
		{name: "RFC 9112 §4: no space after the code", raw: line("HTTP/1.1 200"), want: "Status=200 Reason="},
		{name: "RFC 9112 §4: any reason", raw: line("HTTP/1.1 599 I'm\ta \xc3\xa4 ~  x"), want: "Status=599 Reason=I'm→a·\xc3\xa4·~··x"},
		{name: "RFC 9112 §4: NUL in the reason", raw: line("HTTP/1.1 200 O\x00K"), err: errStatusLine},
		{name: "RFC 9112 §4: CR in the reason", raw: line("HTTP/1.1 200 O\rK"), err: errBareCR},
		{name: "RFC 9112 §2.2: LF alone", raw: "HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n", err: errBareLF},
		{name: "RFC 9112 §2.2: empty line first", raw: "\r\nHTTP/1.1 200 OK\r\n\r\n", err: errStatusLine},
		{name: "RFC 9112 §4: two spaces before the code", raw: line("HTTP/1.1  200 OK"), err: errStatusLine},
		{name: "RFC 9112 §4: tab before the code", raw: line("HTTP/1.1\t200 OK"), err: errStatusLine},
		{name: "RFC 9112 §4: four digits", raw: line("HTTP/1.1 2000 OK"), err: errStatusLine},
		{name: "RFC 9112 §4: two digits", raw: line("HTTP/1.1 20 OK"), err: errStatusLine},
		{name: "RFC 9112 §4: two digits and a sign", raw: line("HTTP/1.1 +20 OK"), err: errStatusLine},
		{name: "RFC 9112 §4: no code", raw: line("HTTP/1.1 OK"), err: errStatusLine},
		{name: "RFC 9112 §4: version alone", raw: line("HTTP/1.1"), err: errStatusLine},
		{name: "RFC 9110 §15: 100", raw: "HTTP/1.1 100 Continue\r\n\r\n", want: "Status=100"},
		{name: "RFC 9110 §15: 099", raw: line("HTTP/1.1 099 Low"), err: errStatus},
		{name: "RFC 9110 §15: 000", raw: line("HTTP/1.1 000 Low"), err: errStatus},
		{name: "RFC 9110 §15: 600", raw: line("HTTP/1.1 600 High"), err: errStatus},
		{name: "RFC 9110 §15: 999", raw: line("HTTP/1.1 999 High"), err: errStatus},
		{name: "RFC 9112 §2.3: HTTP/1.0", raw: line("HTTP/1.0 200 OK"), want: "Minor=0"},
		{name: "RFC 9110 §2.5: 1.x counts as 1.1", raw: line("HTTP/1.9 200 OK"), want: "Minor=1"},
		{name: "RFC 9112 §2.3: another major version", raw: line("HTTP/2.0 200 OK"), err: errMajor},
		{name: "RFC 9112 §2.3: malformed version", raw: line("HTTP/1,1 200 OK"), err: errVersion},
		{name: "RFC 9112 §2.3: no minor version", raw: line("HTTP/2 200 OK"), err: errStatusLine},
		{name: "RFC 9112 §4: not HTTP", raw: "SSH-2.0-x", err: errStatusLine},
		{name: "RFC 9112 §4: lower case", raw: "http/1.1 200 OK\r\n\r\n", err: errStatusLine},
		{name: "RFC 9112 §4: ICY", raw: "ICY 200 OK\r\n\r\n", err: errStatusLine},
	})
}

func TestResponseFields(t *testing.T) {
	run(t, responseParser(usualLimits, false), []headCase{
		{name: "RFC 9112 §5.1: space before the colon is removed", raw: ok("X \t : v", "Content-Length : 5"), want: "+X=v +Content-Length=5 Framing=1 Length=5"},
		{name: "RFC 9112 §5.1: space within a name", raw: ok("X y: v"), err: errName},
		{name: "RFC 9112 §5.1: space and no colon", raw: ok("X "), err: errName},
		{name: "RFC 9112 §5.2: folded line", raw: ok("X: a", " b"), err: errFold},
		{name: "RFC 9110 §5.5: NUL in a value", raw: ok("X: a\x00b"), err: errValue, field: "X"},
		{name: "RFC 9112 §2.2: bare CR in a value", raw: ok("X: a\rb"), err: errBareCR, field: "X"},
		{name: "RFC 9112 §2.2: bare LF", raw: "HTTP/1.1 200 OK\r\nX: a\nContent-Length: 0\r\n\r\n", err: errBareLF},
		{name: "RFC 9110 §5.1: bad name", raw: ok("X\xff: a"), err: errName},
		{name: "RFC 9112 §3.2: Host means nothing", raw: ok("Host: a b", "Host: c"), want: "Framing=3"},
	})
}
