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
	data     []byte // of the chunks of the answer that came last, in up
	complete bool   // they were the last
	headEnd  int    // where in up the head of the answer ends
	seen     int64  // bytes of the body that came with the head, chunked
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
	x.waiter.sock = nil
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
