package proxy

import (
	"regexp"
	"strings"
	"testing"

	"gracevisor/internal/proxy/http1"
	"gracevisor/internal/wire"
)

// A rule is one exchange in raw bytes, as seen at both sides of the proxy. {id}
// stands for an X-Request-Id line and {fwd} for what the proxy adds; {newid} and
// {date} for fields that it makes up.
type rule struct {
	name    string // with the section of the RFC
	request string
	toApp   string // what the app gets; "" if it must get nothing
	answer  string
	closes  bool   // the app closes after the answer
	client  string // what the client gets
	ends    bool   // the proxy closes then; else a second request is served
	blame   string // what the log says that the app does wrong
	change  func(*wire.App)
}

const (
	ok0      = "HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: 0\r\n\r\n"
	okSecond = "HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: 0\r\nX-Second: 1\r\n\r\n"
)

// closing is an answer of which the client learns that it is the last.
func closing(answer string) string {
	return strings.Replace(answer, "\r\n\r\n", "\r\nConnection: close\r\n\r\n", 1)
}

func failure(status, reason string, more ...string) string {
	body := status + " " + reason + "\n"
	return "HTTP/1.1 " + status + " " + reason + "\r\n" + strings.Join(more, "") +
		"Content-Type: text/plain; charset=utf-8\r\nContent-Length: " + itoa(len(body)) + "\r\nConnection: close\r\n\r\n" + body
}

// failed is a failure by its number.
func failed(status int) string { return failure(itoa(status), http1.StatusText(status)) }

var (
	expandRule = strings.NewReplacer("{id}", "X-Request-Id: 1\r\n",
		"{fwd}", "X-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: h\r\n")
	ownDate = regexp.MustCompile(`Date: [A-Z][^\r]*GMT\r\n`)

	// What the proxy makes up itself, and the length that it has.
	ownID    = regexp.MustCompile(`X-Request-Id: [0-9a-f]{32}\r\n`)
	sizeRule = strings.NewReplacer("{newid}", "X-Request-Id: "+strings.Repeat("0", 32)+"\r\n",
		"{date}", "Date: Mon, 02 Jan 2006 15:04:05 GMT\r\n")
)

// unmake puts placeholders for what the proxy has made up.
func unmake(got string) string {
	return ownDate.ReplaceAllString(ownID.ReplaceAllString(got, "{newid}"), "{date}")
}

// tryRules makes a trial of each rule.
func tryRules(t *testing.T, rules []rule) {
	var trials []trial
	for _, rule := range rules {
		trials = append(trials, trial{rule.name, rule.change, rule.check})
	}
	try(t, trials)
}

func (rule *rule) check(t *testing.T, s *stage) {
	newBackendOn(t, s.back, func(p *peer) { rule.serve(t, p) })
	c := s.dial(t)
	c.send(expandRule.Replace(rule.request))
	if !rule.ends {
		c.send("GET /second HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
	}
	got, err := c.rest()
	if err != nil && strings.Contains(got, "\r\nConnection: close\r\n") {
		t.Errorf("the client was told that the connection closes, and it ended with %v", err)
	}
	got = strings.ReplaceAll(unmake(got), "{date}", "") // which every answer of its own has
	want := rule.client
	if !rule.ends {
		want += closing(okSecond)
	}
	if got != want {
		t.Errorf("the client got\n%.1000q, not\n%.1000q", got, want)
	}
	if rule.blame != "" {
		eventually(t, "the app is blamed for: "+rule.blame, func() bool { return s.blamed(rule.blame) })
	}
}

// serve is the app of a rule.
func (rule *rule) serve(t *testing.T, p *peer) {
	toApp := expandRule.Replace(rule.toApp)
	line, err := p.r.ReadString('\n')
	switch {
	case err != nil:
	case strings.HasPrefix(line, "GET /second "):
		p.head()
		p.send(okSecond)
		p.head()
	case toApp == "":
		t.Errorf("the app got %q", line)
	default:
		got := line + p.take(len(sizeRule.Replace(toApp))-len(line))
		if got = unmake(got); got != toApp {
			t.Errorf("the app got\n%.1000q, not\n%.1000q", got, toApp)
		}
		p.send(rule.answer)
		if rule.closes {
			return
		}
		if h := p.head(); strings.HasPrefix(h, "GET /second ") {
			p.send(okSecond)
			p.head()
		}
	}
}
