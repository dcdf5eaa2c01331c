package proxy

import (
	"bytes"
	"sync"

	"golang.org/x/sys/unix"
)

// maxLine bounds a line of an access log: to what a pipe takes in one piece
// (PIPE_BUF, pipe(7)), as workers of several generations write to the same.
const maxLine = 4096

// maxPending bounds the lines that wait while the reader of the pipe is slow.
// Beyond it they are dropped: a log never slows a request.
const maxPending = 256 << 10

// A logPipe takes the lines of an app's access log.
type logPipe struct {
	mu      sync.Mutex
	fd      int // -1 once closed
	pending []byte
	dropped uint64
}

// logged is what a line says about a request.
type logged struct {
	status  int
	head    int64 // bytes of the request's head
	in, out int64 // bytes of its body, and of the whole answer
}

// addLogPipe takes over the write end of a pipe.
func (p *Proxy) addLogPipe(app string, fd int) {
	l := &logPipe{fd: fd}
	p.mu.Lock()
	defer p.mu.Unlock()
	if old := p.accessLog[app]; old != nil {
		old.flush()
		old.close()
	}
	p.accessLog[app] = l
	if a := p.apps[app]; a != nil {
		a.access.Store(l)
	}
}

// dropPipes closes the pipes of apps that the table does not name.
func (p *Proxy) dropPipes() {
	for name, l := range p.accessLog {
		if p.apps[name] == nil {
			delete(p.accessLog, name)
			l.flush()
			l.close()
		}
	}
}

// add queues a line. The pipe is written to when there is a page of them, and
// by every sweep.
func (l *logPipe) add(line []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fd < 0 || len(l.pending)+len(line) > maxPending {
		l.dropped++
		return
	}
	l.pending = append(l.pending, line...)
	if len(l.pending) >= maxLine {
		l.write()
	}
}

// flush writes what waits, as far as the pipe takes it.
func (l *logPipe) flush() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.write()
}

// takeDropped is the number of lines that were dropped since it was last asked.
func (l *logPipe) takeDropped() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := l.dropped
	l.dropped = 0
	return n
}

// write writes whole lines, up to maxLine bytes at a time, which the pipe takes
// in one piece or not at all.
func (l *logPipe) write() {
	rest := l.pending
	for len(rest) > 0 && l.fd >= 0 {
		n := len(rest)
		if n > maxLine {
			n = bytes.LastIndexByte(rest[:maxLine], '\n') + 1
		}
		if _, err := unix.Write(l.fd, rest[:n]); err != nil {
			if err != unix.EAGAIN && err != unix.EINTR {
				l.dropped += uint64(bytes.Count(rest, []byte{'\n'}))
				rest = nil // nobody reads any more
			}
			break
		}
		rest = rest[n:]
	}
	l.pending = l.pending[:copy(l.pending, rest)]
}

func (l *logPipe) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fd >= 0 {
		unix.Close(l.fd)
		l.fd = -1
	}
}

// statusLeft stands in the log for a request whose client left before there was
// an answer, as in nginx.
const statusLeft = 499

// account counts the bytes of a request that is over, and logs it.
func (c *conn) account() {
	x := c.x
	if !x.parsed {
		return
	}
	if x.log.status == 0 {
		x.log.status = statusLeft
	}
	c.countBytes()
	format := x.route.traffic.AccessLog
	l := x.app.access.Load()
	if format == "" || l == nil {
		return
	}
	b := takeCopyBuffer()
	defer putCopyBuffer(b)
	line := b.b[:0]
	if format == "json" {
		line = c.appendJSONLine(line)
	} else {
		line = c.appendCombinedLine(line)
	}
	l.add(line)
}
