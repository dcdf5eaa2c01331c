package proxy

import (
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
)

// TestGarbage: whatever an app answers and a client asks, both with bytes of it
// changed at random, the proxy goes on, with nothing left in flight.
func TestGarbage(t *testing.T) {
	answers := []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nT: x\r\n\r\n",
		"HTTP/1.0 200 OK\r\n\r\nhello",
		"HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 304 Not\r\nConnection: close\r\n\r\n",
	}
	requests := []string{
		"GET / HTTP/1.1\r\nHost: h\r\nConnection: keep-alive\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
		"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\nabc",
		"GET / HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\nearly",
	}
	var seed atomic.Uint64
	app := newBackend(t, func(p *peer) {
		random := rand.New(rand.NewPCG(seed.Load(), 1))
		if h := p.head(); strings.HasPrefix(h, "GET /sane ") {
			p.send(ok0)
			return
		}
		p.send(spoil(random, answers[random.IntN(len(answers))]))
	})
	r := newRig(t, nil)
	r.serve(app.addr)
	for i := range uint64(300) {
		seed.Store(i)
		random := rand.New(rand.NewPCG(i, 2))
		c := r.dial()
		request := requests[random.IntN(len(requests))]
		if i%2 == 0 {
			request = spoil(random, request)
		}
		c.send(request)
		c.Conn.(interface{ CloseWrite() error }).CloseWrite()
		c.rest()
		c.Close()
	}
	c := r.dial()
	c.send("GET /sane HTTP/1.1\r\nHost: h\r\n\r\n")
	if h := c.head(); h != ok0 {
		t.Errorf("got %q", h)
	}
	eventually(t, "nothing is in flight", func() bool { return r.counters().Instances[0].InFlight == 0 })
}

const noise = "\r\n :;,x0\x00\xff"

// spoil changes a few bytes, or cuts the end off.
func spoil(random *rand.Rand, s string) string {
	b := []byte(s)
	for range random.IntN(4) {
		b[random.IntN(len(b))] = noise[random.IntN(len(noise))]
	}
	if random.IntN(4) == 0 {
		b = b[:random.IntN(len(b))]
	}
	return string(b)
}
