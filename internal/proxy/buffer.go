package proxy

import "sync"

// A buffer holds bytes that were read and not yet used: b[r:w].
type buffer struct {
	b    []byte
	r, w int
}

func (b *buffer) unread() []byte { return b.b[b.r:b.w] }
func (b *buffer) empty() bool    { return b.r == b.w }
func (b *buffer) len() int       { return b.w - b.r }

// free is the room behind what was read.
func (b *buffer) free() []byte { return b.b[b.w:] }

// compact moves what is unread to the front. What aliases it is lost.
func (b *buffer) compact() {
	b.w = copy(b.b, b.b[b.r:b.w])
	b.r = 0
}

// grow makes room behind what is unread, for a message of up to limit bytes,
// and reports whether it could.
func (b *buffer) grow(limit int) bool {
	if b.r > 0 {
		b.compact()
		return true
	}
	if len(b.b) >= limit {
		return false
	}
	bigger := make([]byte, min(2*len(b.b), limit))
	b.w = copy(bigger, b.unread())
	b.b = bigger
	return true
}

// renew makes room for size bytes behind what was read, in other memory if need
// be: what aliases the old stays valid. Nothing must be unread.
func (b *buffer) renew(size int) {
	if len(b.free()) < size {
		b.b = make([]byte, 2*size)
		b.r, b.w = 0, 0
	}
}

// reset empties the buffer, and shrinks one that has grown much.
func (b *buffer) reset(size int) {
	b.r, b.w = 0, 0
	if len(b.b) > keepSize {
		b.b = make([]byte, size)
	}
}

// copySize is that of the buffers of a transfer.
const copySize = 32 << 10

var copyBuffers = sync.Pool{New: func() any { return &buffer{b: make([]byte, copySize)} }}

func takeCopyBuffer() *buffer { return copyBuffers.Get().(*buffer) }
func putCopyBuffer(b *buffer) { copyBuffers.Put(b) }
