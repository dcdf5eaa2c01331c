package proxy

import (
	"strings"
	"testing"

	"gracevisor/internal/wire"
)

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
		name:    "no Host in HTTP/1.0 (RFC 9112 §3.2)",
		request: "GET / HTTP/1.0\r\n{id}\r\n",
		toApp:   "GET / HTTP/1.1\r\n{id}Host: \r\nX-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Proto: http\r\n\r\n",
		answer:  ok0, client: closing(ok0), ends: true,
	}, {
		name:    "HTTP/1.0 keep-alive (RFC 9112 §9.3)",
		request: "GET / HTTP/1.0\r\nHost: h\r\nConnection: keep-alive\r\n{id}\r\n",
		toApp:   "GET / HTTP/1.1\r\nHost: h\r\n{id}{fwd}\r\n",
		answer:  ok0, client: strings.Replace(ok0, "\r\n\r\n", "\r\nConnection: keep-alive\r\n\r\n", 1),
	}, {
		name:    "CONNECT (RFC 9110 §9.3.6)",
		request: "CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n",
		client:  failure("405", "Method Not Allowed", allowed), ends: true,
	}, {
		name:    "header block over the limit (RFC 6585 §5)",
		request: "GET / HTTP/1.1\r\nHost: h\r\nX: " + strings.Repeat("x", 32<<10) + "\r\n\r\n",
		client:  failure("431", "Request Header Fields Too Large"), ends: true,
	}, {
		name:    "header block under the limit (RFC 6585 §5)",
		request: "GET / HTTP/1.1\r\nHost: h\r\n{id}X: " + strings.Repeat("x", 30<<10) + "\r\n\r\n",
		toApp:   "GET / HTTP/1.1\r\nHost: h\r\n{id}X: " + strings.Repeat("x", 30<<10) + "\r\n{fwd}\r\n", answer: ok0, client: ok0,
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
		name:    "chunks and trailers (RFC 9112 §7.1.2)",
		request: "POST / HTTP/1.1\r\nHost: h\r\n{id}Transfer-Encoding: chunked\r\nTrailer: T\r\n\r\n3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nT: 1\r\nContent-Length: 9\r\n\r\n",
		toApp:   "POST / HTTP/1.1\r\nHost: h\r\n{id}Trailer: T\r\n{fwd}Transfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\nT: 1\r\n\r\n",
		answer:  ok0, client: ok0,
	}, {
		name:    "trailers named in Connection (RFC 9110 §7.6.1)",
		request: "POST / HTTP/1.1\r\nHost: h\r\n{id}Connection: T\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nT: 1\r\nU: 2\r\n\r\n",
		toApp:   "POST / HTTP/1.1\r\nHost: h\r\n{id}{fwd}Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nU: 2\r\n\r\n",
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
		answer:  ok0, client: closing(ok0), ends: true,
	}, {
		name:    "JSON where it is preferred (RFC 9110 §12.5.1)",
		request: "CONNECT h:1 HTTP/1.1\r\nHost: h:1\r\nAccept: application/json, text/html\r\n\r\n",
		client: "HTTP/1.1 405 Method Not Allowed\r\n" + allowed + "Content-Type: application/json\r\nContent-Length: 44\r\nConnection: close\r\n\r\n" +
			"{\"status\":405,\"error\":\"Method Not Allowed\"}\n", ends: true,
	}, {
		name:    "X-Request-Id is made where it is missing (RFC 9110 §7.7 lets a proxy add fields)",
		request: "GET / HTTP/1.1\r\nHost: h\r\n\r\n",
		toApp:   "GET / HTTP/1.1\r\nHost: h\r\n{fwd}{newid}\r\n", answer: ok0, client: ok0,
	}, {
		name:    "a peer beside the trusted ones is not believed (RFC 7239 §8.1)",
		request: "GET / HTTP/1.1\r\nHost: h\r\n{id}X-Forwarded-For: 1.1.1.1\r\nForwarded: for=1.1.1.1\r\n\r\n",
		toApp:   "GET / HTTP/1.1\r\nHost: h\r\n{id}{fwd}\r\n", answer: ok0, client: ok0,
		change: func(a *wire.App) { a.Traffic.TrustedProxies = []string{"10.0.0.0/8", "127.0.0.2/32", "::1/128"} },
	}, {
		name:    "order, case and path bytes stay (RFC 9110 §7.7)",
		request: "GET /a%2fb/../%7e?b=%20&a HTTP/1.1\r\nx-b: 1\r\nX-A: 2\r\nhost: h\r\n{id}X-B: 3\r\n\r\n",
		toApp:   "GET /a%2fb/../%7e?b=%20&a HTTP/1.1\r\nx-b: 1\r\nX-A: 2\r\nhost: h\r\n{id}X-B: 3\r\n{fwd}\r\n", answer: ok0, client: ok0,
	}, {
		name:    "HTML where it is preferred (RFC 9110 §12.5.1)",
		request: "CONNECT h:1 HTTP/1.1\r\nHost: h:1\r\nAccept: text/html, application/json\r\n\r\n",
		client: "HTTP/1.1 405 Method Not Allowed\r\n" + allowed + "Content-Type: text/html; charset=utf-8\r\nContent-Length: 84\r\nConnection: close\r\n\r\n" +
			"<!doctype html><title>405 Method Not Allowed</title><h1>405 Method Not Allowed</h1>\n", ends: true,
	}, {
		name:    "a body that nobody wants is read on for a while (RFC 9112 §9.6)",
		request: "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 200000\r\n\r\n" + strings.Repeat("x", 200000),
		client:  failed(413), ends: true,
		change: func(a *wire.App) { a.Traffic.MaxBodyBytes = 10 },
	}, {
		name:    "Upgrade with another method than GET is not passed on (RFC 6455 §4.1)",
		request: "POST / HTTP/1.1\r\nHost: h\r\n{id}Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 1\r\n\r\nx",
		toApp:   "POST / HTTP/1.1\r\nHost: h\r\n{id}Content-Length: 1\r\n{fwd}\r\nx", answer: ok0, client: closing(ok0), ends: true,
	},
}

func TestRequestRules(t *testing.T) { tryRules(t, requestRules) }
