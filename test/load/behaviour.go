package load

import (
	"fmt"
	"io"
	"strings"
)

// behaviour is what the clients of a kind do on an open connection.
type behaviour struct {
	// request makes one request. It returns the process that answered, and
	// whether the connection may be used again.
	request func(c *client) (pid string, reusable bool, err error)
	// farewell ends a connection that is in order; nil: it is just closed.
	farewell func(c *client) error
}

var behaviours = map[Kind]behaviour{
	Get:         {request: get},
	Post:        {request: post},
	PostChunked: {request: postChunked},
	Slow:        {request: slow},
	Stream:      {request: stream},
	Events:      {request: serverSentEvents},
	Upload:      {request: upload},
	WebSocket:   {request: webSocket, farewell: closeWebSocket},
	TCP:         {request: tcp, farewell: closeTCP},
	Idle:        {request: get},
	IdleKept:    {request: get},
}

// head returns the request's line and fields, those that are special to it
// last, up to the empty line.
func (c *client) head(method, target string, fields ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\nX-Load-Id: %s\r\n", method, target, c.load.options.Host, c.id())
	for _, f := range fields {
		b.WriteString(f + "\r\n")
	}
	b.WriteString("\r\n")
	return b.String()
}

// send writes pieces one after the other.
func (c *client) send(pieces ...string) error {
	for _, piece := range pieces {
		if _, err := io.WriteString(c.conn, piece); err != nil {
			return fmt.Errorf("send request: %w", err)
		}
	}
	return nil
}

// receive reads a whole answer, which must be 200 and have a body that check
// accepts, and finds out whether the connection may be used again.
func (c *client) receive(check func(body io.Reader) error) (pid string, reusable bool, err error) {
	a, err := readAnswer(c.conn.r)
	if err != nil {
		return "", false, err
	}
	if err := a.expect(c.conn.r, 200); err != nil {
		return "", false, err
	}
	body := a.body(c.conn.r)
	if err := check(body); err != nil {
		return "", false, fmt.Errorf("answer of pid %s: %w", a.pid, err)
	}
	if n, err := io.Copy(io.Discard, body); err != nil {
		return "", false, fmt.Errorf("answer of pid %s: %w", a.pid, err)
	} else if n > 0 {
		return "", false, fmt.Errorf("answer of pid %s: the body is %d bytes too long", a.pid, n)
	}
	if n := c.conn.r.Buffered(); n > 0 {
		return "", false, fmt.Errorf("answer of pid %s: %d bytes follow it that nobody asked for", a.pid, n)
	}
	if a.close {
		if err := c.conn.awaitClose(); err != nil {
			return "", false, fmt.Errorf("after Connection: close of pid %s: %w", a.pid, err)
		}
	}
	return a.pid, !a.close, nil
}
