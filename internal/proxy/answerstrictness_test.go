package proxy

import (
	"strings"
	"testing"

	"gracevisor/internal/wire"
)

// An answerPair is an answer that breaks a rule, for which the client gets 502
// and the app is blamed, and its nearest neighbour that does not.
type answerPair struct {
	rule   string // with the section of the RFC
	bad    string
	blame  string
	good   string
	client string // what becomes of good; "": the same
	change func(*wire.App)
}

// answerHead is followed by the end of an answer's head.
const answerHead = "HTTP/1.1 200 OK\r\nDate: x\r\n"

var answerPairs = []answerPair{
	{
		rule:  "Content-Length next to Transfer-Encoding (RFC 9112 §6.3)",
		bad:   answerHead + "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
		blame: "Content-Length: is there beside Transfer-Encoding",
		good:  answerHead + "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
	}, {
		rule:  "two Content-Lengths that are equal (RFC 9112 §6.3)",
		bad:   answerHead + "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
		blame: "Content-Length: is there more than once",
		good:  answerHead + "Content-Length: 3\r\nX-Content-Length: 3\r\n\r\nabc",
	}, {
		rule:  "a list as Content-Length (RFC 9112 §6.3)",
		bad:   answerHead + "Content-Length: 3, 3\r\n\r\nabc",
		blame: "Content-Length: is not one decimal number",
		good:  answerHead + "Content-Length: 03\r\n\r\nabc",
	}, {
		rule:  "a sign in Content-Length (RFC 9112 §6.2)",
		bad:   answerHead + "Content-Length: +3\r\n\r\nabc",
		blame: "Content-Length: is not one decimal number",
		good:  answerHead + "content-length:3\r\n\r\nabc", client: answerHead + "content-length: 3\r\n\r\nabc",
	}, {
		rule:  "Content-Length over 63 bits (RFC 9110 §8.6)",
		bad:   answerHead + "Content-Length: 18446744073709551619\r\n\r\nabc",
		blame: "Content-Length: is too large a number",
		good:  answerHead + "Content-Length: 0000000000000000003\r\n\r\nabc",
	}, {
		rule:  "another coding than chunked (RFC 9112 §6.1)",
		bad:   answerHead + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
		blame: "Transfer-Encoding: names a coding other than chunked",
		good:  answerHead + "Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	}, {
		rule:  "chunked twice (RFC 9112 §6.1)",
		bad:   answerHead + "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
		blame: "Transfer-Encoding: names chunked more than once",
		good:  answerHead + "Transfer-Encoding: Chunked\r\n\r\n0\r\n\r\n", client: answerHead + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	}, {
		rule:  "Transfer-Encoding in HTTP/1.0 (RFC 9112 §6.1)",
		bad:   "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		blame: "Transfer-Encoding: is in an HTTP/1.0 message",
		good:  "HTTP/1.0 200 OK\r\nDate: x\r\nContent-Length: 3\r\n\r\nabc", client: answerHead + "Content-Length: 3\r\n\r\nabc",
	}, {
		rule:  "a chunk size with a sign (RFC 9112 §7.1)",
		bad:   answerHead + "Transfer-Encoding: chunked\r\n\r\n+1\r\na\r\n0\r\n\r\n",
		blame: "chunk size is not a hexadecimal number",
		good:  answerHead + "Transfer-Encoding: chunked\r\n\r\n01;x=y\r\na\r\n0\r\n\r\n", client: answerHead + "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
	}, {
		rule:  "a chunk size that ends with LF (RFC 9112 §2.2)",
		bad:   answerHead + "Transfer-Encoding: chunked\r\n\r\n1\na\r\n0\r\n\r\n",
		blame: "chunk size is not followed by CR and LF",
		good:  answerHead + "Transfer-Encoding: chunked\r\n\r\n1\r\n\n\r\n0\r\n\r\n",
	}, {
		rule:  "chunk extensions over the bound (RFC 9112 §7.1.1)",
		bad:   answerHead + "Transfer-Encoding: chunked\r\n\r\n1;" + strings.Repeat("x", 1024) + "\r\na\r\n0\r\n\r\n",
		blame: "chunk extension is too long",
		good:  answerHead + "Transfer-Encoding: chunked\r\n\r\n1;" + strings.Repeat("x", 1022) + "\r\na\r\n0\r\n\r\n", client: answerHead + "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
	}, {
		rule:  "a folded trailer (RFC 9112 §5.2)",
		bad:   answerHead + "Transfer-Encoding: chunked\r\n\r\n0\r\nT: a\r\n b\r\n\r\n",
		blame: "line begins with white space",
		good:  answerHead + "Transfer-Encoding: chunked\r\n\r\n0\r\nT: a\tb\r\n\r\n",
	}, {
		rule:  "a folded line (RFC 9112 §5.2)",
		bad:   answerHead + "X: a\r\n b\r\nContent-Length: 0\r\n\r\n",
		blame: "line begins with white space",
		good:  answerHead + "X: a\tb\r\nContent-Length: 0\r\n\r\n",
	}, {
		rule:  "a space within a name (RFC 9112 §5.1)",
		bad:   answerHead + "X Y: a\r\nContent-Length: 0\r\n\r\n",
		blame: "field name is not a token followed by a colon",
		good:  answerHead + "Content-Length \t: 0\r\n\r\n", client: ok0,
	}, {
		rule:  "a bare CR in a value (RFC 9112 §2.2)",
		bad:   answerHead + "X: a\rb\r\nContent-Length: 0\r\n\r\n",
		blame: "X: CR without LF",
		good:  answerHead + "X: a b\r\nContent-Length: 0\r\n\r\n",
	}, {
		rule:  "a line that ends with LF (RFC 9112 §2.2)",
		bad:   "HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n",
		blame: "line ends without CR",
		good:  ok0,
	}, {
		rule:  "NUL in a value (RFC 9110 §5.5)",
		bad:   answerHead + "X: a\x00b\r\nContent-Length: 0\r\n\r\n",
		blame: "X: value has a control character",
		good:  answerHead + "X: a\x80\xffb\r\nContent-Length: 0\r\n\r\n",
	}, {
		rule:  "a byte outside the grammar in a name (RFC 9110 §5.1)",
		bad:   answerHead + "X(Y: a\r\nContent-Length: 0\r\n\r\n",
		blame: "field name is not a token followed by a colon",
		good:  answerHead + "X_Y: a\r\nContent-Length: 0\r\n\r\n",
	}, {
		rule:  "a status of four digits (RFC 9112 §4)",
		bad:   "HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n",
		blame: "status line is malformed",
		good:  "HTTP/1.1 299 \r\nDate: x\r\nContent-Length: 0\r\n\r\n",
	}, {
		rule:  "a status over 599 (RFC 9110 §15)",
		bad:   "HTTP/1.1 600 High\r\nContent-Length: 0\r\n\r\n",
		blame: "status is not of 100 to 599",
		good:  "HTTP/1.1 599 High \t\xff\r\nDate: x\r\nContent-Length: 0\r\n\r\n",
	}, {
		rule:  "another major version (RFC 9112 §2.3)",
		bad:   "HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n",
		blame: "major version is not 1",
		good:  "HTTP/1.9 200 OK\r\nDate: x\r\nContent-Length: 0\r\n\r\n", client: ok0,
	}, {
		rule:  "an interim answer with a length (RFC 9110 §8.6)",
		bad:   "HTTP/1.1 103 Early Hints\r\nContent-Length: 3\r\n\r\nabc" + ok0,
		blame: "Content-Length: is in an interim answer",
		good:  "HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: b\r\n\r\n" + ok0,
	}, {
		rule:  "101 that nobody asked for (RFC 9110 §15.2.2)",
		bad:   "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
		blame: "101 that was not asked for",
		good:  "HTTP/1.1 102 Processing\r\n\r\n" + ok0,
	}, {
		rule:  "too many fields (max_answer_headers)",
		bad:   answerHead + strings.Repeat("X: a\r\n", 5) + "Content-Length: 0\r\n\r\n",
		blame: "header has too many fields",
		good:  answerHead + strings.Repeat("X: a\r\n", 4) + "Content-Length: 0\r\n\r\n",
		// The limit of requests is another one.
		change: func(a *wire.App) { a.Traffic.MaxAnswerHeaders, a.Traffic.MaxHeaders = 6, 3 },
	}, {
		rule:  "a header block over the limit (max_answer_header_bytes)",
		bad:   answerHead + "X: " + strings.Repeat("x", 401) + "\r\nContent-Length: 0\r\n\r\n",
		blame: "header is too large",
		good:  answerHead + "X: " + strings.Repeat("x", 400) + "\r\nContent-Length: 0\r\n\r\n",
		change: func(a *wire.App) {
			a.Traffic.MaxAnswerHeaderBytes = len(answerHead+"X: \r\nContent-Length: 0\r\n\r\n") + 400
		},
	},
}

// TestAnswerStrictness: the same strictness holds towards apps, the client of
// which goes on with the next request.
func TestAnswerStrictness(t *testing.T) {
	var rules []rule
	for _, p := range answerPairs {
		client := p.client
		if client == "" {
			client = p.good
		}
		rules = append(rules,
			rule{name: p.rule, request: plainGet, toApp: plainToApp, answer: p.bad, client: bad502, blame: p.blame, change: p.change},
			rule{name: "legal next to " + p.rule, request: plainGet, toApp: plainToApp, answer: p.good, client: client, change: p.change})
	}
	tryRules(t, rules)
}
