package proxy

import (
	"net/netip"
	"sync/atomic"
	"time"
)

// A conn is a client's connection. Its goroutine runs the phases of one request
// after the other; everything that only a request needs is in its exchange,
// which the connection gives back while it is idle.
type conn struct {
	proxy    *Proxy
	listener *listener
	home     *app // whose connections it counts among
	sock     sock
	client   stream // &sock, or what is to come between it and the phases
	peer     netip.AddrPort
	tcp      bool      // of an app with `proxy: tcp`
	x        *exchange // nil while idle
	served   bool      // has had a request

	// freeze is set when the connection is to be moved to another worker:
	// where that can be done it stops, and is stopped.
	freeze  atomic.Bool
	stopped bool
	// resumeBy is the deadline of the wait that it has stopped in, in monotime,
	// which whoever goes on takes over; 0 for none.
	resumeBy int64
	// tunnel is what it has become, if it is one.
	tunnel atomic.Pointer[tunnel]

	// gone is set by the sweeper when the client has left in the middle of a
	// request; up is what then has to be woken.
	gone atomic.Bool
	up   atomic.Pointer[upstream]
	// waiting is when bytes moved last, in monotime, while an app is to
	// answer; else 0.
	waiting atomic.Int64
	look    int64 // when the sweeper looks next
}

// A stream carries the bytes of a client's connection. Deadlines and waking are
// always those of the socket below it.
type stream interface {
	// read waits for bytes; 0 of them mean the end.
	read(p []byte) (int, error)
	// readIdle is read into a buffer that is lent as long as there is
	// something to read.
	readIdle(lender) (int, error)
	// write writes all of p.
	write(p []byte) error
	// closeWrite sends the end.
	closeWrite() error
	// socket is what is below, for deadlines and waking.
	socket() *sock
}

// A lender has a buffer that is needed only as long as there are bytes to read.
type lender interface {
	lend() []byte
	giveBack()
}

// fate is what a phase decides about the connection.
type fate uint8

const (
	proceed fate = iota // with the next phase
	keep                // for the next request
	finish              // the client knows that it is the last: close
	linger              // close, but read on for a while so that the client gets the answer
	sever               // close, the answer is not complete
	abort               // reset, as only that tells the client so
	over                // it was a tunnel, which has ended; nothing is left to do
	move                // it has stopped in a head, and is to be moved
)

// begin takes over an accepted socket, which is counted in already.
func (p *Proxy) begin(l *listener, a *app, fd int, peer netip.AddrPort) {
	c := &conn{proxy: p, listener: l, home: a, peer: peer, tcp: a.route.Load().tcp}
	if err := c.own(fd); err != nil {
		p.log.Warn("cannot use connection", "app", a.name, "error", err)
		p.leave(a)
		return
	}
	p.wg.Go(c.serve) // ends with the connection, which Close ends
}

// own takes over the client's socket.
func (c *conn) own(fd int) error {
	c.sock.owner, c.sock.freeze = c, &c.freeze
	c.client = &c.sock
	return c.proxy.sweep.newSock(&c.sock, fd)
}

// serve is the life of a connection in this process: until it ends, or has
// stopped to be moved and the mover has it.
func (c *conn) serve() {
	for c.live(); c.stopped; c.live() {
		if c.proxy.giveAway(c) {
			return
		}
	}
	c.end()
}

// live serves until the connection ends or has stopped.
func (c *conn) live() {
	c.stopped = false
	switch {
	case c.tunnel.Load() != nil:
		c.carry()
	case c.tcp:
		c.relay()
	default:
		for c.next() {
		}
	}
}

// next serves a request, and reports whether another may follow.
func (c *conn) next() bool {
	if c.freeze.Load() && c.stopBetween() {
		return false
	}
	if (c.x == nil || c.x.in.empty()) && !c.awaitRequest() {
		return false
	}
	f := c.request()
	if f == move {
		return false
	}
	c.served = true
	if f == over {
		return false
	}
	c.account()
	if f == keep {
		return true
	}
	c.part(f)
	return false
}

// request is the life of a request.
func (c *conn) request() fate {
	c.x.begin(c.listener.app.Load())
	for _, phase := range [...]func(*conn) fate{
		(*conn).readHead,
		(*conn).screen,
		(*conn).collectBody,
	} {
		if f := phase(c); f != proceed {
			return f
		}
	}
	return c.forward()
}

// awaitRequest waits for the first bytes of a request, without a buffer.
func (c *conn) awaitRequest() bool {
	t := &c.home.route.Load().traffic
	patience := t.IdleTimeout
	if !c.served {
		patience = t.HeaderTimeout
	}
	c.sock.readBy.Store(c.resumed(patience))
	c.sock.in.atRest = true
	n, err := c.client.readIdle(c)
	c.sock.in.atRest = false
	if err == errFrozen {
		c.stop()
	}
	if err != nil || n == 0 {
		return false
	}
	c.x.in.w += n
	return true
}

// lend and giveBack make a conn the lender of its exchange's buffer.
func (c *conn) lend() []byte {
	if c.x == nil {
		c.x = takeExchange()
	}
	c.x.in.r, c.x.in.w = 0, 0
	return c.x.in.free()
}

func (c *conn) giveBack() {
	putExchange(c.x)
	c.x = nil
}

// end closes the connection.
func (c *conn) end() {
	if c.x != nil {
		c.giveBack()
	}
	c.sock.close()
	c.proxy.leave(c.home)
}

// watch is called by each sweep: a client that has left while its app is to
// answer is noticed here, as nobody reads from it meanwhile.
func (c *conn) watch(now int64) {
	since := c.waiting.Load()
	if since == 0 || now < c.look || c.gone.Load() {
		return
	}
	silent := now - since
	c.look = now + min(max(silent/4, int64(watchAfter)), int64(watchLater))
	if silent < int64(watchAfter) {
		return
	}
	var hup, dead bool
	c.sock.raw.Control(func(fd uintptr) { hup, dead = pending(int(fd)) })
	if dead || hup && silent > int64(halfClosedLife) {
		c.abandon()
	}
}

const (
	// watchAfter is how long an app may be silent before we look whether
	// its client is still there.
	watchAfter = time.Second
	// watchLater is the longest pause between two looks.
	watchLater = 15 * time.Second
	// halfClosedLife bounds how long a connection may be silent after one
	// side has sent its end: one that closed and one that only closed its
	// half look the same.
	halfClosedLife = 60 * time.Second
)

// abandon ends the wait for the app.
func (c *conn) abandon() {
	c.gone.Store(true)
	if u := c.up.Load(); u != nil {
		u.wake()
	}
	c.sock.wake()
}
