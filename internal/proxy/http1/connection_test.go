package http1

import (
	"fmt"
	"strings"
	"testing"
)

func TestConnection(t *testing.T) {
	old := func(fields ...string) string { return "GET / HTTP/1.0\r\n" + lines(fields) }
	run(t, requestParser(usualLimits), []headCase{
		{name: "RFC 9112 §9.3: HTTP/1.1 persists", raw: get(), want: "KeepAlive=true"},
		{name: "RFC 9112 §9.3: close", raw: get("Connection: close"), want: "KeepAlive=false"},
		{name: "RFC 9110 §7.6.1: options in any case", raw: get("CONNECTION: CLOSE"), want: "KeepAlive=false"},
		{name: "RFC 9112 §9.3: close in a list", raw: get("Connection: x , close,y"), want: "KeepAlive=false"},
		{name: "RFC 9112 §9.3: close wins", raw: get("Connection: keep-alive, close"), want: "KeepAlive=false"},
		{name: "RFC 9112 §9.3: close in a second field", raw: get("Connection: keep-alive", "Connection: close"), want: "KeepAlive=false"},
		{name: "RFC 9110 §7.6.1: not quite close", raw: get("Connection: closed"), want: "KeepAlive=true"},
		{name: "RFC 9112 §9.3: HTTP/1.0 closes", raw: old(), want: "KeepAlive=false"},
		{name: "RFC 9112 §9.3: HTTP/1.0 with keep-alive", raw: old("Connection: Keep-Alive"), want: "KeepAlive=true"},
		{name: "RFC 9112 §9.3: HTTP/1.0 with both", raw: old("Connection: keep-alive, close"), want: "KeepAlive=false"},
		{name: "RFC 9112 App. C.2.2: Proxy-Connection means nothing", raw: old("Proxy-Connection: keep-alive"), want: "KeepAlive=false -Proxy-Connection=keep-alive"},
		{name: "RFC 9110 §5.6.1: empty elements", raw: get("Connection: ,, close ,"), want: "KeepAlive=false"},
		{name: "RFC 9110 §5.6.1: empty", raw: get("Connection:"), want: "KeepAlive=true"},

		{name: "RFC 9110 §7.6.1: named field", raw: get("X: 1", "Connection: x", "XY: 2"), want: "-X=1 -Connection=x +XY=2 +Host=a"},
		{name: "RFC 9110 §7.6.1: named with an underscore", raw: get("a_b: 1", "Connection: a-b"), want: "+a_b=1"},
		{name: "RFC 9110 §7.6.1: named fields that are common", raw: get("Accept: 1", "User-Agent: 2", "Connection: accept, user-agent"), want: "-Accept=1 -User-Agent=2"},
		{name: "RFC 9110 §7.6.1: as many as fit", raw: get("Connection: a, b, c, d", "A: 1", "D: 1", "E: 1"), want: "-A=1 -D=1 +E=1"},
		{name: "RFC 9110 §7.6.1: more than fit", raw: get("Connection: a, b, c", "Connection: d, e,f", "A: 1", "E: 1", "F: 1", "G: 1"), want: "-A=1 -E=1 -F=1 +G=1"},
		{name: "RFC 6585 §5: options without end", raw: get("Connection: a", "Connection: "+strings.Repeat(",", maxOptions-1)), err: errNamedMany},
		{name: "RFC 6585 §5: as many as there may be", raw: get("Connection: a", "Connection: "+strings.Repeat(",", maxOptions-2), "A: 1"), want: "-A=1"},
		{name: "RFC 9110 §7.6.1: names Host", raw: get("Connection: close, host"), err: errNamed},
		{name: "RFC 9110 §7.6.1: names Content-Length", raw: get("Connection: Content-Length", "Content-Length: 5"), err: errNamed},
		{name: "RFC 9110 §7.6.1: names Content-Length, which is not there", raw: get("Connection: content-length"), err: errNamed},
		{name: "RFC 9110 §7.6.1: names Transfer-Encoding", raw: get("Connection: transfer-encoding", "Transfer-Encoding: chunked"), want: "Framing=2 -Transfer-Encoding=chunked"},
		{name: "RFC 9110 §7.6.1: names what a proxy writes", raw: get("X-Forwarded-For: 1", "Forwarded: 2", "X-Request-Id: 3", "Via: 4", "Connection: x-forwarded-for, forwarded, x-request-id, via"),
			want: "+X-Forwarded-For=1 +Forwarded=2 +X-Request-Id=3 +Via=4"},
		{name: "RFC 9110 §7.6.1: names what a proxy acts on", raw: get("Expect: 100-continue", "Max-Forwards: 3", "Connection: expect, max-forwards"), want: "+Expect=100-continue +Max-Forwards=3"},
		{name: "RFC 9110 §7.6.1: hop by hop unnamed", raw: get("Keep-Alive: 1", "TE: 2", "Trailer: 3", "Upgrade: 4", "Proxy-Authenticate: 5", "Proxy-Authorization: 6", "Proxy-Authentication-Info: 7"),
			want: "-Keep-Alive=1 -TE=2 -Trailer=3 -Upgrade=4 -Proxy-Authenticate=5 -Proxy-Authorization=6 -Proxy-Authentication-Info=7"},
		{name: "RFC 3875 §4.1.18: Proxy", raw: get("Proxy: 1", "Proxys: 2"), want: "-Proxy=1 +Proxys=2"},
		{name: "RFC 3875 §4.1.18: look-alikes", raw: get("X_Forwarded_For: 1", "content_length: 2", "Transfer_encoding: 3", "X-Forwarded_Proto: 4", "X_Other: 5", "User_Agent: 6"),
			want: "-X_Forwarded_For=1 -content_length=2 -Transfer_encoding=3 -X-Forwarded_Proto=4 +X_Other=5 +User_Agent=6 Framing=0"},

		{name: "RFC 9110 §7.8: upgrade", raw: get("Connection: keep-alive, Upgrade", "Upgrade: websocket"), want: "Upgrade=websocket -Upgrade=websocket KeepAlive=true"},
		{name: "RFC 9110 §7.8: upgrade that is not named", raw: get("Upgrade: websocket"), want: "Upgrade= -Upgrade=websocket"},
		{name: "RFC 9110 §7.8: upgrade to nothing", raw: get("Connection: upgrade"), want: "Upgrade="},
		{name: "RFC 9110 §7.8: the first of two", raw: get("Connection: upgrade", "Upgrade: websocket", "Upgrade: h2c"), want: "Upgrade=websocket"},
		{name: "RFC 9110 §7.8: upgrade in HTTP/1.0", raw: old("Connection: upgrade", "Upgrade: websocket"), want: "Upgrade="},

		{name: "RFC 9110 §10.1.4: trailers", raw: get("Connection: TE", "TE: trailers"), want: "Trailers=true -TE=trailers"},
		{name: "RFC 9110 §10.1.4: trailers in a list", raw: get("Connection: TE", "TE: gzip;q=0.5", "TE: deflate, Trailers"), want: "Trailers=true"},
		{name: "RFC 9110 §10.1.4: TE not named", raw: get("TE: trailers"), want: "Trailers=false"},
		{name: "RFC 9110 §10.1.4: other codings only", raw: get("Connection: TE", "TE: gzip"), want: "Trailers=false"},
	})
}

func TestResponseConnection(t *testing.T) {
	const length = "Content-Length: 0"
	old := func(fields ...string) string { return "HTTP/1.0 200 OK\r\n" + lines(fields) }
	run(t, responseParser(usualLimits, false), []headCase{
		{name: "RFC 9112 §9.3: HTTP/1.1 persists", raw: ok(length), want: "KeepAlive=true KeepAliveTimeout=-1"},
		{name: "RFC 9112 §9.3: close", raw: ok(length, "Connection: close"), want: "KeepAlive=false"},
		{name: "RFC 9112 §9.3: until close", raw: ok("Connection: keep-alive"), want: "KeepAlive=false Framing=3"},
		{name: "RFC 9112 §9.3: HTTP/1.0 closes", raw: old(length), want: "KeepAlive=false"},
		{name: "RFC 9112 §9.3: HTTP/1.0 with keep-alive", raw: old(length, "Connection: keep-alive"), want: "KeepAlive=true"},
		{name: "RFC 2068 §19.7.1.1: timeout", raw: ok(length, "Keep-Alive: timeout=5, max=100"), want: "KeepAliveTimeout=5 -Keep-Alive=timeout=5,·max=100"},
		{name: "RFC 2068 §19.7.1.1: timeout in any place and case", raw: ok(length, "Keep-Alive: max=1,Timeout=7"), want: "KeepAliveTimeout=7"},
		{name: "RFC 2068 §19.7.1.1: the shortest", raw: ok(length, "Keep-Alive: timeout=9", "Keep-Alive: timeout=3, timeout=4"), want: "KeepAliveTimeout=3"},
		{name: "RFC 2068 §19.7.1.1: nonsense", raw: ok(length, "Keep-Alive: timeout=-5, timeout=, timeout=1x, timeout=99999999999, 300"), want: "KeepAliveTimeout=-1"},
		{name: "RFC 9110 §7.6.1: named field", raw: ok(length, "Connection: x, close", "X: 1", "Y: 2", "Server: 3"), want: "-X=1 +Y=2 +Server=3"},
		{name: "RFC 3875 §4.1.18: look-alikes harm nobody here", raw: ok(length, "X_Request_Id: 1", "Content_Length: 2"), want: "+X_Request_Id=1 Length=0"},
		{name: "RFC 9110 §7.6.1: names Content-Length", raw: ok(length, "Connection: content-length"), err: errNamed},
		{name: "RFC 9110 §7.8: 101", raw: "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n", want: "Status=101 Framing=0 Upgrade=websocket"},
		{name: "RFC 9110 §7.8: 101 without the name", raw: "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n", want: "Status=101 Upgrade="},
	})
}

func TestResponseNamed(t *testing.T) {
	var r Response
	if _, err := r.Parse([]byte(ok("Connection: X-Sum, close")), Limits{}, false); err != nil {
		t.Fatal(err)
	}
	if !r.Named([]byte("x-sum")) || r.Named([]byte("close")) || r.Named([]byte("x")) {
		t.Error("want x-sum named, and neither close nor x")
	}
}

// TestNamedManyTimes names so many fields that most are not in the set.
func TestNamedManyTimes(t *testing.T) {
	var fields []string
	for i := range 30 {
		fields = append(fields, fmt.Sprintf("Connection: n%d", i), fmt.Sprintf("N%d: v", i), fmt.Sprintf("M%d: v", i))
	}
	var r Request
	if _, err := r.Parse([]byte(get(fields...)), Limits{}); err != nil {
		t.Fatal(err)
	}
	for i, f := range r.Fields {
		if want := f.Name[0] == 'N' || f.Name[0] == 'C'; r.HopByHop(i) != want {
			t.Errorf("%s: got %t, want %t", f.Name, !want, want)
		}
	}
	if !r.Named([]byte("n29")) || r.Named([]byte("n30")) {
		t.Error("Named: want n29 and not n30")
	}
	if _, err := r.Parse([]byte(get("N1: v")), Limits{}); err != nil || r.HopByHop(1) || r.Named([]byte("n1")) {
		t.Errorf("the next message: %v, want no name left over", err)
	}
}

func TestExpectAndMaxForwards(t *testing.T) {
	const body = "Content-Length: 5"
	trace := func(method string, fields ...string) string {
		return method + " / HTTP/1.1\r\nHost: a\r\n" + lines(fields)
	}
	run(t, requestParser(usualLimits), []headCase{
		{name: "RFC 9110 §10.1.1: with a length", raw: get(body, "Expect: 100-Continue"), want: "ExpectContinue=true +Expect=100-Continue"},
		{name: "RFC 9110 §10.1.1: with chunked", raw: get("Expect: 100-continue", "Transfer-Encoding: chunked"), want: "ExpectContinue=true"},
		{name: "RFC 9110 §10.1.1: without a body", raw: get("Expect: 100-continue"), want: "ExpectContinue=false"},
		{name: "RFC 9110 §10.1.1: with length 0", raw: get("Expect: 100-continue", "Content-Length: 0"), want: "ExpectContinue=false"},
		{name: "RFC 9110 §10.1.1: HTTP/1.0", raw: "POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n", want: "ExpectContinue=false -Expect=100-continue"},
		{name: "RFC 9110 §10.1.1: another in HTTP/1.0", raw: "POST / HTTP/1.0\r\nExpect: x\r\n\r\n", want: "-Expect=x"},
		{name: "RFC 9110 §10.1.1: another", raw: get(body, "Expect: 200-ok"), err: errExpect},
		{name: "RFC 9110 §10.1.1: another beside it", raw: get(body, "Expect: 100-continue, x=y"), err: errExpect},
		{name: "RFC 9110 §10.1.1: with a parameter", raw: get(body, "Expect: 100-continue;x"), err: errExpect},
		{name: "RFC 9110 §10.1.1: twice the same", raw: get(body, "Expect: 100-continue", "Expect: 100-continue"), want: "ExpectContinue=true"},
		{name: "RFC 9110 §10.1.1: empty", raw: get(body, "Expect:"), want: "ExpectContinue=false"},

		{name: "RFC 9110 §7.6.2: TRACE", raw: trace("TRACE", "Max-Forwards: 10"), want: "MaxForwards=10 +Max-Forwards=10"},
		{name: "RFC 9110 §7.6.2: OPTIONS", raw: trace("OPTIONS", "Max-Forwards: 0"), want: "MaxForwards=0"},
		{name: "RFC 9110 §7.6.2: GET", raw: trace("GET", "Max-Forwards: x"), want: "MaxForwards=-1 +Max-Forwards=x"},
		{name: "RFC 9110 §7.6.2: none", raw: trace("TRACE"), want: "MaxForwards=-1"},
		{name: "RFC 9110 §7.6.2: no number", raw: trace("TRACE", "Max-Forwards: x"), err: errMaxForwards},
		{name: "RFC 9110 §7.6.2: negative", raw: trace("TRACE", "Max-Forwards: -1"), err: errMaxForwards},
		{name: "RFC 9110 §7.6.2: empty", raw: trace("OPTIONS", "Max-Forwards:"), err: errMaxForwards},
		{name: "RFC 9110 §7.6.2: two", raw: trace("OPTIONS", "Max-Forwards: 1", "Max-Forwards: 1"), err: errMaxForwards},
		{name: "RFC 9110 §7.6.2: very large", raw: trace("TRACE", "Max-Forwards: 99999999999999999999999"), want: "MaxForwards=2147483647"},
	})
}
