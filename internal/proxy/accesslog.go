package proxy

import (
	"bytes"
	"strconv"
	"sync"
	"time"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"gracevisor/internal/proxy/http1"
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
	t := x.app.counters.of(c)
	t.bytesIn.Add(uint64(x.log.head + x.log.in))
	t.bytesOut.Add(uint64(x.log.out))
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

// field is the value of the first field of a kind.
func field(r *http1.Request, k http1.Kind) []byte {
	for i := range r.Fields {
		if r.Fields[i].Kind == k {
			return r.Fields[i].Value
		}
	}
	return nil
}

// shorten keeps what a client sent from making a line longer than maxLine, four
// of them, each byte of which may take six.
func shorten(b []byte, n int) []byte { return b[:min(len(b), n)] }

const (
	maxLoggedPath  = 380
	maxLoggedValue = 120
)

// appendJSONLine writes a line as a JSON object (RFC 8259).
func (c *conn) appendJSONLine(b []byte) []byte {
	x := c.x
	b = append(b, `{"time":"`...)
	b = time.Now().UTC().AppendFormat(b, "2006-01-02T15:04:05.000Z")
	b = append(b, `","client":"`...)
	b = c.appendPeer(b)
	b = appendJSONString(append(b, `","method":`...), x.req.Method)
	b = appendJSONString(append(b, `,"host":`...), shorten(x.req.Host, maxLoggedValue))
	b = appendJSONString(append(b, `,"target":`...), shorten(x.req.Target, maxLoggedPath))
	b = append(b, `,"status":`...)
	b = strconv.AppendInt(b, int64(x.log.status), 10)
	b = append(b, `,"bytes_in":`...)
	b = strconv.AppendInt(b, x.log.head+x.log.in, 10)
	b = append(b, `,"bytes_out":`...)
	b = strconv.AppendInt(b, x.log.out, 10)
	b = append(b, `,"microseconds":`...)
	b = strconv.AppendInt(b, (monotime()-x.began)/1000, 10)
	b = append(b, `,"instance":"`...)
	if x.retry.last != nil {
		b = append(b, x.retry.last.id...)
	}
	b = appendJSONString(append(b, `","referer":`...), shorten(field(&x.req, http1.KindReferer), maxLoggedValue))
	b = appendJSONString(append(b, `,"user_agent":`...), shorten(field(&x.req, http1.KindUserAgent), maxLoggedValue))
	return append(b, "}\n"...)
}

// appendJSONString writes s as a JSON string. Bytes that are no UTF-8 become
// U+FFFD.
func appendJSONString(b, s []byte) []byte {
	const digits = "0123456789abcdef"
	b = append(b, '"')
	for len(s) > 0 {
		r, n := utf8.DecodeRune(s)
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r < ' ' || r == 0x7f:
			b = append(b, '\\', 'u', '0', '0', digits[r>>4], digits[r&15])
		default:
			b = utf8.AppendRune(b, r)
		}
		s = s[n:]
	}
	return append(b, '"')
}

// appendCombinedLine writes a line in the combined format of Apache httpd, which
// log analysers read.
func (c *conn) appendCombinedLine(b []byte) []byte {
	x := c.x
	b = c.appendPeer(b)
	b = append(b, " - - ["...)
	b = time.Now().AppendFormat(b, "02/Jan/2006:15:04:05 -0700")
	b = append(b, `] "`...)
	b = appendQuoted(b, x.req.Method)
	b = append(b, ' ')
	b = appendQuoted(b, shorten(x.req.Target, maxLoggedPath))
	b = append(b, " HTTP/1."...)
	b = append(b, byte('0'+x.req.Minor), '"', ' ')
	b = strconv.AppendInt(b, int64(x.log.status), 10)
	b = append(b, ' ')
	b = strconv.AppendInt(b, x.log.out, 10)
	b = append(b, ` "`...)
	b = appendQuotedOrDash(b, field(&x.req, http1.KindReferer))
	b = append(b, `" "`...)
	b = appendQuotedOrDash(b, field(&x.req, http1.KindUserAgent))
	return append(b, "\"\n"...)
}

func appendQuotedOrDash(b, s []byte) []byte {
	if len(s) == 0 {
		return append(b, '-')
	}
	return appendQuoted(b, shorten(s, maxLoggedValue))
}

// appendQuoted escapes what would end a quoted string or a line.
func appendQuoted(b, s []byte) []byte {
	const digits = "0123456789abcdef"
	for _, c := range s {
		if c < ' ' || c >= 0x7f || c == '"' || c == '\\' {
			b = append(b, '\\', 'x', digits[c>>4], digits[c&15])
		} else {
			b = append(b, c)
		}
	}
	return b
}
