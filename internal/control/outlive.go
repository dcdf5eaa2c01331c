package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// The answer to a re-execution is given by the program that comes after it:
//
//	before: HTTP/1.1 200, the steps so far ──exec──▶ after: the result, the end
//
// The connection is handed over with the other files. All that the successor has
// to know of HTTP is how the chunked coding ends (RFC 9112, 7.1).

// connKey is where the connection itself stands in the context of its requests.
type connKey struct{}

// withConn notes the connection in its context.
func withConn(ctx context.Context, c net.Conn) context.Context {
	if slot, ok := c.(*slotConn); ok {
		c = slot.Conn
	}
	return withPeer(context.WithValue(ctx, connKey{}, c), c)
}

// outliving are the connections whose clients wait for a re-execution.
type outliving struct {
	mu    sync.Mutex
	conns map[*exchange]syscall.Conn
}

// add adds the connection of an exchange; done takes it out again.
func (o *outliving) add(x *exchange) (done func()) {
	conn, ok := x.r.Context().Value(connKey{}).(syscall.Conn)
	if !ok || !x.r.ProtoAtLeast(1, 1) { // an answer in HTTP/1.0 has no end but that of the connection
		return func() {}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.conns == nil {
		o.conns = make(map[*exchange]syscall.Conn)
	}
	o.conns[x] = conn
	return func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		delete(o.conns, x)
	}
}

// Outliving returns duplicates of the connections on which a client waits for the
// result of a re-execution, for whoever is executed next. They are the caller's.
func (s *Server) Outliving() []*os.File {
	s.outliving.mu.Lock()
	defer s.outliving.mu.Unlock()
	var files []*os.File
	for _, conn := range s.outliving.conns {
		raw, err := conn.SyscallConn()
		if err != nil {
			continue // it was closed: nobody waits
		}
		_ = raw.Control(func(fd uintptr) {
			if dup, err := unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0); err == nil {
				files = append(files, os.NewFile(uintptr(dup), "control connection"))
			}
		})
	}
	return files
}

// Conclude ends the answer that the program before has begun on a connection,
// with these events, and closes it.
func Conclude(connection *os.File, events ...Event) error {
	conn, err := net.FileConn(connection)
	connection.Close()
	if err != nil {
		return fmt.Errorf("answer on control connection: %w", err)
	}
	var text []byte
	for _, e := range events {
		line, err := json.Marshal(e)
		if err != nil {
			return errors.Join(fmt.Errorf("answer on control connection: %w", err), conn.Close())
		}
		text = fmt.Appendf(text, "%x\r\n%s\n\r\n", len(line)+1, line)
	}
	text = append(text, "0\r\n\r\n"...)
	err = conn.SetWriteDeadline(time.Now().Add(standardBounds().header))
	if err == nil {
		_, err = conn.Write(text)
	}
	if err := errors.Join(err, conn.Close()); err != nil {
		return fmt.Errorf("answer on control connection: %w", err)
	}
	return nil
}

// serveReexec forwards the events of a re-execution. Its connection is ready to
// be handed over before the operation begins.
func serveReexec(x *exchange, req Request) error {
	return x.withStream(func(s *stream) error {
		if err := s.begin(); err != nil {
			return err
		}
		done := x.door.outliving.add(x)
		defer done()
		op, err := x.door.ops.Start(x.door.life, req)
		if err != nil {
			return s.put(Event{Kind: EventResult, Result: ResultFailed, Error: refusalOf(err).Error()})
		}
		return forward(s, op.Events, nil)
	})
}
