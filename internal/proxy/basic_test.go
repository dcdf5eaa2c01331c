package proxy

import (
	"strings"
	"testing"
)

// echoApp answers every request with its own head.
func echoApp(t *testing.T) *backend {
	return newBackend(t, func(p *peer) {
		for {
			h := p.head()
			if h == "" {
				return
			}
			p.send("HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: " + itoa(len(h)) + "\r\n\r\n" + h)
		}
	})
}

func TestRequestAndAnswer(t *testing.T) {
	r := newRig(t, nil)
	r.serve(echoApp(t).addr)
	c := r.dial()
	for range 3 {
		c.send("GET /a%2Fb?c HTTP/1.1\r\nHost: Example:80\r\naccept: */*\r\nX-Request-Id: 7\r\n\r\n")
		h := c.head()
		if !strings.HasPrefix(h, "HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: ") {
			t.Fatalf("answer: %q", h)
		}
		c.expect("GET /a%2Fb?c HTTP/1.1\r\nHost: Example:80\r\naccept: */*\r\nX-Request-Id: 7\r\n" +
			"X-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: Example:80\r\n\r\n")
	}
	if n := r.counters(); n.Requests != 3 || n.Status[1] != 3 || n.Instances[0].Requests != 3 {
		t.Errorf("counted %+v", n)
	}
}
