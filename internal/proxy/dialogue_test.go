package proxy

import (
	"net"
	"strings"
	"testing"

	"gracevisor/internal/wire"
)

// A dialogue is an exchange in which it matters who speaks when. Its steps are
// made one after the other, and what a side gets is compared byte for byte.
type dialogue struct {
	name   string // with the section of the RFC
	steps  []step
	change func(*wire.App)
}

type step struct {
	does  act
	bytes string
}

type act string

const (
	clientSends act = "the client sends"
	clientGets  act = "the client gets"
	clientEnds  act = "the client ends its half"
	clientLast  act = "the client gets as the last" // up to a clean end
	appGets     act = "the app gets"
	appSends    act = "the app sends"
	appEnds     act = "the app ends its half"
	appLast     act = "the app gets as the last"
)

const (
	expectHead  = "POST / HTTP/1.1\r\nHost: h\r\n{id}Expect: 100-continue\r\nContent-Length: 4\r\n"
	putHead     = "PUT / HTTP/1.1\r\nHost: h\r\n{id}"
	upgradeHead = "GET / HTTP/1.1\r\nHost: h\r\n{id}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
	upgradeSent = "GET / HTTP/1.1\r\nHost: h\r\n{id}{fwd}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
	switched    = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
	forbidden   = "HTTP/1.1 403 Forbidden\r\nDate: x\r\nContent-Length: 0\r\n\r\n"
	chunked200  = "HTTP/1.1 200 OK\r\nDate: x\r\nTransfer-Encoding: chunked\r\n\r\n"
)

var dialogues = []dialogue{
	{
		name: "the app says when the body may come (RFC 9110 §10.1.1)",
		steps: []step{
			{clientSends, expectHead + "\r\n"}, {appGets, expectHead + "{fwd}\r\n"},
			{appSends, "HTTP/1.1 100 Continue\r\n\r\n"}, {clientGets, "HTTP/1.1 100 Continue\r\n\r\n"},
			{clientSends, "body"}, {appGets, "body"}, {appSends, ok0}, {clientGets, ok0},
			{clientSends, plainGet}, {appGets, plainToApp}, {appSends, ok0}, {clientGets, ok0},
		},
	}, {
		name: "requests of every kind that came at once, the last of which is broken (RFC 9112 §9.3.2)",
		steps: []step{
			{clientSends, plainGet + putHead + "Content-Length: 3\r\n\r\nabc" + putHead + "Transfer-Encoding: chunked\r\n\r\n3\r\nGET\r\n0\r\n\r\n" +
				"HEAD / HTTP/1.1\r\nHost: h\r\n{id}\r\n" + "GET / HTTP/1.1\r\n\r\n" + plainGet},
			{appGets, plainToApp}, {appSends, ok0},
			{appGets, putHead + "Content-Length: 3\r\n{fwd}\r\nabc"}, {appSends, ok0},
			{appGets, putHead + "{fwd}Transfer-Encoding: chunked\r\n\r\n3\r\nGET\r\n0\r\n\r\n"}, {appSends, chunked200 + "0\r\n\r\n"},
			{appGets, "HEAD / HTTP/1.1\r\nHost: h\r\n{id}{fwd}\r\n"}, {appSends, "HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: 9\r\n\r\n"},
			{clientLast, ok0 + ok0 + chunked200 + "0\r\n\r\n" + "HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: 9\r\n\r\n" +
				strings.Replace(failed(400), "\r\n", "\r\n{date}", 1)},
		},
	}, {
		name: "the app does not want the body (RFC 9110 §10.1.1)",
		steps: []step{
			{clientSends, expectHead + "\r\n"}, {appGets, expectHead + "{fwd}\r\n"},
			{appSends, forbidden}, {clientLast, closing(forbidden)},
		},
	}, {
		name: "the client does not wait for 100 (RFC 9110 §10.1.1)",
		steps: []step{
			{clientSends, expectHead + "\r\n"}, {appGets, expectHead + "{fwd}\r\n"},
			{clientSends, "body"}, {appGets, "body"}, {appSends, ok0}, {clientGets, ok0},
		},
	}, {
		name: "interim answers come at once (RFC 8297 §2)",
		steps: []step{
			{clientSends, plainGet}, {appGets, plainToApp},
			{appSends, "HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n"}, {clientGets, "HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n"},
			{appSends, "HTTP/1.1 103 Early Hints\r\nLink: b\r\n\r\n"}, {clientGets, "HTTP/1.1 103 Early Hints\r\nLink: b\r\n\r\n"},
			{appSends, ok0}, {clientGets, ok0},
		},
	}, {
		name: "an error before the body has come ends the connection (RFC 9112 §9.3)",
		steps: []step{
			{clientSends, postHead + "Content-Length: 100000\r\n\r\nab"}, {appGets, postHead + "Content-Length: 100000\r\n{fwd}\r\nab"},
			{appSends, forbidden}, {clientLast, closing(forbidden)},
		},
	}, {
		name: "a success before the body has come does not (RFC 9112 §9.3)",
		steps: []step{
			{clientSends, chunkHead + "2\r\nab\r\n"}, {appGets, chunkToApp + "2\r\nab\r\n"},
			{appSends, chunked200 + "1\r\na\r\n"}, {clientGets, chunked200 + "1\r\na\r\n"},
			{clientSends, "1\r\nc\r\n0\r\nT: 1\r\n\r\n"}, {appGets, "1\r\nc\r\n0\r\nT: 1\r\n\r\n"},
			{appSends, "0\r\nU: 1\r\n\r\n"}, {clientGets, "0\r\nU: 1\r\n\r\n"},
			{clientSends, plainGet}, {appGets, plainToApp}, {appSends, ok0}, {clientGets, ok0},
		},
	}, {
		name: "an answer may end before the body does (RFC 9112 §9.3)",
		steps: []step{
			{clientSends, chunkHead + "2\r\nab\r\n"}, {appGets, chunkToApp + "2\r\nab\r\n"},
			{appSends, chunked200 + "1\r\na\r\n"}, {clientGets, chunked200 + "1\r\na\r\n"},
			{appSends, "0\r\n\r\n"}, {clientGets, "0\r\n\r\n"},
			{clientSends, "0\r\n\r\n"}, {appGets, "0\r\n\r\n"},
			{clientSends, plainGet}, {appGets, plainToApp}, {appSends, ok0}, {clientGets, ok0},
		},
	}, {
		name: "an answer that is whole before the body has come says so (RFC 9112 §9.6)",
		steps: []step{
			{clientSends, postHead + "Content-Length: 100000\r\n\r\nab"}, {appGets, postHead + "Content-Length: 100000\r\n{fwd}\r\nab"},
			{appSends, ok0}, {clientLast, closing(ok0)},
		},
	}, {
		name: "a redirection in place of 100 (RFC 9110 §10.1.1)",
		steps: []step{
			{clientSends, expectHead + "\r\n"}, {appGets, expectHead + "{fwd}\r\n"},
			{appSends, "HTTP/1.1 307 Elsewhere\r\nDate: x\r\nLocation: /b\r\nContent-Length: 9\r\n\r\nelse"},
			{clientGets, "HTTP/1.1 307 Elsewhere\r\nDate: x\r\nLocation: /b\r\nContent-Length: 9\r\nConnection: close\r\n\r\nelse"},
			{appSends, "where"}, {clientLast, "where"},
		},
	}, {
		name: "events come without delay (RFC 9112 §6.3)",
		steps: []step{
			{clientSends, plainGet}, {appGets, plainToApp},
			{appSends, "HTTP/1.1 200 OK\r\nDate: x\r\nContent-Type: text/event-stream\r\n\r\n"},
			{clientGets, "HTTP/1.1 200 OK\r\nDate: x\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"},
			{appSends, "data: 1\n\n"}, {clientGets, "9\r\ndata: 1\n\n\r\n"},
			{appSends, "data: 2\n\n"}, {clientGets, "9\r\ndata: 2\n\n\r\n"},
			{appEnds, ""}, {clientGets, "0\r\n\r\n"},
		},
	}, {
		name: "after 101 all bytes are passed on, early ones too (RFC 9110 §7.8)",
		steps: []step{
			{clientSends, upgradeHead + "GET /early HTTP/1.1\r\n\r\n"}, {appGets, upgradeSent},
			{appSends, switched + "hello"}, {clientGets, switched + "hello"}, {appGets, "GET /early HTTP/1.1\r\n\r\n"},
			{clientSends, "\x00\xff"}, {appGets, "\x00\xff"},
			{clientEnds, ""}, {appLast, ""}, {appSends, "bye"}, {appEnds, ""}, {clientLast, "bye"},
		},
	}, {
		name: "early bytes are no request if there is no 101 (RFC 9931 §5)",
		steps: []step{
			{clientSends, upgradeHead + "GET /early HTTP/1.1\r\nHost: h\r\n\r\n"}, {appGets, upgradeSent},
			{appSends, forbidden}, {clientLast, closing(forbidden)},
		},
	}, {
		name: "h2c is not passed on (RFC 9113 §3.1)",
		steps: []step{
			{clientSends, getHead + "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n"},
			{appGets, plainToApp}, {appSends, ok0}, {clientGets, ok0},
			{clientSends, plainGet}, {appGets, plainToApp}, {appSends, ok0}, {clientGets, ok0},
		},
	}, {
		name: "the preface of HTTP/2 is no request (RFC 9113 §3.4)",
		steps: []step{
			{clientSends, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"}, {clientLast, "HTTP/1.1 505 HTTP Version Not Supported\r\n{date}" +
				"Content-Type: text/plain; charset=utf-8\r\nContent-Length: 31\r\nConnection: close\r\n\r\n505 HTTP Version Not Supported\n"},
		},
	}, {
		name: "another token is passed on where it is listed (RFC 9110 §7.8)",
		steps: []step{
			{clientSends, getHead + "Connection: upgrade\r\nUpgrade: CHAT\r\n\r\n"},
			{appGets, getHead + "{fwd}Connection: Upgrade\r\nUpgrade: chat\r\n\r\n"},
			{appSends, "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: chat\r\n\r\n"},
			{clientGets, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\n"},
			{appSends, "a"}, {clientGets, "a"}, {clientSends, "b"}, {appGets, "b"},
		},
		change: func(a *wire.App) { a.Traffic.Upgrades = []string{"websocket", "chat"} },
	}, {
		name: "the client ends its half of a TCP connection (RFC 9293 §3.6)",
		steps: []step{
			{clientSends, "a"}, {appGets, "a"}, {clientEnds, ""}, {appLast, ""},
			{appSends, "b"}, {clientGets, "b"}, {appSends, "c"}, {appEnds, ""}, {clientLast, "c"},
		},
		change: tcpMode,
	}, {
		name: "the app ends its half of a TCP connection (RFC 9293 §3.6)",
		steps: []step{
			{clientSends, "a"}, {appGets, "a"}, {appSends, "b"}, {appEnds, ""}, {clientLast, "b"},
			{clientSends, "c"}, {appGets, "c"}, {clientEnds, ""}, {appLast, ""},
		},
		change: tcpMode,
	},
}

func TestDialogues(t *testing.T) {
	var trials []trial
	for _, d := range dialogues {
		trials = append(trials, trial{d.name, d.change, d.hold})
	}
	try(t, trials)
}

// hold makes the steps of the dialogue.
func (d *dialogue) hold(t *testing.T, s *stage) {
	client := s.dial(t)
	var app *peer
	for i, step := range d.steps {
		if app == nil && (step.does == appGets || step.does == appSends) {
			c, err := s.back.Accept()
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { c.Close() })
			app = newPeer(t, c)
		}
		switch text := expandRule.Replace(step.bytes); step.does {
		case clientSends:
			client.send(text)
		case appSends:
			app.send(text)
		case clientGets:
			client.expectMade(text)
		case appGets:
			app.expectMade(text)
		case clientEnds:
			client.Conn.(*net.TCPConn).CloseWrite()
		case appEnds:
			app.Conn.(*net.TCPConn).CloseWrite()
		case clientLast:
			client.expectLast(text)
		case appLast:
			app.expectLast(text)
		}
		if t.Failed() {
			t.Fatalf("at step %d: %s %.200q", i+1, step.does, step.bytes)
		}
	}
}

// expectMade reads exactly want, with what the proxy makes up in it.
func (p *peer) expectMade(want string) {
	p.t.Helper()
	if got := unmake(p.take(len(sizeRule.Replace(want)))); got != want {
		p.t.Errorf("got\n%.1000q, not\n%.1000q", got, want)
	}
}

// expectLast reads want, and a clean end after it.
func (p *peer) expectLast(want string) {
	p.t.Helper()
	if got, err := p.rest(); unmake(got) != want || err != nil {
		p.t.Errorf("got\n%.1000q, %v, not\n%.1000q", got, err, want)
	}
}
