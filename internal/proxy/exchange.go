package proxy

import (
	"sync"

	"gracevisor/internal/proxy/http1"
)

// Sizes of the buffers of an exchange. They grow to what a message needs and
// are thrown away if that was much.
const (
	inSize  = 8 << 10
	upSize  = 16 << 10
	outSize = 8 << 10
	// keepSize bounds what is kept of a buffer that has grown.
	keepSize = 128 << 10
	// replayable bounds the body that is kept so that a request can be sent
	// again.
	replayable = 64 << 10
)

// An exchange is a request and its answer, with the buffers they need. It has
// no memory of its own beyond them, and goes from connection to connection.
type exchange struct {
	in  buffer // from the client
	up  buffer // from the app
	out []byte // to be sent: first to the app, then to the client

	req      http1.Request
	resp     http1.Response
	upChunks http1.ChunkReader // of the request's body
	chunks   http1.ChunkReader // of the answer's body
	upload   upload
	download transfer

	app      *app
	route    *route
	began    int64 // monotime
	upgrade  string
	instance *instance
	upstream *upstream
	headEnd  int   // where in up the head of the answer ends
	seen     int64 // bytes of the body that came with the head, chunked
	waiter   waiter
	retry    retry
	log      logged

	parsed    bool // the head was read, or refused
	expected  bool // the answer's end is known to the client
	closing   bool // the client was told that the connection closes
	unsettled bool // how the client goes on is not known, as an upgrade was refused
}

var exchanges = sync.Pool{New: func() any {
	x := &exchange{out: make([]byte, 0, outSize)}
	x.in.b = make([]byte, inSize)
	x.up.b = make([]byte, upSize)
	x.upload.init()
	return x
}}

func takeExchange() *exchange { return exchanges.Get().(*exchange) }

// putExchange takes back an exchange that nobody uses any more.
func putExchange(x *exchange) {
	x.req.Reset()
	x.resp.Reset()
	x.in.reset(inSize)
	x.up.reset(upSize)
	if cap(x.out) > keepSize {
		x.out = make([]byte, 0, outSize)
	}
	x.app, x.route, x.download = nil, nil, transfer{}
	x.retry.reset()
	exchanges.Put(x)
}

// begin makes x ready for the next request.
func (x *exchange) begin(a *app) {
	x.app, x.route = a, a.route.Load()
	x.began = monotime()
	x.upgrade, x.instance, x.upstream = "", nil, nil
	x.seen = 0
	x.retry.reset()
	x.log = logged{}
	x.parsed, x.expected, x.closing, x.unsettled = false, false, false, false
	x.out = x.out[:0]
}

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
