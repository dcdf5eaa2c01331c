package load

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// conn is a client's connection. Reads and writes that make no progress within
// the client's patience fail, and the time spent waiting for the other side is
// recorded.
type conn struct {
	tcp       *net.TCPConn
	r         *bufio.Reader
	patience  time.Duration
	record    *record
	exchanges int    // requests begun on it
	pid       string // of the process behind a WebSocket or TCP connection
}

func dial(o Options, record *record) (*conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), o.Patience)
	defer cancel()
	begin := time.Now()
	c, err := o.Dial(ctx, "tcp", o.Address)
	record.paused(time.Since(begin))
	if err != nil {
		return nil, err
	}
	tcp, ok := c.(*net.TCPConn)
	if !ok {
		return nil, errors.Join(fmt.Errorf("dial %s: not a TCP connection", o.Address), c.Close())
	}
	record.dialed()
	conn := &conn{tcp: tcp, patience: o.Patience, record: record}
	conn.r = bufio.NewReader(conn)
	return conn, nil
}

// Read is for the buffered reader, through which all reading goes.
func (c *conn) Read(b []byte) (int, error) {
	if err := c.tcp.SetReadDeadline(time.Now().Add(c.patience)); err != nil {
		return 0, err
	}
	begin := time.Now()
	n, err := c.tcp.Read(b)
	c.record.paused(time.Since(begin))
	return n, plain(err)
}

func (c *conn) Write(b []byte) (int, error) {
	if err := c.tcp.SetWriteDeadline(time.Now().Add(c.patience)); err != nil {
		return 0, err
	}
	n, err := c.tcp.Write(b)
	return n, plain(err)
}

func (c *conn) Close() error { return c.tcp.Close() }

// plain takes the addresses out of an error, so that equal failures read equal.
func plain(err error) error {
	var op *net.OpError
	if errors.As(err, &op) {
		return fmt.Errorf("%s: %w", op.Op, op.Err)
	}
	return err
}

// closedWhileIdle reports whether the other side has already closed or reset
// the connection. A connection with unread bytes counts as open: what they
// are is found out by who reads them.
func (c *conn) closedWhileIdle() bool {
	if c.r.Buffered() > 0 {
		return false
	}
	raw, err := c.tcp.SyscallConn()
	if err != nil {
		return true
	}
	closed := false
	err = raw.Control(func(fd uintptr) {
		var b [1]byte
		n, _, err := unix.Recvfrom(int(fd), b[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
		closed = (n == 0 && err == nil) || (err != nil && !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EINTR))
	})
	return closed || err != nil
}

// awaitClose reads the end of the stream, and fails if anything comes before
// it, or nothing at all within the client's patience. A reset is an end, too:
// all that was expected has been read.
func (c *conn) awaitClose() error {
	b, err := c.r.ReadByte()
	switch {
	case err == nil:
		return fmt.Errorf("unexpected byte %#x instead of the end", b)
	case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET):
		return nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("connection kept open: %w", err)
	default:
		return err
	}
}
