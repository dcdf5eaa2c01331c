package proxy

import (
	"errors"
	"sync/atomic"
	"time"

	"gracevisor/internal/proxy/http1"
)

// An upload sends the rest of a request's body to the app while the connection's
// own goroutine waits for the answer, which may come before the body has ended.
// It runs in a goroutine of its own, which stopUpload ends and waits for.
type upload struct {
	needed bool
	begun  bool
	left   int64 // of a body of known length
	run    func()
	conn   *conn
	to     *upstream

	cancel atomic.Bool // end it
	read   atomic.Bool // the client's part is over: all has been read
	done   chan struct{}
	err    error // once done
	sent   bool  // once done: all has reached the app
}

// errClientLeft ends an upload whose client has left in the middle.
var errClientLeft = errors.New("read body: the client has left")

func (u *upload) init() {
	u.done = make(chan struct{}, 1)
	u.run = u.send
}

func (u *upload) reset() {
	u.needed, u.begun, u.left, u.sent, u.err = false, false, 0, false, nil
	u.cancel.Store(false)
	u.read.Store(false)
}

// startUpload begins it.
func (c *conn) startUpload(to *upstream) {
	u := &c.x.upload
	u.begun, u.conn, u.to = true, c, to
	c.sock.readCancel, to.writeCancel = &u.cancel, &u.cancel
	go u.run()
}

// awaitUpload gives it a moment to come to its end by itself, as the answer has
// ended and the client was not told that the connection does.
func (c *conn) awaitUpload() {
	u := &c.x.upload
	if !u.begun {
		return
	}
	moment := time.NewTimer(lingerTime)
	defer moment.Stop()
	select {
	case <-u.done:
		u.done <- struct{}{} // for stopUpload
	case <-moment.C:
	}
}

// stopUpload ends it. Afterwards read tells whether the client's next bytes are
// another request, and sent whether the app got everything.
func (c *conn) stopUpload() {
	u := &c.x.upload
	if !u.begun {
		return
	}
	u.cancel.Store(true)
	c.sock.file.SetReadDeadline(past)
	u.to.file.SetWriteDeadline(past)
	<-u.done
	u.begun = false
	c.sock.readCancel, u.to.writeCancel = nil, nil
	c.sock.readBy.Store(0)
	u.to.writeBy.Store(0)
	u.conn, u.to = nil, nil
}

// send is the goroutine.
func (u *upload) send() {
	c := u.conn
	u.err = c.sendBody(u)
	u.sent = u.err == nil
	if u.err != nil && !u.cancel.Load() && !errors.Is(u.err, errToApp) {
		// The client's fault: there is no use in waiting for an answer.
		c.abandon()
	}
	u.done <- struct{}{}
}

// errToApp marks a fault of the app's side. The app may have answered before it
// closed, so the answer is still waited for.
var errToApp = errors.New("send body to app")

func (c *conn) sendBody(u *upload) error {
	if c.x.req.ExpectContinue {
		// The client waits for the app's word as long as it likes, and
		// sends the body then, or without.
		c.sock.readBy.Store(0)
		if err := c.sock.await(); err != nil {
			return err
		}
	}
	if c.x.req.Framing == http1.Length {
		return c.sendLength(u)
	}
	return c.sendChunks(u)
}

func (c *conn) sendLength(u *upload) error {
	t := transfer{from: c.client, to: &u.to.sock, left: u.left, ended: &u.read,
		patience: c.x.route.traffic.BodyTimeout, sum: &c.x.log.in, conn: c}
	fromErr, toErr := t.run()
	switch {
	case toErr != nil:
		return errToApp
	case fromErr != nil:
		return fromErr
	case t.left > 0:
		return errClientLeft
	}
	return nil
}

// sendChunks passes chunks on as they come. It reads into what is free of x.in,
// so that a request behind the body is where the next one is looked for; the
// head of this one, which the answer still needs, is before it.
func (c *conn) sendChunks(u *upload) error {
	x := c.x
	patience := x.route.traffic.BodyTimeout
	out := takeCopyBuffer()
	defer putCopyBuffer(out)
	x.in.renew(copySize)
	first := x.in.w
	for done := false; !done; {
		x.in.r, x.in.w = first, first
		c.sock.readBy.Store(deadline(patience))
		n, err := c.client.read(x.in.free()[:copySize/2])
		if err != nil {
			return err
		}
		if n == 0 {
			return errClientLeft
		}
		x.in.w += n
		p := out.b[:0]
		if p, done, err = c.passChunks(p); err != nil {
			return err
		}
		u.read.Store(done)
		c.progress()
		u.to.writeWithin(patience)
		if err := u.to.write(p); err != nil {
			return errToApp
		}
	}
	return nil
}
