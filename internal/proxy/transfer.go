package proxy

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// spliceFrom is the number of bytes from which on a body is spliced: below it,
// the four calls that a pipe takes cost more than copying.
const spliceFrom = 64 << 10

// A transfer moves bytes in one direction, until there are no more or left have
// been moved: between two sockets by splice, where that pays, else through a
// buffer.
type transfer struct {
	from, to stream
	left     int64 // bytes to move; negative: until the end
	// patience bounds every wait for one side; 0 means no bound.
	patience time.Duration
	// half, if set, becomes true when patience becomes tunnelHalfLife.
	half *atomic.Bool
	// ended, if set, becomes true when all bytes were read.
	ended *atomic.Bool
	// moved is told of every bytes that were written.
	moved func(n int)
}

// run returns what broke the transfer, by side. Without an error, and left over
// 0, the source has ended too early.
func (t *transfer) run() (fromErr, toErr error) {
	src, ok1 := t.from.(*sock)
	dst, ok2 := t.to.(*sock)
	if ok1 && ok2 && (t.left < 0 || t.left >= spliceFrom) {
		fromErr, toErr = t.splice(src, dst)
		if !errors.Is(fromErr, errNoPipe) {
			return fromErr, toErr
		}
	}
	return t.copy()
}

func (t *transfer) splice(src, dst *sock) (fromErr, toErr error) {
	for t.left != 0 {
		src.readBy.Store(src.deadline(t.bound()))
		p, n, err := src.spliceIn(t.left)
		if err != nil || n == 0 {
			return err, nil
		}
		t.took(n)
		dst.writeWithin(t.bound())
		err = dst.spliceOut(p)
		pipes.put(p)
		if err != nil {
			return nil, err
		}
		t.moved(n)
	}
	return nil, nil
}

func (t *transfer) copy() (fromErr, toErr error) {
	b := takeCopyBuffer()
	defer putCopyBuffer(b)
	src, dst := t.from.socket(), t.to.socket()
	for t.left != 0 {
		p := b.b
		if t.left > 0 {
			p = p[:min(t.left, int64(len(p)))]
		}
		src.readBy.Store(src.deadline(t.bound()))
		n, err := t.from.read(p)
		if err != nil || n == 0 {
			return err, nil
		}
		t.took(n)
		dst.writeWithin(t.bound())
		if err := t.to.write(p[:n]); err != nil {
			return nil, err
		}
		t.moved(n)
	}
	return nil, nil
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

// copySize is that of the buffers of a transfer.
const copySize = 32 << 10

var copyBuffers = sync.Pool{New: func() any { return &buffer{b: make([]byte, copySize)} }}

func takeCopyBuffer() *buffer { return copyBuffers.Get().(*buffer) }
func putCopyBuffer(b *buffer) { copyBuffers.Put(b) }
