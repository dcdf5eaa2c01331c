package main

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// client is a connection to a proxy.
type client struct {
	fd       int
	asked    time.Time
	answered bool
	// head is what has come of the answer's header. When it is complete,
	// left is what is missing of the body.
	head   []byte
	inBody bool
	left   int
}

// connectTime bounds connecting, which on the loopback interface takes no time,
// or a second if the accept queue is full (listen(2)).
const connectTime = 10 * time.Second

func openClient(address string) (*client, error) {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	c := &client{fd: fd}
	err = errors.Join(
		unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1),
		// A reset at the end leaves no port in TIME_WAIT.
		unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}),
		c.connect(&unix.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()}))
	if err != nil {
		c.close()
		return nil, fmt.Errorf("connect to %s: %w", address, err)
	}
	return c, nil
}

// connect connects, however often a signal of Go's runtime comes in between.
func (c *client) connect(to unix.Sockaddr) error {
	err := unix.Connect(c.fd, to)
	if err == nil || !errors.Is(err, unix.EINPROGRESS) {
		return err
	}
	connected := []unix.PollFd{{Fd: int32(c.fd), Events: unix.POLLOUT}}
	for begun := time.Now(); time.Since(begun) < connectTime; {
		n, err := unix.Poll(connected, int(connectTime/time.Millisecond))
		if err != nil && !errors.Is(err, unix.EINTR) {
			return err
		}
		if n > 0 {
			code, err := unix.GetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_ERROR)
			if err == nil && code != 0 {
				err = unix.Errno(code)
			}
			return err
		}
	}
	return unix.ETIMEDOUT
}

func (c *client) close() { unix.Close(c.fd) }

// send sends a request, for which the socket has room, as there is no other.
func (c *client) send(request []byte) error {
	c.asked = time.Now()
	c.head, c.inBody, c.left = c.head[:0], false, 0
	n, err := unix.Write(c.fd, request)
	if err == nil && n < len(request) {
		err = errors.New("only a part was taken")
	}
	if err != nil {
		return fmt.Errorf("send request: %w", err)
	}
	return nil
}

// complete reports whether the answer has come to its end.
func (c *client) complete() bool { return c.inBody && c.left == 0 }

// receive reads once, and returns how many bytes of the body came. The answer
// has to be a 200 with a body of size bytes.
func (c *client) receive(buf []byte, size int) (int, error) {
	n, err := unix.Read(c.fd, buf)
	switch {
	case errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR):
		return 0, nil
	case err != nil:
		return 0, fmt.Errorf("read answer: %w", err)
	case n == 0:
		return 0, fmt.Errorf("read answer: the connection ended in it, after the header %.300q", c.head)
	}
	got := buf[:n]
	if !c.inBody {
		if got, err = c.readHead(got, size); err != nil {
			return 0, err
		}
	}
	c.left -= len(got)
	if c.left < 0 {
		return 0, fmt.Errorf("read answer: %d bytes too many", -c.left)
	}
	return len(got), nil
}

var headEnd = []byte("\r\n\r\n")

// readHead takes a part of the header, and returns what follows it.
func (c *client) readHead(got []byte, size int) ([]byte, error) {
	had := len(c.head)
	c.head = append(c.head, got[:min(len(got), 4<<10)]...)
	end := bytes.Index(c.head, headEnd)
	if end < 0 {
		if len(c.head) >= 4<<10 {
			return nil, fmt.Errorf("read answer: the header has no end: %.300q", c.head)
		}
		return nil, nil
	}
	end += len(headEnd)
	c.head = c.head[:end]
	length, err := checkHead(c.head)
	if err == nil && length != size {
		err = fmt.Errorf("a body of %d bytes instead of %d", length, size)
	}
	if err != nil {
		return nil, fmt.Errorf("read answer: %w", err)
	}
	c.inBody, c.left = true, size
	return got[end-had:], nil
}

// checkHead expects 200 and returns the Content-Length.
func checkHead(head []byte) (int, error) {
	if !bytes.HasPrefix(head, []byte("HTTP/1.1 200 ")) {
		return 0, fmt.Errorf("it is no 200: %.300q", head)
	}
	for line := range bytes.Lines(head) {
		name, value, _ := bytes.Cut(line, []byte(":"))
		if bytes.EqualFold(name, []byte("Content-Length")) {
			return strconv.Atoi(string(bytes.TrimSpace(value)))
		}
	}
	return 0, fmt.Errorf("it has no Content-Length: %.300q", head)
}
