package control

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// Bounds in bytes and counts.
const (
	// maxHeader is 16 KiB, of which net/http adds 4 KiB by itself.
	maxHeader = 12 << 10
	maxBody   = 64 << 10
	// maxConns and maxStreams hold for a kind of door. That there are fewer
	// streams than connections leaves room for short requests at all times.
	maxConns   = 128
	maxStreams = 96
)

// bounds are those in time; tests have shorter ones.
type bounds struct {
	// header bounds reading a request's header, request all of it.
	header, request time.Duration
	// idle bounds the pause between two requests of a connection.
	idle time.Duration
	// write bounds each write: a client that does not read for so long is
	// let go.
	write time.Duration
	// beat is the pause between two blank lines in a stream.
	beat time.Duration
}

func standardBounds() bounds {
	return bounds{
		header:  5 * time.Second,
		request: 10 * time.Second,
		idle:    30 * time.Second,
		write:   time.Minute,
		beat:    5 * time.Second,
	}
}

// A guard lets a request in, or not.
type guard interface {
	// admit says who the caller is, in words for the log.
	admit(r *http.Request) (caller string, err *refusal)
}

// A door is a listener with its guard and its own HTTP server.
type door struct {
	ops     Operations
	log     *slog.Logger
	guard   guard
	bounds  bounds
	slots   slots
	streams chan struct{}
	// outliving is that of the server.
	outliving *outliving
	http      *http.Server
	// life ends with the server.
	life context.Context
	// closing is closed when the door takes no more requests.
	closing chan struct{}
	close   func()
	quiet   Quieter
}

func (s *Server) newDoor(c capacity, g guard) *door {
	closing := make(chan struct{})
	d := &door{
		ops:       s.ops,
		log:       s.log,
		guard:     g,
		bounds:    s.bounds,
		slots:     c.slots,
		streams:   c.streams,
		outliving: &s.outliving,
		life:      s.life,
		closing:   closing,
		close:     sync.OnceFunc(func() { close(closing) }),
	}
	d.http = &http.Server{
		Handler:           d,
		ReadHeaderTimeout: s.bounds.header,
		ReadTimeout:       s.bounds.request,
		IdleTimeout:       s.bounds.idle,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
		BaseContext:       func(net.Listener) context.Context { return s.life },
		ConnContext:       withConn,
	}
	return d
}

// noteRefusal logs what an operator should know of: who was turned away, and
// what went wrong inside. Other errors are the client's own affair.
func (d *door) noteRefusal(x *exchange, ref *refusal) {
	switch ref.err.Code {
	case CodeNotPermitted:
		if skipped, now := d.quiet.Pass(time.Now()); now {
			d.log.Warn("control request refused", "peer", x.peerName(), "reason", ref.err.Message, "unlogged", skipped)
		}
	case CodeInternal:
		d.log.Error("control request failed", "peer", x.peerName(), "path", x.r.URL.Path, "error", ref.err.Message)
	}
}

func (x *exchange) peerName() string {
	if x.caller != "" {
		return x.caller
	}
	return x.r.RemoteAddr
}

// A Quieter lets one message pass every quietTime, or some more, so that nobody
// fills the log.
type Quieter struct {
	// Burst is how many more pass in that time.
	Burst int

	mu      sync.Mutex
	began   time.Time
	passed  int
	skipped int
}

const quietTime = 10 * time.Second

// Pass says whether to log now, and how many messages were not logged since
// the last one that was.
func (q *Quieter) Pass(now time.Time) (skipped int, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.began.IsZero() || now.Sub(q.began) >= quietTime {
		q.began, q.passed = now, 0
	}
	if q.passed > q.Burst {
		q.skipped++
		return 0, false
	}
	q.passed++
	skipped, q.skipped = q.skipped, 0
	return skipped, true
}
