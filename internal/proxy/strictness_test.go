package proxy

import (
	"strings"
	"testing"

	"gracevisor/internal/wire"
)

const (
	postHead  = "POST / HTTP/1.1\r\nHost: h\r\n{id}"
	getHead   = "GET / HTTP/1.1\r\nHost: h\r\n{id}"
	chunkHead = postHead + "Transfer-Encoding: chunked\r\n\r\n"
	// chunkToApp is how such a head goes on to the app.
	chunkToApp = postHead + "{fwd}Transfer-Encoding: chunked\r\n\r\n"
)

// A pair is a request that breaks a rule, which no app gets to see, and its
// nearest neighbour that does not.
type pair struct {
	rule   string // with the section of the RFC
	bad    string
	status int
	good   string
	toApp  string // "": as good, with {fwd} behind its fields
	change func(*wire.App)
}

// rules are the two rules that a pair is.
func (p *pair) rules() []rule {
	toApp := p.toApp
	if toApp == "" {
		toApp = strings.Replace(expandRule.Replace(p.good), "\r\n\r\n", "\r\n{fwd}\r\n", 1)
		toApp = strings.Replace(toApp, " HTTP/1.0\r\n", " HTTP/1.1\r\n", 1)
	}
	good := rule{name: "legal next to " + p.rule, request: p.good, toApp: toApp, answer: ok0, client: ok0, change: p.change}
	if strings.Contains(p.good, " HTTP/1.0\r\n") {
		good.client, good.ends = closing(ok0), true
	}
	return []rule{{name: p.rule, request: p.bad, client: failed(p.status), ends: true, change: p.change}, good}
}

var framingPairs = []pair{
	{
		rule: "Content-Length next to Transfer-Encoding (RFC 9112 §6.1)", status: 400,
		bad:  postHead + "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
		good: chunkHead + "1\r\na\r\n0\r\n\r\n", toApp: chunkToApp + "1\r\na\r\n0\r\n\r\n",
	}, {
		rule: "two Content-Lengths that are equal (RFC 9112 §6.3)", status: 400,
		bad:  postHead + "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
		good: postHead + "Content-Length: 3\r\nX-Content-Length: 3\r\n\r\nabc",
	}, {
		rule: "two Content-Lengths that differ (RFC 9112 §6.3)", status: 400,
		bad:  postHead + "Content-Length: 3\r\ncontent-length: 4\r\n\r\nabc",
		good: postHead + "content-length: 3\r\n\r\nabc",
	}, {
		rule: "a list as Content-Length (RFC 9112 §6.3)", status: 400,
		bad:  postHead + "Content-Length: 3, 3\r\n\r\nabc",
		good: postHead + "Content-Length: \t3 \r\n\r\nabc", toApp: postHead + "Content-Length: 3\r\n{fwd}\r\nabc",
	}, {
		rule: "a sign in Content-Length (RFC 9112 §6.2)", status: 400,
		bad:  postHead + "Content-Length: +3\r\n\r\nabc",
		good: postHead + "Content-Length: 03\r\n\r\nabc",
	}, {
		rule: "a negative Content-Length (RFC 9112 §6.2)", status: 400,
		bad:  postHead + "Content-Length: -0\r\n\r\n",
		good: postHead + "Content-Length: 0\r\n\r\n",
	}, {
		rule: "a space in Content-Length (RFC 9112 §6.2)", status: 400,
		bad:  postHead + "Content-Length: 1 0\r\n\r\n0123456789",
		good: postHead + "Content-Length: 10\r\n\r\n0123456789",
	}, {
		rule: "no digit in Content-Length (RFC 9112 §6.2)", status: 400,
		bad:  postHead + "Content-Length: 0x3\r\n\r\nabc",
		good: postHead + "Content-Length: 003\r\n\r\nabc",
	}, {
		rule: "an empty Content-Length (RFC 9112 §6.2)", status: 400,
		bad:  postHead + "Content-Length:\r\n\r\n",
		good: postHead + "\r\n",
	}, {
		rule: "Content-Length over 63 bits (RFC 9110 §8.6)", status: 400,
		bad:  postHead + "Content-Length: 18446744073709551619\r\n\r\nabc",
		good: postHead + "Content-Length: 0000000000000000003\r\n\r\nabc",
	}, {
		rule: "a coding that is not chunked (RFC 9112 §6.3)", status: 400,
		bad:  postHead + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
		good: postHead + "transfer-encoding: Chunked\r\n\r\n0\r\n\r\n", toApp: chunkToApp + "0\r\n\r\n",
	}, {
		rule: "chunked twice (RFC 9112 §6.1)", status: 400,
		bad:  postHead + "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
		good: chunkHead + "0\r\n\r\n", toApp: chunkToApp + "0\r\n\r\n",
	}, {
		rule: "chunked in two fields (RFC 9112 §6.1)", status: 400,
		bad:  postHead + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		good: postHead + "Transfer-Encoding:\tchunked\t\r\n\r\n0\r\n\r\n", toApp: chunkToApp + "0\r\n\r\n",
	}, {
		rule: "chunked that is not the last coding (RFC 9112 §6.3)", status: 400,
		bad:  postHead + "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
		good: chunkHead + "0\r\n\r\n", toApp: chunkToApp + "0\r\n\r\n",
	}, {
		rule: "an unknown coding before a final chunked (RFC 9112 §6.1)", status: 501,
		bad:   postHead + "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		good:  postHead + "Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		toApp: postHead + "Content-Encoding: gzip\r\n{fwd}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	}, {
		rule: "Transfer-Encoding in HTTP/1.0 (RFC 9112 §6.1)", status: 400,
		bad:  "POST / HTTP/1.0\r\nHost: h\r\n{id}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		good: "POST / HTTP/1.0\r\nHost: h\r\n{id}Content-Length: 3\r\n\r\nabc",
	}, {
		rule: "Connection names the framing (RFC 9110 §7.6.1)", status: 400,
		bad:   postHead + "Connection: content-length\r\nContent-Length: 3\r\n\r\nabc",
		good:  postHead + "Connection: content-language\r\nContent-Language: de\r\nContent-Length: 3\r\n\r\nabc",
		toApp: postHead + "Content-Length: 3\r\n{fwd}\r\nabc",
	},
}

var chunkPairs = []pair{
	{
		rule: "a chunk size with a sign (RFC 9112 §7.1)", status: 400,
		bad:  chunkHead + "+1\r\na\r\n0\r\n\r\n",
		good: chunkHead + "01\r\na\r\n0\r\n\r\n", toApp: chunkToApp + "1\r\na\r\n0\r\n\r\n",
	}, {
		rule: "a chunk size with 0x (RFC 9112 §7.1)", status: 400,
		bad:  chunkHead + "0x1\r\na\r\n0\r\n\r\n",
		good: chunkHead + "A\r\n0123456789\r\n0\r\n\r\n", toApp: chunkToApp + "a\r\n0123456789\r\n0\r\n\r\n",
	}, {
		rule: "a chunk size with a space (RFC 9112 §7.1)", status: 400,
		bad:  chunkHead + "1 \r\na\r\n0\r\n\r\n",
		good: chunkHead + "1 ;x\r\na\r\n0\r\n\r\n", toApp: chunkToApp + "1\r\na\r\n0\r\n\r\n",
	}, {
		rule: "a chunk size over 63 bits (RFC 9112 §7.1)", status: 400,
		bad:  chunkHead + "10000000000000001\r\na\r\n0\r\n\r\n",
		good: chunkHead + "0000000000000001\r\na\r\n0\r\n\r\n", toApp: chunkToApp + "1\r\na\r\n0\r\n\r\n",
	}, {
		rule: "a chunk size that ends with LF (RFC 9112 §2.2)", status: 400,
		bad:  chunkHead + "1\na\r\n0\r\n\r\n",
		good: chunkHead + "1\r\n\n\r\n0\r\n\r\n", toApp: chunkToApp + "1\r\n\n\r\n0\r\n\r\n",
	}, {
		rule: "more data than the chunk's size (RFC 9112 §7.1)", status: 400,
		bad:  chunkHead + "1\r\nab\r\n0\r\n\r\n",
		good: chunkHead + "1\r\na\r\n1\r\nb\r\n0\r\n\r\n", toApp: chunkToApp + "2\r\nab\r\n0\r\n\r\n",
	}, {
		rule: "a malformed chunk extension (RFC 9112 §7.1.1)", status: 400,
		bad:  chunkHead + "1;x=\"\r\na\r\n0\r\n\r\n",
		good: chunkHead + "1;x=\"y;z\"\r\na\r\n0\r\n\r\n", toApp: chunkToApp + "1\r\na\r\n0\r\n\r\n",
	}, {
		rule: "chunk extensions over the bound (RFC 9112 §7.1.1)", status: 400,
		bad:  chunkHead + "1;" + strings.Repeat("x", 1024) + "\r\na\r\n0\r\n\r\n",
		good: chunkHead + "1;" + strings.Repeat("x", 1022) + "\r\na\r\n0\r\n\r\n", toApp: chunkToApp + "1\r\na\r\n0\r\n\r\n",
	}, {
		rule: "a folded trailer (RFC 9112 §5.2)", status: 400,
		bad:  chunkHead + "0\r\nT: a\r\n b\r\n\r\n",
		good: chunkHead + "0\r\nT: a\tb\r\n\r\n", toApp: chunkToApp + "0\r\nT: a\tb\r\n\r\n",
	}, {
		rule: "too many trailers (RFC 6585 §5)", status: 431,
		bad:  chunkHead + "0\r\n" + strings.Repeat("T: 1\r\n", 101) + "\r\n",
		good: chunkHead + "0\r\n" + strings.Repeat("T: 1\r\n", 100) + "\r\n", toApp: chunkToApp + "0\r\n" + strings.Repeat("T: 1\r\n", 100) + "\r\n",
	}, {
		rule: "a chunked body over the limit (RFC 9110 §15.5.14)", status: 413,
		bad:  chunkHead + "6\r\n012345\r\n5\r\n67890\r\n0\r\n\r\n",
		good: chunkHead + "6\r\n012345\r\n4\r\n6789\r\n0\r\n\r\n", toApp: chunkToApp + "a\r\n0123456789\r\n0\r\n\r\n",
		change: func(a *wire.App) { a.Traffic.MaxBodyBytes = 10 },
	},
}

var headPairs = []pair{
	{
		rule: "two empty lines before the request line (RFC 9112 §2.2)", status: 400,
		bad:  "\r\n\r\n" + getHead + "\r\n",
		good: "\r\n" + getHead + "\r\n", toApp: plainToApp,
	}, {
		rule: "a request line that ends with LF (RFC 9112 §2.2)", status: 400,
		bad: "GET / HTTP/1.1\nHost: h\r\n\r\n", good: plainGet,
	}, {
		rule: "a field line that ends with LF (RFC 9112 §2.2)", status: 400,
		bad:  getHead + "X: a\nY: b\r\n\r\n",
		good: getHead + "X: a\r\nY: b\r\n\r\n",
	}, {
		rule: "an empty line of LF alone (RFC 9112 §2.2)", status: 400,
		bad: getHead + "X: a\r\n\n", good: getHead + "X: a\r\n\r\n",
	}, {
		rule: "a bare CR in a value (RFC 9112 §2.2)", status: 400,
		bad:  getHead + "X: a\rb\r\n\r\n",
		good: getHead + "X: a b\r\n\r\n",
	}, {
		rule: "a folded line (RFC 9112 §5.2)", status: 400,
		bad:  getHead + "X: a\r\n b\r\n\r\n",
		good: getHead + "X: a\tb\r\n\r\n",
	}, {
		rule: "white space before the first field (RFC 9112 §2.2)", status: 400,
		bad: "GET / HTTP/1.1\r\n Host: h\r\n\r\n", good: plainGet,
	}, {
		rule: "a space before the colon (RFC 9112 §5.1)", status: 400,
		bad:  getHead + "X : a\r\n\r\n",
		good: getHead + "X:  a \r\n\r\n", toApp: getHead + "X: a\r\n{fwd}\r\n",
	}, {
		rule: "NUL in a value (RFC 9110 §5.5)", status: 400,
		bad:  getHead + "X: a\x00b\r\n\r\n",
		good: getHead + "X: a\x80\xffb\r\n\r\n",
	}, {
		rule: "a control character in a value (RFC 9110 §5.5)", status: 400,
		bad:  getHead + "X: a\x7fb\r\n\r\n",
		good: getHead + "X: a~b\r\n\r\n",
	}, {
		rule: "a byte outside the grammar in a name (RFC 9110 §5.1)", status: 400,
		bad:  getHead + "X(Y: a\r\n\r\n",
		good: getHead + "X!#$%&'*+-.^_`|~9: a\r\n\r\n",
	}, {
		rule: "an empty name (RFC 9110 §5.1)", status: 400,
		bad:  getHead + ": a\r\n\r\n",
		good: getHead + "a:\r\n\r\n", toApp: getHead + "a: \r\n{fwd}\r\n",
	}, {
		rule: "a line without a colon (RFC 9112 §5)", status: 400,
		bad:  getHead + "X\r\n\r\n",
		good: getHead + "X:a\r\n\r\n", toApp: getHead + "X: a\r\n{fwd}\r\n",
	}, {
		rule: "too many fields (RFC 6585 §5)", status: 431,
		bad:  getHead + strings.Repeat("X: a\r\n", 99) + "\r\n",
		good: getHead + strings.Repeat("X: a\r\n", 98) + "\r\n",
	}, {
		rule: "too many options in Connection (RFC 6585 §5)", status: 431,
		bad:  getHead + "Connection: " + strings.Repeat("x,", 100) + "\r\n\r\n",
		good: getHead + "Connection: " + strings.Repeat("x,", 99) + "\r\nX: a\r\n\r\n", toApp: plainToApp,
	}, {
		rule: "an expectation that nobody knows (RFC 9110 §10.1.1)", status: 417,
		bad:  postHead + "Expect: 200-ok\r\nContent-Length: 3\r\n\r\nabc",
		good: postHead + "Expect: 100-Continue\r\nContent-Length: 3\r\n\r\nabc",
	}, {
		rule: "Max-Forwards that is no number (RFC 9110 §7.6.2)", status: 400,
		bad:   "TRACE / HTTP/1.1\r\nHost: h\r\n{id}Max-Forwards: -1\r\n\r\n",
		good:  "TRACE / HTTP/1.1\r\nHost: h\r\n{id}Max-Forwards: 1\r\n\r\n",
		toApp: "TRACE / HTTP/1.1\r\nHost: h\r\n{id}Max-Forwards: 0\r\n{fwd}\r\n",
	}, {
		rule: "a Host that is missing (RFC 9112 §3.2)", status: 400,
		bad:  "GET / HTTP/1.1\r\n{id}X: y\r\n\r\n",
		good: "GET / HTTP/1.1\r\n{id}hOST: h\r\nX: y\r\n\r\n",
	}, {
		rule: "an empty Host (RFC 9112 §3.2)", status: 400,
		bad:   "GET / HTTP/1.1\r\n{id}Host: \r\n\r\n",
		good:  "GET / HTTP/1.0\r\n{id}\r\n",
		toApp: "GET / HTTP/1.1\r\n{id}Host: \r\nX-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Proto: http\r\n\r\n",
	}, {
		rule: "two Hosts (RFC 9112 §3.2)", status: 400,
		bad:  getHead + "Host: h\r\n\r\n",
		good: getHead + "X-Host: h\r\n\r\n",
	}, {
		rule: "an invalid Host (RFC 9110 §7.2)", status: 400,
		bad:   "GET / HTTP/1.1\r\nHost: ::1\r\n\r\n",
		good:  "GET / HTTP/1.1\r\nHost: [::1]:80\r\n{id}\r\n",
		toApp: "GET / HTTP/1.1\r\nHost: [::1]:80\r\n{id}X-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: [::1]:80\r\n\r\n",
	},
}

var linePairs = []pair{
	{
		rule: "a byte outside the grammar in the method (RFC 9110 §5.6.2)", status: 400,
		bad:  "G(T / HTTP/1.1\r\nHost: h\r\n\r\n",
		good: "M-SEARCH~ / HTTP/1.1\r\nHost: h\r\n{id}\r\n",
	}, {
		rule: "a method longer than any (RFC 9112 §3)", status: 501,
		bad:  strings.Repeat("M", 65) + " / HTTP/1.1\r\nHost: h\r\n\r\n",
		good: strings.Repeat("M", 64) + " / HTTP/1.1\r\nHost: h\r\n{id}\r\n",
	}, {
		rule: "a byte beyond ASCII in the target (RFC 9112 §3.2)", status: 400,
		bad:  "GET /\xc3\xa4 HTTP/1.1\r\nHost: h\r\n\r\n",
		good: "GET /%c3%A4/../a%2Fb/./?q=%00 HTTP/1.1\r\nHost: h\r\n{id}\r\n",
	}, {
		rule: "a control character in the target (RFC 9112 §3.2)", status: 400,
		bad:  "GET /a\tb HTTP/1.1\r\nHost: h\r\n\r\n",
		good: "GET /a%09b HTTP/1.1\r\nHost: h\r\n{id}\r\n",
	}, {
		rule: "a space in the target (RFC 9112 §3.2)", status: 400,
		bad:  "GET /a b HTTP/1.1\r\nHost: h\r\n\r\n",
		good: "GET /a+b HTTP/1.1\r\nHost: h\r\n{id}\r\n",
	}, {
		rule: "two spaces in the request line (RFC 9112 §3)", status: 400,
		bad: "GET  / HTTP/1.1\r\nHost: h\r\n\r\n", good: plainGet,
	}, {
		rule: "quotes in the target (RFC 9112 §3.2)", status: 400,
		bad:  "GET /?a=\"b\" HTTP/1.1\r\nHost: h\r\n\r\n",
		good: "GET /?a='b'&f[x]={y|z} HTTP/1.1\r\nHost: h\r\n{id}\r\n",
	}, {
		rule: "angle brackets in the target (RFC 9112 §3.2)", status: 400,
		bad:  "GET /<b> HTTP/1.1\r\nHost: h\r\n\r\n",
		good: "GET /(b) HTTP/1.1\r\nHost: h\r\n{id}\r\n",
	}, {
		rule: "a fragment (RFC 9110 §7.1)", status: 400,
		bad:  "GET /a#b HTTP/1.1\r\nHost: h\r\n\r\n",
		good: "GET /a%23b HTTP/1.1\r\nHost: h\r\n{id}\r\n",
	}, {
		rule: "a target without a slash (RFC 9112 §3.2.1)", status: 400,
		bad:  "GET a HTTP/1.1\r\nHost: h\r\n\r\n",
		good: "GET //a HTTP/1.1\r\nHost: h\r\n{id}\r\n",
	}, {
		rule: "an asterisk without OPTIONS (RFC 9112 §3.2.4)", status: 400,
		bad:  "GET * HTTP/1.1\r\nHost: h\r\n\r\n",
		good: "OPTIONS * HTTP/1.1\r\nHost: h\r\n{id}\r\n",
	}, {
		rule: "absolute-form with user information (RFC 9110 §4.2.4)", status: 400,
		bad:  "GET http://h@evil/ HTTP/1.1\r\nHost: h\r\n\r\n",
		good: "GET http://h/@evil HTTP/1.1\r\nHost: h\r\n{id}\r\n", toApp: "GET /@evil HTTP/1.1\r\nHost: h\r\n{id}{fwd}\r\n",
	}, {
		rule: "absolute-form of another scheme (RFC 9112 §3.2.2)", status: 400,
		bad:  "GET ftp://h/ HTTP/1.1\r\nHost: h\r\n\r\n",
		good: "GET HTTP://h HTTP/1.1\r\nHost: x\r\n{id}\r\n", toApp: "GET / HTTP/1.1\r\nHost: h\r\n{id}{fwd}\r\n",
	}, {
		rule: "a target over 8 KiB (RFC 9112 §3)", status: 414,
		bad:  "GET /" + strings.Repeat("x", 8<<10) + " HTTP/1.1\r\nHost: h\r\n\r\n",
		good: "GET /" + strings.Repeat("x", 8<<10-1) + " HTTP/1.1\r\nHost: h\r\n{id}\r\n",
	}, {
		rule: "another major version (RFC 9110 §15.6.6)", status: 505,
		bad:  "GET / HTTP/2.0\r\nHost: h\r\n\r\n",
		good: "GET / HTTP/1.9\r\nHost: h\r\n{id}\r\n", toApp: plainToApp,
	}, {
		rule: "a version in lower case (RFC 9112 §2.3)", status: 400,
		bad: "GET / http/1.1\r\nHost: h\r\n\r\n", good: plainGet,
	}, {
		rule: "no version (RFC 9112 §2.3)", status: 400,
		bad: "GET /\r\nHost: h\r\n\r\n", good: "GET / HTTP/1.0\r\nHost: h\r\n{id}\r\n",
	},
}

// TestStrictness: what breaks a rule is answered with an error, after which the
// connection ends in peace (RFC 9112 §9.6), and what is just legal passes.
func TestStrictness(t *testing.T) {
	var rules []rule
	for _, pairs := range [][]pair{framingPairs, chunkPairs, headPairs, linePairs} {
		for _, p := range pairs {
			rules = append(rules, p.rules()...)
		}
	}
	tryRules(t, rules)
}
