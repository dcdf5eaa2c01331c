package proxy

import (
	"errors"
	"sync/atomic"
	"time"
)

// spliceFrom is the number of bytes from which on a body is spliced: below it,
// the calls that a pipe takes cost more than copying.
const spliceFrom = 64 << 10

// A transfer moves bytes in one direction, until there are no more or left have
// been moved: from socket to socket by splice while that pays, else through a
// buffer, which it has only while there are bytes to move.
type transfer struct {
	from, to stream
	left     int64 // bytes to move; negative: until the end
	// patience bounds every wait for one side; 0 means no bound.
	patience time.Duration
	// half, if set, becomes true when patience becomes tunnelHalfLife.
	half *atomic.Bool
	// ended, if set, becomes true when all bytes were read.
	ended *atomic.Bool
	// sum and live count the bytes that were written; each may be nil. conn,
	// if set, is told of progress.
	sum  *int64
	live [2]*atomic.Uint64
	conn *conn

	// freeze, if set, stops the transfer once it is true; run is called again
	// to go on, here or in another process. over is for its owner: it has
	// ended.
	freeze *atomic.Bool
	over   bool
	// What has been read and is yet to be written when it has stopped, and the
	// deadlines that it then goes on with, in monotime.
	rest            []byte
	held            *pipe
	readBy, writeBy int64

	buf   *buffer
	bulk  bool // much comes at a time
	plain bool // no splice: not two sockets, or no pipe to be had
}

// run returns what broke the transfer, by side. Without an error, and left over
// 0, the source has ended too early.
func (t *transfer) run() (fromErr, toErr error) {
	src, ok1 := t.from.(*sock)
	dst, ok2 := t.to.(*sock)
	t.plain = !ok1 || !ok2
	t.bulk = t.left >= spliceFrom
	if toErr = t.flush(); toErr != nil {
		return nil, toErr
	}
	for t.left != 0 {
		if t.freeze != nil && t.freeze.Load() {
			return errFrozen, nil
		}
		var n int
		t.boundRead()
		if t.bulk && !t.plain {
			n, fromErr, toErr = t.splice(src, dst)
		} else {
			n, fromErr, toErr = t.copy()
		}
		switch {
		case errors.Is(fromErr, errNoPipe):
			t.plain = true
			continue
		case fromErr != nil || toErr != nil || n == 0:
			return fromErr, toErr
		}
		t.moved(n)
	}
	return nil, nil
}

// moved counts bytes that were written.
func (t *transfer) moved(n int) {
	if t.sum != nil {
		*t.sum += int64(n)
	}
	for _, count := range t.live {
		if count != nil {
			count.Add(uint64(n))
		}
	}
	if t.conn != nil {
		t.conn.progress()
	}
}

// splice moves bytes once, without copying them.
func (t *transfer) splice(src, dst *sock) (n int, fromErr, toErr error) {
	p, n, err := src.spliceIn(t.left)
	if err != nil || n == 0 {
		return 0, err, nil
	}
	t.took(n)
	t.bulk = t.left > 0 || n >= copySize
	dst.writeWithin(t.bound())
	return n, nil, t.pour(p, n)
}

// pour writes the n bytes that a pipe holds.
func (t *transfer) pour(p *pipe, n int) error {
	err := t.to.socket().spliceOut(p)
	if err == errFrozen {
		t.moved(n - p.held)
		t.held = p
		return err
	}
	pipes.put(p)
	return err
}

// copy moves bytes once, through a buffer.
func (t *transfer) copy() (n int, fromErr, toErr error) {
	n, err := t.from.readIdle(t)
	if t.buf == nil {
		return 0, err, nil
	}
	if err != nil || n == 0 {
		t.giveBack()
		return 0, err, nil
	}
	t.took(n)
	t.bulk = t.left < 0 && n == copySize
	t.to.socket().writeWithin(t.bound())
	return n, nil, t.write(t.buf.b[:n])
}

// write writes what has been read into the buffer.
func (t *transfer) write(p []byte) error {
	err := t.to.write(p)
	if err == errFrozen {
		t.rest = t.to.socket().out.p
		t.moved(len(p) - len(t.rest))
		return err
	}
	if t.buf != nil {
		t.giveBack()
	}
	return err
}

// flush writes what was left when the transfer stopped.
func (t *transfer) flush() error {
	if t.rest == nil && t.held == nil {
		return nil
	}
	if t.freeze.Load() {
		return errFrozen
	}
	dst := t.to.socket()
	dst.writeWithin(t.bound())
	if t.writeBy != 0 {
		dst.writeBy.Store(t.writeBy)
	}
	t.writeBy = 0
	if p := t.rest; p != nil {
		t.rest = nil
		if err := t.write(p); err != nil {
			return err
		}
		t.moved(len(p))
	}
	if p := t.held; p != nil {
		t.held = nil
		n := p.held
		if err := t.pour(p, n); err != nil {
			return err
		}
		t.moved(n)
	}
	return nil
}

// pause keeps the deadlines of a transfer that has stopped.
func (t *transfer) pause() {
	if by := t.from.socket().readBy.Load(); by != 0 {
		t.readBy = by
	}
	if by := t.to.socket().writeBy.Load(); by != 0 && (t.rest != nil || t.held != nil) {
		t.writeBy = by
	}
}

// drop lets go of what was read and not written.
func (t *transfer) drop() {
	if t.held != nil {
		t.held.close()
	}
	if t.buf != nil {
		t.giveBack()
	}
	t.rest, t.held = nil, nil
}

// lend and giveBack make a transfer the lender of its buffer.
func (t *transfer) lend() []byte {
	if t.buf == nil {
		t.buf = takeCopyBuffer()
	}
	if t.left > 0 {
		return t.buf.b[:min(t.left, int64(len(t.buf.b)))]
	}
	return t.buf.b
}

func (t *transfer) giveBack() {
	putCopyBuffer(t.buf)
	t.buf = nil
}

// boundRead bounds the wait for more. That a half of the tunnel ends may fall
// between looking for that and setting the deadline, which would overwrite the
// one that was set for it.
func (t *transfer) boundRead() {
	if t.readBy != 0 {
		t.from.socket().readBy.Store(t.readBy)
		t.readBy = 0
		return
	}
	for {
		bound := t.bound()
		t.from.socket().readBy.Store(deadline(bound))
		if t.bound() == bound {
			return
		}
	}
}

// bound is how long to wait for one side now.
func (t *transfer) bound() time.Duration {
	if t.half != nil && t.half.Load() {
		return tunnelHalfLife
	}
	return t.patience
}

// took counts bytes that were read. It tells of the end before the last of them
// are written, as the receiver may act on them sooner than we come to it.
func (t *transfer) took(n int) {
	if t.left < 0 {
		return
	}
	t.left -= int64(n)
	if t.left == 0 && t.ended != nil {
		t.ended.Store(true)
	}
}
