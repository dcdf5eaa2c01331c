package proxy

import (
	"strings"
	"testing"
)

const plainGet = "GET / HTTP/1.1\r\nHost: h\r\n{id}\r\n"
const plainToApp = "GET / HTTP/1.1\r\nHost: h\r\n{id}{fwd}\r\n"

var answerRules = []rule{
	{
		name: "a body of known length (RFC 9112 §6.2)", request: plainGet, toApp: plainToApp,
		answer: "HTTP/1.1 200 OK\r\nDate: x\r\nX-A: 1\r\nx-b: 2\r\nContent-Length: 3\r\n\r\nabc",
		client: "HTTP/1.1 200 OK\r\nDate: x\r\nX-A: 1\r\nx-b: 2\r\nContent-Length: 3\r\n\r\nabc",
	}, {
		name: "space before the colon is removed (RFC 9112 §5.1)", request: plainGet, toApp: plainToApp,
		answer: "HTTP/1.1 200 OK\r\nDate: x\r\nX-A : 1\r\nContent-Length: 0\r\n\r\n",
		client: "HTTP/1.1 200 OK\r\nDate: x\r\nX-A: 1\r\nContent-Length: 0\r\n\r\n",
	}, {
		name: "fields of the connection stay there (RFC 9110 §7.6.1)", request: plainGet, toApp: plainToApp,
		answer: "HTTP/1.1 200 OK\r\nDate: x\r\nConnection: X-Mine\r\nX-Mine: 1\r\nKeep-Alive: timeout=9\r\nContent-Length: 0\r\n\r\n",
		client: ok0,
	}, {
		name: "chunks and trailers (RFC 9112 §7.1)", request: plainGet, toApp: plainToApp,
		answer: "HTTP/1.1 200 OK\r\nDate: x\r\nTrailer: T\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\nT: 1\r\n\r\n",
		client: "HTTP/1.1 200 OK\r\nDate: x\r\nTrailer: T\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nT: 1\r\n\r\n",
	}, {
		name: "no chunks to HTTP/1.0 (RFC 9112 §6.1)", request: "GET / HTTP/1.0\r\nHost: h\r\n{id}\r\n", toApp: plainToApp,
		answer: "HTTP/1.1 200 OK\r\nDate: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n",
		client: "HTTP/1.1 200 OK\r\nDate: x\r\nConnection: close\r\n\r\nab", ends: true,
	}, {
		name: "until close becomes chunks (RFC 9112 §6.3)", request: plainGet, toApp: plainToApp, closes: true,
		answer: "HTTP/1.1 200 OK\r\nDate: x\r\n\r\nab",
		client: "HTTP/1.1 200 OK\r\nDate: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n",
	}, {
		name: "an answer to HEAD has no body (RFC 9110 §9.3.2)", request: "HEAD / HTTP/1.1\r\nHost: h\r\n{id}\r\n",
		toApp:  "HEAD / HTTP/1.1\r\nHost: h\r\n{id}{fwd}\r\n",
		answer: "HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: 3\r\n\r\n",
		client: "HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: 3\r\n\r\n",
	}, {
		name: "204 has neither body nor length (RFC 9110 §8.6)", request: plainGet, toApp: plainToApp,
		answer: "HTTP/1.1 204 No Content\r\nDate: x\r\nContent-Length: 0\r\n\r\n",
		client: "HTTP/1.1 204 No Content\r\nDate: x\r\n\r\n",
	}, {
		name: "304 has no body (RFC 9110 §15.4.5)", request: plainGet, toApp: plainToApp,
		answer: "HTTP/1.1 304 Not Modified\r\nDate: x\r\nContent-Length: 3\r\n\r\n",
		client: "HTTP/1.1 304 Not Modified\r\nDate: x\r\nContent-Length: 3\r\n\r\n",
	}, {
		name: "103 is passed on (RFC 8297 §2)", request: plainGet, toApp: plainToApp,
		answer: "HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n" + ok0,
		client: "HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n" + ok0,
	}, {
		name: "but not to HTTP/1.0 (RFC 9110 §15.2)", request: "GET / HTTP/1.0\r\nHost: h\r\n{id}\r\n", toApp: plainToApp,
		answer: "HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n" + ok0,
		client: closing(ok0), ends: true,
	}, {
		name: "100 goes to who asked only (RFC 9110 §15.2.1)", request: plainGet, toApp: plainToApp,
		answer: "HTTP/1.1 100 Continue\r\n\r\n" + ok0, client: ok0,
	}, {
		name: "a missing Date is added (RFC 9110 §6.6.1)", request: plainGet, toApp: plainToApp,
		answer: "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
		client: "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", // the test takes dates out
	}, {
		name: "garbage (RFC 9112 §4)", request: plainGet, toApp: plainToApp, answer: "SSH-2.0-x\r\n\r\n", client: bad502,
	}, {
		name: "a head that is cut (RFC 9112 §8)", request: plainGet, toApp: plainToApp, closes: true,
		answer: "HTTP/1.1 200 OK\r\nContent-Le", client: bad502,
	}, {
		name: "a header block over the limit (RFC 9112 §3)", request: plainGet, toApp: plainToApp,
		answer: "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 64<<10) + "\r\n\r\n", client: bad502,
	}, {
		name: "a header block under the limit (RFC 9112 §3)", request: plainGet, toApp: plainToApp,
		answer: "HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: 0\r\nX: " + strings.Repeat("x", 60<<10) + "\r\n\r\n",
		client: "HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: 0\r\nX: " + strings.Repeat("x", 60<<10) + "\r\n\r\n",
	}, {
		name: "trailers named in Connection (RFC 9110 §7.6.1)", request: plainGet, toApp: plainToApp,
		answer: "HTTP/1.1 200 OK\r\nDate: x\r\nConnection: T\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nT: 1\r\nU: 2\r\n\r\n",
		client: "HTTP/1.1 200 OK\r\nDate: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nU: 2\r\n\r\n",
	}, {
		name: "a bad chunk size (RFC 9112 §7.1)", request: plainGet, toApp: plainToApp,
		answer: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n", client: bad502,
	}, {
		name: "a bad chunk size after a good one (RFC 9112 §7.1)", request: plainGet, toApp: plainToApp,
		answer: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\nx\r\n", client: bad502,
	}, {
		name: "a body that is cut (RFC 9112 §8)", request: plainGet, toApp: plainToApp, closes: true,
		answer: "HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: 3\r\n\r\nab",
		client: "HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: 3\r\n\r\nab", ends: true,
	}, {
		name: "chunks that are cut never end cleanly (RFC 9112 §8)", request: plainGet, toApp: plainToApp, closes: true,
		answer: "HTTP/1.1 200 OK\r\nDate: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n",
		client: "HTTP/1.1 200 OK\r\nDate: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n", ends: true,
	}, {
		name: "a body that is too long is cut off and its connection not used again (RFC 9112 §6.3)", request: plainGet, toApp: plainToApp,
		answer: ok0 + "more", client: ok0,
	}, {
		name: "an answer to HEAD is not until close (RFC 9112 §6.3)", request: "HEAD / HTTP/1.1\r\nHost: h\r\n{id}\r\n",
		toApp:  "HEAD / HTTP/1.1\r\nHost: h\r\n{id}{fwd}\r\n",
		answer: "HTTP/1.1 404 Not Found\r\nDate: x\r\n\r\n",
		client: "HTTP/1.1 404 Not Found\r\nDate: x\r\n\r\n",
	}, {
		name: "a body in an answer to HEAD is not passed on (RFC 9110 §9.3.2)", request: "HEAD / HTTP/1.1\r\nHost: h\r\n{id}\r\n",
		toApp:  "HEAD / HTTP/1.1\r\nHost: h\r\n{id}{fwd}\r\n",
		answer: "HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: 3\r\n\r\nabc",
		client: "HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: 3\r\n\r\n", blame: "bytes after its body",
	}, {
		name: "a body in a 204 is not passed on (RFC 9110 §15.3.5)", request: plainGet, toApp: plainToApp,
		answer: "HTTP/1.1 204 No Content\r\nDate: x\r\nContent-Length: 3\r\n\r\nabc",
		client: "HTTP/1.1 204 No Content\r\nDate: x\r\n\r\n",
	}, {
		name: "an error of our own to HEAD has no body (RFC 9110 §9.3.2)", request: "HEAD / HTTP/1.1\r\nHost: h\r\n{id}\r\n",
		toApp: "HEAD / HTTP/1.1\r\nHost: h\r\n{id}{fwd}\r\n", answer: "SSH-2.0-x\r\n\r\n",
		client: strings.TrimSuffix(bad502, "502 Bad Gateway\n"), blame: "status line is malformed",
	}, {
		name: "an error of our own as JSON, whatever else is accepted (RFC 9110 §12.5.1)", answer: "SSH-2.0-x\r\n\r\n",
		request: "GET / HTTP/1.1\r\nHost: h\r\n{id}Accept: application/json, text/plain, */*\r\n\r\n",
		toApp:   "GET / HTTP/1.1\r\nHost: h\r\n{id}Accept: application/json, text/plain, */*\r\n{fwd}\r\n",
		client: "HTTP/1.1 502 Bad Gateway\r\nContent-Type: application/json\r\nContent-Length: 37\r\n\r\n" +
			"{\"status\":502,\"error\":\"Bad Gateway\"}\n",
	}, {
		name: "an error of our own as text to who accepts anything (RFC 9110 §12.5.1)", answer: "SSH-2.0-x\r\n\r\n",
		request: "GET / HTTP/1.1\r\nHost: h\r\n{id}Accept: */*\r\n\r\n",
		toApp:   "GET / HTTP/1.1\r\nHost: h\r\n{id}Accept: */*\r\n{fwd}\r\n", client: bad502,
	}, {
		name: "no trailers to HTTP/1.0 (RFC 9112 §7.1.2)", request: "GET / HTTP/1.0\r\nHost: h\r\n{id}\r\n", toApp: plainToApp,
		answer: "HTTP/1.1 200 OK\r\nDate: x\r\nTrailer: T\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\nT: 1\r\n\r\n",
		client: "HTTP/1.1 200 OK\r\nDate: x\r\nConnection: close\r\n\r\nab", ends: true,
	}, {
		name: "100 to HTTP/1.0, even to who asked (RFC 9110 §10.1.1)", request: "POST / HTTP/1.0\r\nHost: h\r\n{id}Expect: 100-continue\r\nContent-Length: 1\r\n\r\nx",
		toApp:  "POST / HTTP/1.1\r\nHost: h\r\n{id}Content-Length: 1\r\n{fwd}\r\nx",
		answer: "HTTP/1.1 100 Continue\r\n\r\n" + ok0, client: closing(ok0), ends: true,
	},
}

const bad502 = "HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 16\r\n\r\n502 Bad Gateway\n"

func TestAnswerRules(t *testing.T) { tryRules(t, answerRules) }

// TestUntilCloseToOldClient: that an answer which ends with its connection is
// not complete can only be told by a reset.
func TestUntilCloseToOldClient(t *testing.T) {
	app := newBackend(t, func(p *peer) {
		p.head()
		p.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n")
		p.r.ReadByte() // until the client has got that
	})
	r := newRig(t, nil)
	r.serve(app.addr)
	c := r.dial()
	c.send("GET / HTTP/1.0\r\nHost: h\r\n\r\n")
	c.head()
	c.expect("ab")
	app.close()
	if got, err := c.rest(); err == nil {
		t.Errorf("a cut answer ended cleanly after %q", got)
	}
}
