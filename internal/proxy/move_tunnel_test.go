package proxy

import (
	"crypto/sha256"
	"io"
	"math/rand/v2"
	"net"
	"testing"
	"time"

	"gracevisor/internal/wire"
	"gracevisor/test/flow"
)

// TestMoveOfTunnels: both kinds go on, and count for their instance until they
// end, which the new worker tells.
func TestMoveOfTunnels(t *testing.T) {
	for name, mode := range map[string]string{"upgrade": "http", "tcp": "tcp"} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, func(a *wire.App) { a.Mode = mode })
			if mode == "tcp" {
				r.serve(newBackend(t, echo).addr)
			} else {
				r.serve(upgradeApp(t, echo).addr)
			}
			c := r.dial()
			if mode == "http" {
				c.send(upgradeRequest)
				c.head()
			}
			c.send("one")
			c.expect("one")
			r.serve(echoApp(t).addr) // it drains
			next := r.successor()
			next.waitDrained("demo/1") // there is none yet
			r.moveTo(next)
			r.left()
			r.waitDrained("demo/1")
			next.notDrained()
			c.send("two")
			c.expect("two")
			next.apply()
			next.notDrained()
			c.Conn.(*net.TCPConn).CloseWrite()
			if got, err := c.rest(); got != "" || err != nil {
				t.Errorf("the end: %q, %v", got, err)
			}
			next.waitDrained("demo/1")
			next.notDrained()
			eventually(t, "nothing is left", func() bool { return next.proxy.Counters().Connections == 0 })
		})
	}
}

// TestMoveOfHalfClosed: an end that was sent stays sent, and the other half goes
// on.
func TestMoveOfHalfClosed(t *testing.T) {
	t.Run("by the client", func(t *testing.T) {
		letIt := make(chan struct{})
		r := newRig(t, tcpMode)
		r.serve(newBackend(t, func(p *peer) {
			p.rest()
			<-letIt
			p.send("late")
		}).addr)
		c := r.dial()
		c.send("x")
		c.Conn.(*net.TCPConn).CloseWrite()
		eventually(t, "the end was passed on", func() bool { return r.counters().BytesIn == 1 && halfOver(r.proxy) })
		next := r.successor()
		r.moveTo(next)
		r.left()
		close(letIt)
		if got, err := c.rest(); got != "late" || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
	})
	t.Run("by the app", func(t *testing.T) {
		got := make(chan string, 1)
		r := newRig(t, tcpMode)
		r.serve(newBackend(t, func(p *peer) {
			p.Conn.(*net.TCPConn).CloseWrite()
			s, _ := p.rest()
			got <- s
		}).addr)
		c := r.dial()
		if s, err := c.rest(); s != "" || err != nil {
			t.Errorf("got %q, %v", s, err)
		}
		eventually(t, "it is known", func() bool { return halfOver(r.proxy) })
		next := r.successor()
		r.moveTo(next)
		r.left()
		c.send("and more")
		c.Conn.(*net.TCPConn).CloseWrite()
		if s := <-got; s != "and more" {
			t.Errorf("the app got %q", s)
		}
	})
}

// TestMoveKeepsTheBoundOfAHalf: a tunnel of which one half has ended may be silent
// for a bounded time only, and each byte begins that anew, in another worker, too.
func TestMoveKeepsTheBoundOfAHalf(t *testing.T) {
	send := make(chan struct{})
	r := newRig(t, tcpMode)
	r.serve(newBackend(t, func(p *peer) {
		p.rest()
		select {
		case <-send:
			p.send("late")
			<-t.Context().Done()
		case <-t.Context().Done():
		}
	}).addr)
	c := r.dial()
	c.send("x")
	c.Conn.(*net.TCPConn).CloseWrite()
	eventually(t, "the end was passed on", func() bool { return r.counters().BytesIn == 1 && halfOver(r.proxy) })
	next := r.successor()
	r.moveTo(next)
	r.left()
	eventually(t, "the other worker waits with a bound", func() bool { return waitsUntil(next.proxy) > 0 })
	before := waitsUntil(next.proxy)
	close(send)
	c.expect("late")
	eventually(t, "the bound begins anew", func() bool { return waitsUntil(next.proxy) > before })
}

// waitsUntil is the deadline of the wait for the app of a proxy's only tunnel, or
// 0 if there is none.
func waitsUntil(p *Proxy) int64 {
	for i := range p.sweep.shards {
		sh := &p.sweep.shards[i]
		sh.mu.Lock()
		defer sh.mu.Unlock()
		for s := range sh.socks {
			if s.owner == nil {
				continue
			}
			if t := s.owner.tunnel.Load(); t != nil {
				return t.upstream.readBy.Load()
			}
		}
	}
	return 0
}

// halfOver reports whether a tunnel is half closed.
func halfOver(p *Proxy) bool {
	for i := range p.sweep.shards {
		sh := &p.sweep.shards[i]
		sh.mu.Lock()
		defer sh.mu.Unlock()
		for s := range sh.socks {
			if s.owner == nil {
				continue
			}
			if t := s.owner.tunnel.Load(); t != nil && t.half.Load() {
				return true
			}
		}
	}
	return false
}

// TestMoveOfStreams: at full speed both ways, and with readers that let all
// buffers fill, every byte arrives once, through many workers.
func TestMoveOfStreams(t *testing.T) {
	r := newRig(t, tcpMode)
	r.serve(newBackend(t, echo).addr)
	const size = 32 << 20
	type result struct {
		sent, got [32]byte
		err       error
	}
	results := make(chan result, 4)
	for i := range cap(results) {
		c := r.dial()
		slow := i%2 == 1
		go func() { // ends once all is back
			sent := make(chan [32]byte, 1)
			go func() { // ends once all is written
				h := sha256.New()
				io.Copy(io.MultiWriter(c.Conn, h), io.LimitReader(rand.NewChaCha8([32]byte{byte(i)}), size))
				c.Conn.(*net.TCPConn).CloseWrite()
				sent <- [32]byte(h.Sum(nil))
			}()
			h := sha256.New()
			var err error
			if slow {
				_, err = io.Copy(h, &hesitant{r: c.r})
			} else {
				_, err = io.Copy(h, c.r)
			}
			results <- result{<-sent, [32]byte(h.Sum(nil)), err}
		}()
	}
	eventually(t, "they flow", func() bool { return r.counters().BytesOut > 1<<20 })
	held := 0
	for moves := 0; len(results) < cap(results) && moves < 200; moves++ {
		next := r.successor()
		r.moveTo(next)
		r.left()
		r = next
		held += heldBytes(r.proxy)
		time.Sleep(time.Millisecond) // lets some bytes flow
	}
	for range cap(results) {
		if got := <-results; got.err != nil || got.sent != got.got {
			t.Errorf("other bytes came back, %v", got.err)
		}
	}
	if held == 0 {
		t.Error("nothing was ever moved with bytes in it")
	}
}

// heldBytes are those that tunnels were moved with and have not yet written.
func heldBytes(p *Proxy) (n int) { return int(p.movedBytes.Load()) }

// hesitant is a reader that pauses now and then, for as long as it takes to fill
// all buffers.
type hesitant struct {
	r io.Reader
	n int
}

func (h *hesitant) Read(p []byte) (int, error) {
	n, err := h.r.Read(p)
	if h.n += n; h.n > 4<<20 {
		h.n = 0
		time.Sleep(30 * time.Millisecond)
	}
	return n, err
}

// TestMoveInAPartialWrite: of what was read the client has got a part, in pieces
// that are copied as in such that are spliced.
func TestMoveInAPartialWrite(t *testing.T) {
	for _, piece := range []int{10_007, 20_011, 30_011, 200_000} {
		full := make(chan int64)
		r := newRig(t, tcpMode)
		r.serve(newBackend(t, func(p *peer) {
			from, sent := flow.Bytes("partial"), int64(0)
			for { // until nobody takes any more
				p.Conn.SetWriteDeadline(time.Now().Add(50 * time.Millisecond))
				n, err := io.CopyN(p.Conn, from, int64(piece))
				if sent += n; err != nil {
					break
				}
				time.Sleep(time.Millisecond) // so that the proxy reads piece by piece
			}
			full <- sent
		}).addr)
		c := r.dial()
		sent := <-full
		for range 3 {
			next := r.successor()
			r.moveTo(next)
			r.left()
			r = next
		}
		got, err := flow.Check(c.r, "partial")
		if err != nil || got < sent || got > sent+int64(piece) {
			t.Errorf("pieces of %d: of %d bytes %d have come, %v", piece, sent, got, err)
		}
	}
}
