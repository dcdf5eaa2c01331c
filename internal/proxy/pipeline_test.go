package proxy

import (
	"strings"
	"testing"
)

// TestPipelining: requests that came at once are answered in order (RFC 9112
// §9.3.2).
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
