package control

import (
	"net"
	"sync"
)

// slots hold a token for each connection that a kind of door has.
type slots chan struct{}

// crowded says that connections are getting scarce, so that they are no more
// kept for a next request.
func (s slots) crowded() bool { return len(s) > cap(s)/2 }

// capacity is what all doors of a kind share.
type capacity struct {
	slots   slots
	streams chan struct{}
}

func newCapacity() capacity {
	return capacity{make(slots, maxConns), make(chan struct{}, maxStreams)}
}

// A slotListener accepts a connection only when a slot is free. The others wait
// in the backlog, where they cost nothing.
type slotListener struct {
	net.Listener
	slots  slots
	once   sync.Once
	closed chan struct{}
}

// Accept waits for a slot, then for a connection.
func (l *slotListener) Accept() (net.Conn, error) {
	select {
	case l.slots <- struct{}{}:
	case <-l.closed:
		return nil, net.ErrClosed
	}
	c, err := l.Listener.Accept()
	if err != nil {
		<-l.slots
		return nil, err
	}
	return &slotConn{Conn: c, free: sync.OnceFunc(func() { <-l.slots })}, nil
}

// Close closes the listener and wakes an Accept that waits for a slot.
func (l *slotListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

// A slotConn gives its slot back when it is closed.
type slotConn struct {
	net.Conn
	free func()
}

// Close closes the connection.
func (c *slotConn) Close() error {
	defer c.free()
	return c.Conn.Close()
}

// CloseWrite is used by net/http to hang up without losing its last words.
func (c *slotConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}
