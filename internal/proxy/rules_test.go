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
