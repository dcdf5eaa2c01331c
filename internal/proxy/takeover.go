package proxy

import (
	"errors"
	"io"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"

	"gracevisor/internal/proxy/handoff"
)

// A receiver takes the connections that another worker gives away.
type receiver struct {
	proxy  *Proxy
	conn   *handoff.Conn
	number uint32
	parked []*conn // of the offer that is not settled
}

// TakeOver makes the proxy serve the connections that the worker at the other end
// of a socket gives away, until that has gone. It takes the file over.
func (p *Proxy) TakeOver(f *os.File) error {
	link, err := handoff.NewConn(f)
	if err != nil {
		return err
	}
	r := &receiver{proxy: p, conn: link}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed() {
		link.Close()
		return errClosed
	}
	done := make(chan struct{})
	p.wg.Go(func() { // ends with the other worker, or by Close
		defer close(done)
		r.run()
	})
	p.wg.Go(func() { // ends with it
		select {
		case <-p.stop:
			link.Close()
		case <-done:
		}
	})
	return nil
}

// run takes offers. It closes the conversation only when it holds nothing that
// is not settled: for the other side that is its right to go on.
func (r *receiver) run() {
	defer r.conn.Close()
	for {
		said, err := r.conn.Receive()
		switch m := said.(type) {
		case *handoff.Offer:
			if r.parked != nil {
				r.drop()
				closeOffer(m)
				return
			}
			r.park(m)
			continue
		case *handoff.Commit:
			if m.Number == r.number {
				r.serve()
				continue
			}
		case *handoff.Withdraw:
			if m.Number == r.number {
				r.drop()
				continue
			}
		}
		if errors.Is(err, io.EOF) {
			r.serve() // it has died, and did not take them back
		} else {
			r.drop()
		}
		return
	}
}

// park holds what is offered ready, and answers.
func (r *receiver) park(o *handoff.Offer) {
	answer := handoff.Answer{Number: o.Number}
	r.number, r.parked = o.Number, make([]*conn, 0, len(o.Connections))
	for i, h := range o.Connections {
		var c *conn
		if h != nil {
			c = r.proxy.park(h)
		}
		if c == nil {
			answer.Refused = append(answer.Refused, i)
			continue
		}
		r.parked = append(r.parked, c)
	}
	// If it can not be told the other side has died, or is about to take it
	// for us: what it says next decides.
	_ = r.conn.Answer(answer)
}

// serve begins to serve what is parked.
func (r *receiver) serve() {
	for _, c := range r.parked {
		r.proxy.movedIn.Add(1)
		r.proxy.movedBytes.Add(c.carries())
		r.proxy.moveOn(c)
		r.proxy.wg.Go(c.serve) // ends with the connection, which Close ends
	}
	r.parked = nil
}

// moveOn tells a connection that was taken over to stop if the proxy has begun to
// leave since it was let in: it may not have been in the sweep yet when the mover
// told all of them. Whoever leaves later finds it there.
func (p *Proxy) moveOn(c *conn) {
	if p.draining.Load() && p.moving() {
		c.freeze.Store(true)
	}
}

// drop forgets what is parked.
func (r *receiver) drop() {
	for _, c := range r.parked {
		c.forget()
		r.proxy.leave(c.home)
	}
	r.parked = nil
}

func closeOffer(o *handoff.Offer) {
	for _, h := range o.Connections {
		if h != nil {
			closeFiles(h.Files)
		}
	}
}

func closeFiles(files []int) {
	for _, fd := range files {
		unix.Close(fd)
	}
}

// park makes a connection of what another worker tells, or returns nil if it can
// not be served here. A tunnel counts as in flight on its instance from now on,
// before it ceases to do so there.
func (p *Proxy) park(h *handoff.Connection) *conn {
	c, in := p.claim(h)
	if c == nil {
		closeFiles(h.Files)
		return nil
	}
	if err := c.own(h.Files[0]); err != nil {
		closeFiles(h.Files[1:])
		p.unclaim(c, in)
		return nil
	}
	if h.Kind == handoff.Tunnel && !c.resumeTunnel(in, h) {
		c.sock.close()
		p.unclaim(c, in)
		return nil
	}
	if h.Kind == handoff.HTTP {
		c.takeData(h.Up.Data)
	}
	return c
}

// claim takes a place for a connection, and counts a tunnel in flight.
func (p *Proxy) claim(h *handoff.Connection) (*conn, *instance) {
	p.mu.Lock()
	defer p.mu.Unlock()
	a, in := p.apps[h.App], p.instances[h.Instance]
	switch tunnel := h.Kind == handoff.Tunnel; {
	case a == nil, p.closed(), tunnel && in == nil:
		return nil, nil
	case !tunnel && a.route.Load().tcp != (h.Kind == handoff.Waiting):
		return nil, nil // its clients are spoken to in another way by now
	case p.enter(a) != nil:
		return nil, nil
	case p.draining.Load():
		// Looked at after it was counted: either this is seen, or the count.
		p.leave(a)
		return nil, nil
	case tunnel:
		in.adopt()
	default:
		in = nil
	}
	l := p.listeners[h.Listener]
	if l == nil {
		l = &listener{name: h.Listener}
		l.app.Store(a)
	}
	c := &conn{proxy: p, listener: l, home: a, tcp: h.Kind == handoff.Waiting, served: h.Served, resumeBy: deadline(h.Left)}
	c.peer, _ = netip.ParseAddrPort(h.Peer) // not valid for a Unix socket
	return c, in
}

// unclaim takes claim back.
func (p *Proxy) unclaim(c *conn, in *instance) {
	if in != nil {
		in.leave()
	}
	p.leave(c.home)
}

// carries is how many bytes it came with.
func (c *conn) carries() (n uint64) {
	if t := c.tunnel.Load(); t != nil {
		for _, d := range [...]*transfer{&t.up, &t.down} {
			n += uint64(len(d.rest))
			if d.held != nil {
				n += uint64(d.held.held)
			}
		}
	}
	return n
}

// takeData makes bytes that were read already the first of the next request.
func (c *conn) takeData(data []byte) {
	if len(data) == 0 {
		return
	}
	c.x = takeExchange()
	if len(data) > len(c.x.in.b) {
		c.x.in.b = make([]byte, len(data))
	}
	c.x.in.r, c.x.in.w = 0, copy(c.x.in.b, data)
}

// resumeTunnel makes a connection the tunnel that it was.
func (c *conn) resumeTunnel(in *instance, h *handoff.Connection) bool {
	u := new(upstream)
	if err := c.proxy.sweep.newSock(&u.sock, h.Files[1]); err != nil {
		closeFiles(h.Files[2:])
		return false
	}
	t := c.enterTunnel(u, in, c.home, h.Upgraded)
	pipes := t.up.resume(&h.Up, h.Files[2:])
	t.down.resume(&h.Down, pipes)
	t.half.Store(h.Up.Over || h.Down.Over)
	return true
}

// resume gives a direction what it had, and returns the descriptors that are
// not its own.
func (t *transfer) resume(h *handoff.Direction, files []int) []int {
	t.over = h.Over
	t.readBy, t.writeBy = deadline(h.ReadLeft), deadline(h.WriteLeft)
	if len(h.Data) > 0 {
		t.rest = h.Data
	}
	if h.Piped > 0 {
		t.held = &pipe{r: files[0], w: -1, held: h.Piped, size: h.Piped}
		files = files[1:]
	}
	return files
}
