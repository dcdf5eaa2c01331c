package proxy

import (
	"net"
	"testing"
	"time"
)

// list are the sockets that are looked after.
func (w *sweeper) list() (all []*sock) {
	for i := range w.shards {
		sh := &w.shards[i]
		sh.mu.Lock()
		for s := range sh.socks {
			all = append(all, s)
		}
		sh.mu.Unlock()
	}
	return all
}

// bounded are those that have a deadline to read by, and it.
func (w *sweeper) bounded() (all []*sock, by int64) {
	for _, s := range w.list() {
		if at := s.readBy.Load(); at != 0 {
			all, by = append(all, s), at
		}
	}
	return all, by
}

// TestHalfClosedTunnel: a tunnel may be silent for ever, but not once one half of
// it has ended: who has closed everything looks no different.
func TestHalfClosedTunnel(t *testing.T) {
	for name, half := range map[string]func(client, app *peer){
		"client": func(client, _ *peer) { client.Conn.(*net.TCPConn).CloseWrite() },
		"app":    func(_, app *peer) { app.Conn.(*net.TCPConn).CloseWrite() },
	} {
		t.Run(name, func(t *testing.T) {
			apps := make(chan *peer, 1)
			app := newBackend(t, func(p *peer) {
				p.expect("hello")
				apps <- p
				p.rest()
				<-t.Context().Done() // silent, and never closed
			})
			r := newRig(t, tcpMode)
			r.serve(app.addr)
			c := r.dial()
			c.send("hello")
			a := <-apps
			if socks, _ := r.proxy.sweep.bounded(); len(socks) != 0 {
				t.Errorf("%d directions of a silent tunnel are bounded", len(socks))
			}
			half(c, a)
			var left *sock
			eventually(t, "the other half is bounded", func() bool {
				socks, by := r.proxy.sweep.bounded()
				if len(socks) == 1 && by > monotime() && by <= monotime()+int64(tunnelHalfLife) {
					left = socks[0]
				}
				return left != nil
			})
			left.readBy.Store(1) // its time has come
			eventually(t, "all is gone", func() bool {
				n := r.counters()
				return n.Connections == 0 && n.Instances[0].InFlight == 0
			})
		})
	}
}

// TestHalfClosedClientWaits: a client that has ended its half is waited for while
// its app is silent, but not for ever.
func TestHalfClosedClientWaits(t *testing.T) {
	r := newRig(t, nil)
	r.serve(newBackend(t, func(p *peer) { p.rest() }).addr)
	c := r.dial()
	c.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	c.Conn.(*net.TCPConn).CloseWrite()
	var conn *conn
	eventually(t, "it waits", func() bool {
		for _, s := range r.proxy.sweep.list() {
			if s.owner != nil && s.owner.waiting.Load() != 0 {
				conn = s.owner
			}
		}
		return conn != nil
	})
	eventually(t, "the end of the half has come", func() bool {
		var hup bool
		conn.sock.raw.Control(func(fd uintptr) { hup, _ = pending(int(fd)) })
		return hup
	})
	since := conn.waiting.Load()
	r.proxy.sweep.sweep(since + int64(halfClosedLife/2))
	if conn.gone.Load() {
		t.Error("it was given up too early")
	}
	r.proxy.sweep.sweep(since + int64(halfClosedLife+watchLater+time.Second))
	eventually(t, "all is gone", func() bool {
		n := r.counters()
		return n.Connections == 0 && n.Instances[0].InFlight == 0
	})
}
