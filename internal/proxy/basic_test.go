package proxy

import (
	"net"
	"path/filepath"
	"strings"
	"testing"
)

// echoHead answers every request with its own head.
func echoHead(p *peer) {
	for {
		h := p.head()
		if h == "" {
			return
		}
		p.send("HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: " + itoa(len(h)) + "\r\n\r\n" + h)
	}
}

func echoApp(t *testing.T) *backend { return newBackend(t, echoHead) }

func TestRequestAndAnswer(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) { checkRequestAndAnswer(t, network) })
	}
}

func checkRequestAndAnswer(t *testing.T, network string) {
	address := "127.0.0.1:0"
	if network == "unix" {
		address = filepath.Join(t.TempDir(), "sock")
	}
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t, nil)
	r.serve(newBackendOn(t, l, echoHead).addr)
	c := r.dial()
	const request = "GET /a%2Fb?c HTTP/1.1\r\nHost: Example:80\r\naccept: */*\r\nX-Request-Id: 7\r\n"
	const body = request + "X-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: Example:80\r\n\r\n"
	var head string
	for range 3 {
		c.send(request + "\r\n")
		if head = c.head(); !strings.HasPrefix(head, "HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: ") {
			t.Fatalf("answer: %q", head)
		}
		c.expect(body)
	}
	c.Close()
	eventually(t, "it is gone", func() bool { return r.counters().Connections == 0 })
	n := r.counters()
	if n.Requests != 3 || n.Status[1] != 3 || n.Instances[0].Requests != 3 || n.Instances[0].InFlight != 0 {
		t.Errorf("counted %+v", n)
	}
	if in, out := 3*uint64(len(request)+2), 3*uint64(len(head)+len(body)); n.BytesIn != in || n.BytesOut != out {
		t.Errorf("counted %d bytes in and %d out, not %d and %d", n.BytesIn, n.BytesOut, in, out)
	}
	var latency uint64
	for _, b := range n.LatencyBuckets {
		latency += b
	}
	if latency != 3 {
		t.Errorf("counted latencies %v", n.LatencyBuckets)
	}
}
