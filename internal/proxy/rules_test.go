package proxy

import (
	"regexp"
	"strings"
	"testing"

	"gracevisor/internal/wire"
)

// A rule is one exchange in raw bytes, as seen at both sides of the proxy.
// {id} stands for an X-Request-Id line and {fwd} for what the proxy adds.
type rule struct {
	name    string // with the section of the RFC
	request string
	toApp   string // what the app gets; "" if it must get nothing
	answer  string
	closes  bool   // the app closes after the answer
	client  string // what the client gets
	ends    bool   // the proxy closes then; else a second request is served
	change  func(*wire.App)
}

const ok0 = "HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: 0\r\n\r\n"

func failure(status, reason string, more ...string) string {
	body := status + " " + reason + "\n"
	return "HTTP/1.1 " + status + " " + reason + "\r\n" + strings.Join(more, "") +
		"Content-Type: text/plain; charset=utf-8\r\nContent-Length: " + itoa(len(body)) + "\r\nConnection: close\r\n\r\n" + body
}

var requestRules = []rule{
	{
		name:    "one empty line before the request line (RFC 9112 §2.2)",
		request: "\r\nGET / HTTP/1.1\r\nHost: h\r\n{id}\r\n",
		toApp:   "GET / HTTP/1.1\r\nHost: h\r\n{id}{fwd}\r\n", answer: ok0, client: ok0,
	}, {
		name:    "absolute-form replaces Host (RFC 9112 §3.2.2)",
		request: "GET http://real/p?q HTTP/1.1\r\nhOsT: other\r\n{id}\r\n",
		toApp:   "GET /p?q HTTP/1.1\r\nhOsT: real\r\n{id}X-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: real\r\n\r\n",
		answer:  ok0, client: ok0,
	}, {
		name:    "no Host in HTTP/1.1 (RFC 9112 §3.2)",
		request: "GET / HTTP/1.1\r\n\r\n", client: failure("400", "Bad Request"), ends: true,
	}, {
		name:    "no Host in HTTP/1.0 (RFC 9112 §3.2)",
		request: "GET / HTTP/1.0\r\n{id}\r\n",
		toApp:   "GET / HTTP/1.1\r\n{id}Host: \r\nX-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Proto: http\r\n\r\n",
		answer:  ok0, client: strings.Replace(ok0, "\r\n\r\n", "\r\nConnection: close\r\n\r\n", 1), ends: true,
	}, {
		name:    "HTTP/1.0 keep-alive (RFC 9112 §9.3)",
		request: "GET / HTTP/1.0\r\nHost: h\r\nConnection: keep-alive\r\n{id}\r\n",
		toApp:   "GET / HTTP/1.1\r\nHost: h\r\n{id}{fwd}\r\n",
		answer:  ok0, client: strings.Replace(ok0, "\r\n\r\n", "\r\nConnection: keep-alive\r\n\r\n", 1),
	}, {
		name:    "Content-Length next to Transfer-Encoding (RFC 9112 §6.1)",
		request: "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		client:  failure("400", "Bad Request"), ends: true,
	}, {
		name:    "an unknown coding before chunked (RFC 9112 §6.1)",
		request: "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
		client:  failure("501", "Not Implemented"), ends: true,
	}, {
		name:    "another major version (RFC 9110 §15.6.6)",
		request: "GET / HTTP/2.0\r\nHost: h\r\n\r\n",
		client:  failure("505", "HTTP Version Not Supported"), ends: true,
	}, {
		name:    "HTTP/1.2 counts as 1.1 (RFC 9110 §2.5)",
		request: "GET / HTTP/1.2\r\nHost: h\r\n{id}\r\n",
		toApp:   "GET / HTTP/1.1\r\nHost: h\r\n{id}{fwd}\r\n", answer: ok0, client: ok0,
	}, {
		name:    "CONNECT (RFC 9110 §9.3.6)",
		request: "CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n",
		client:  failure("405", "Method Not Allowed", allowed), ends: true,
	}, {
		name:    "header block over the limit (RFC 6585 §5)",
		request: "GET / HTTP/1.1\r\nHost: h\r\nX: " + strings.Repeat("x", 32<<10) + "\r\n\r\n",
		client:  failure("431", "Request Header Fields Too Large"), ends: true,
	}, {
		name:    "target over the limit (RFC 9110 §15.5.15)",
		request: "GET /" + strings.Repeat("x", 8<<10) + " HTTP/1.1\r\nHost: h\r\n\r\n",
		client:  failure("414", "URI Too Long"), ends: true,
	}, {
		name:    "body over the limit (RFC 9110 §15.5.14)",
		request: "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 11\r\n\r\n01234567890",
		client:  failure("413", "Content Too Large"), ends: true,
		change: func(a *wire.App) { a.Traffic.MaxBodyBytes = 10 },
	}, {
		name:    "body at the limit (RFC 9110 §15.5.14)",
		request: "POST / HTTP/1.1\r\nHost: h\r\n{id}Content-Length: 10\r\n\r\n0123456789",
		toApp:   "POST / HTTP/1.1\r\nHost: h\r\n{id}Content-Length: 10\r\n{fwd}\r\n0123456789", answer: ok0, client: ok0,
		change: func(a *wire.App) { a.Traffic.MaxBodyBytes = 10 },
	}, {
		name:    "chunked body over the limit (RFC 9110 §15.5.14)",
		request: "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n01234567890\r\n0\r\n\r\n",
		client:  failure("413", "Content Too Large"), ends: true,
		change: func(a *wire.App) { a.Traffic.MaxBodyBytes = 10 },
	}, {
		name:    "bad chunk (RFC 9112 §7.1)",
		request: "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
		client:  failure("400", "Bad Request"), ends: true,
	}, {
		name:    "chunks and trailers (RFC 9112 §7.1.2)",
		request: "POST / HTTP/1.1\r\nHost: h\r\n{id}Transfer-Encoding: chunked\r\nTrailer: T\r\n\r\n3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nT: 1\r\nContent-Length: 9\r\n\r\n",
		toApp:   "POST / HTTP/1.1\r\nHost: h\r\n{id}Trailer: T\r\n{fwd}Transfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\nT: 1\r\n\r\n",
		answer:  ok0, client: ok0,
	}, {
		name:    "hop-by-hop fields and those named in Connection (RFC 9110 §7.6.1)",
		request: "GET / HTTP/1.1\r\nHost: h\r\n{id}Connection: X-Mine, X-Forwarded-For\r\nX-Mine: 1\r\nKeep-Alive: 5\r\nProxy-Connection: x\r\nTE: gzip\r\nUpgrade: h2c\r\nX-Other: 1\r\n\r\n",
		toApp:   "GET / HTTP/1.1\r\nHost: h\r\n{id}X-Other: 1\r\n{fwd}\r\n", answer: ok0, client: ok0,
	}, {
		name:    "TE: trailers (RFC 9110 §10.1.4)",
		request: "GET / HTTP/1.1\r\nHost: h\r\n{id}Connection: TE\r\nTE: trailers, gzip\r\n\r\n",
		toApp:   "GET / HTTP/1.1\r\nHost: h\r\n{id}{fwd}Connection: TE\r\nTE: trailers\r\n\r\n", answer: ok0, client: ok0,
	}, {
		name:    "what a client says of itself is not believed (RFC 7239 §8.1)",
		request: "GET / HTTP/1.1\r\nHost: h\r\n{id}X-Forwarded-For: 1.1.1.1\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: evil\r\nForwarded: for=1.1.1.1\r\nProxy: evil\r\nX_Forwarded_For: evil\r\n\r\n",
		toApp:   "GET / HTTP/1.1\r\nHost: h\r\n{id}{fwd}\r\n", answer: ok0, client: ok0,
	}, {
		name:    "what a trusted peer says is (RFC 7239 §8.1)",
		request: "GET / HTTP/1.1\r\nHost: h\r\n{id}X-Forwarded-For: 1.1.1.1\r\nX-Forwarded-Proto: https\r\nX-Forwarded-For: 2.2.2.2\r\nX-Forwarded-Host: front\r\nForwarded: for=1.1.1.1\r\nProxy: evil\r\n\r\n",
		toApp:   "GET / HTTP/1.1\r\nHost: h\r\n{id}X-Forwarded-Proto: https\r\nX-Forwarded-Host: front\r\nForwarded: for=1.1.1.1\r\nX-Forwarded-For: 1.1.1.1, 2.2.2.2, 127.0.0.1\r\n\r\n",
		answer:  ok0, client: ok0,
		change: func(a *wire.App) { a.Traffic.TrustedProxies = []string{"127.0.0.0/8"} },
	}, {
		name:    "Via (RFC 9110 §7.6.3)",
		request: "GET / HTTP/1.1\r\nHost: h\r\n{id}Via: 1.0 a\r\nConnection: close\r\n\r\n",
		toApp:   "GET / HTTP/1.1\r\nHost: h\r\n{id}Via: 1.0 a\r\n{fwd}Via: 1.1 gracevisor\r\n\r\n",
		answer:  "HTTP/1.0 200 OK\r\nDate: x\r\nContent-Length: 0\r\n\r\n",
		client:  "HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: 0\r\nVia: 1.0 gracevisor\r\nConnection: close\r\n\r\n", ends: true,
		change: func(a *wire.App) { a.Traffic.Via = true },
	}, {
		name:    "Max-Forwards counts down (RFC 9110 §7.6.2)",
		request: "OPTIONS * HTTP/1.1\r\nHost: h\r\n{id}Max-Forwards: 2\r\n\r\n",
		toApp:   "OPTIONS * HTTP/1.1\r\nHost: h\r\n{id}Max-Forwards: 1\r\n{fwd}\r\n", answer: ok0, client: ok0,
	}, {
		name:    "Max-Forwards is used up (RFC 9110 §7.6.2)",
		request: "OPTIONS * HTTP/1.1\r\nHost: h\r\nMax-Forwards: 0\r\n\r\n",
		client:  "HTTP/1.1 204 No Content\r\n" + allowed + "\r\n",
	}, {
		name:    "TRACE ends here, without credentials (RFC 9110 §9.3.8)",
		request: "TRACE / HTTP/1.1\r\nHost: h\r\nMax-Forwards: 0\r\nCookie: s\r\nAuthorization: s\r\n\r\n",
		client:  "HTTP/1.1 200 OK\r\nContent-Type: message/http\r\nContent-Length: 46\r\n\r\nTRACE / HTTP/1.1\r\nHost: h\r\nMax-Forwards: 0\r\n\r\n",
	}, {
		name:    "Expect of HTTP/1.0 is not passed on (RFC 9110 §10.1.1)",
		request: "POST / HTTP/1.0\r\nHost: h\r\n{id}Expect: 100-continue\r\nContent-Length: 1\r\n\r\nx",
		toApp:   "POST / HTTP/1.1\r\nHost: h\r\n{id}Content-Length: 1\r\n{fwd}\r\nx",
		answer:  ok0, client: strings.Replace(ok0, "\r\n\r\n", "\r\nConnection: close\r\n\r\n", 1), ends: true,
	}, {
		name:    "JSON where it is preferred (RFC 9110 §12.5.1)",
		request: "CONNECT h:1 HTTP/1.1\r\nHost: h:1\r\nAccept: application/json, text/html\r\n\r\n",
		client: "HTTP/1.1 405 Method Not Allowed\r\n" + allowed + "Content-Type: application/json\r\nContent-Length: 44\r\nConnection: close\r\n\r\n" +
			"{\"status\":405,\"error\":\"Method Not Allowed\"}\n", ends: true,
	},
}

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
		client: strings.Replace(ok0, "\r\n\r\n", "\r\nConnection: close\r\n\r\n", 1), ends: true,
	}, {
		name: "100 goes to who asked only (RFC 9110 §15.2.1)", request: plainGet, toApp: plainToApp,
		answer: "HTTP/1.1 100 Continue\r\n\r\n" + ok0, client: ok0,
	}, {
		name: "a missing Date is added (RFC 9110 §6.6.1)", request: plainGet, toApp: plainToApp,
		answer: "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
		client: "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", // the test takes dates out
	}, {
		name: "101 that nobody asked for (RFC 9110 §15.2.2)", request: plainGet, toApp: plainToApp,
		answer: "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
		client: bad502,
	}, {
		name: "Content-Length next to Transfer-Encoding (RFC 9112 §6.3)", request: plainGet, toApp: plainToApp,
		answer: "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		client: bad502,
	}, {
		name: "garbage (RFC 9112 §4)", request: plainGet, toApp: plainToApp, answer: "SSH-2.0-x\r\n\r\n", client: bad502,
	}, {
		name: "a head that is cut (RFC 9112 §8)", request: plainGet, toApp: plainToApp, closes: true,
		answer: "HTTP/1.1 200 OK\r\nContent-Le", client: bad502,
	}, {
		name: "a header block over the limit (RFC 9112 §3)", request: plainGet, toApp: plainToApp,
		answer: "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 64<<10) + "\r\n\r\n", client: bad502,
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
	},
}

const bad502 = "HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 16\r\n\r\n502 Bad Gateway\n"

func TestRequestRules(t *testing.T) {
	for _, rule := range requestRules {
		t.Run(rule.name, func(t *testing.T) { t.Parallel(); rule.check(t) })
	}
}

func TestAnswerRules(t *testing.T) {
	for _, rule := range answerRules {
		t.Run(rule.name, func(t *testing.T) { t.Parallel(); rule.check(t) })
	}
}

var (
	expandRule = strings.NewReplacer("{id}", "X-Request-Id: 1\r\n",
		"{fwd}", "X-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: h\r\n")
	ownDate = regexp.MustCompile(`Date: [A-Z][^\r]*GMT\r\n`)
)

func (rule *rule) check(t *testing.T) {
	toApp := expandRule.Replace(rule.toApp)
	app := newBackend(t, func(p *peer) {
		line, err := p.r.ReadString('\n')
		switch {
		case err != nil:
		case strings.HasPrefix(line, "GET /second "):
			p.head()
			p.send(strings.Replace(ok0, "\r\n\r\n", "\r\nX-Second: 1\r\n\r\n", 1))
			p.head()
		case toApp == "":
			t.Errorf("the app got %q", line)
		default:
			if got := line + p.take(len(toApp)-len(line)); got != toApp {
				t.Errorf("the app got\n%q, not\n%q", got, toApp)
			}
			p.send(rule.answer)
			if rule.closes {
				return
			}
			if h := p.head(); strings.HasPrefix(h, "GET /second ") {
				p.send(strings.Replace(ok0, "\r\n\r\n", "\r\nX-Second: 1\r\n\r\n", 1))
				p.head()
			}
		}
	})
	r := newRig(t, rule.change)
	r.serve(app.addr)
	c := r.dial()
	c.send(expandRule.Replace(rule.request))
	if !rule.ends {
		c.send("GET /second HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
	}
	got, _ := c.rest()
	got = ownDate.ReplaceAllString(got, "")
	want := rule.client
	if !rule.ends {
		want += strings.Replace(ok0, "\r\n\r\n", "\r\nX-Second: 1\r\nConnection: close\r\n\r\n", 1)
	}
	if got != want {
		t.Errorf("the client got\n%q, not\n%q", got, want)
	}
}

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

// TestPipelining: requests that came at once are answered in order.
func TestPipelining(t *testing.T) {
	r := newRig(t, nil)
	r.serve(echoApp(t).addr)
	c := r.dial()
	var all strings.Builder
	for i := range 200 {
		all.WriteString("GET /" + itoa(i) + " HTTP/1.1\r\nHost: h\r\n\r\n")
	}
	go c.send(all.String()) // ends with the connection
	for i := range 200 {
		c.head()
		if h := c.head(); !strings.HasPrefix(h, "GET /"+itoa(i)+" ") {
			t.Fatalf("answer %d is to %q", i, h)
		}
	}
}
