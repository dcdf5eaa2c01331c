package wire

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// maxMessage bounds a datagram, below what the kernel takes by default.
const maxMessage = 128 << 10

// A Conn is one end of the socketpair.
type Conn struct {
	sock *net.UnixConn
	buf  []byte
	oob  []byte
}

// Pair makes the two ends: one for the supervisor, and one to be inherited by
// the worker. Both are closed on exec and non-blocking.
func Pair() (supervisor, worker *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("make socketpair: %w", err)
	}
	return os.NewFile(uintptr(fds[0]), "wire:supervisor"), os.NewFile(uintptr(fds[1]), "wire:worker"), nil
}

// NewConn makes a Conn of an end of the pair and takes the file over.
func NewConn(f *os.File) (*Conn, error) {
	c, err := net.FileConn(f)
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return nil, fmt.Errorf("use wire socket: %w", err)
	}
	sock, ok := c.(*net.UnixConn)
	if !ok {
		c.Close()
		return nil, fmt.Errorf("use wire socket: it is a %T, not a unix socket", c)
	}
	return &Conn{sock: sock, buf: make([]byte, maxMessage), oob: make([]byte, unix.CmsgSpace(4*MaxFiles))}, nil
}

// Close closes the connection; a Send or Receive under way fails.
func (c *Conn) Close() error { return c.sock.Close() }

// Send sends a message with its files, which stay the caller's.
func (c *Conn) Send(m Message, files ...*os.File) error {
	if len(files) != m.files() {
		return fmt.Errorf("send %T: %d files given, %d needed", m, len(files), m.files())
	}
	body, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("send %T: %w", m, err)
	}
	datagram := append([]byte{byte(m.kind())}, body...)
	if len(datagram) > maxMessage {
		return fmt.Errorf("send %T: %d bytes are too long for a message", m, len(datagram))
	}
	rights, err := rightsOf(files)
	if err != nil {
		return fmt.Errorf("send %T: %w", m, err)
	}
	if _, _, err := c.sock.WriteMsgUnix(datagram, rights, nil); err != nil {
		return fmt.Errorf("send %T: %w", m, err)
	}
	return nil
}

// rightsOf makes the control message that carries files. It reads their
// descriptors without File.Fd, which would make the file description, shared
// with other processes, blocking.
func rightsOf(files []*os.File) ([]byte, error) {
	if len(files) == 0 {
		return nil, nil
	}
	fds := make([]int, len(files))
	for i, f := range files {
		raw, err := f.SyscallConn()
		if err != nil {
			return nil, fmt.Errorf("use file %s: %w", f.Name(), err)
		}
		if err := raw.Control(func(fd uintptr) { fds[i] = int(fd) }); err != nil {
			return nil, fmt.Errorf("use file %s: %w", f.Name(), err)
		}
	}
	return unix.UnixRights(fds...), nil
}

// Receive waits for the next message. The files that came with it are the
// caller's. At the end of the conversation it returns io.EOF; any other error
// means that the other side does not keep to the protocol.
func (c *Conn) Receive() (Message, []*os.File, error) {
	n, oobn, flags, _, err := c.sock.ReadMsgUnix(c.buf, c.oob)
	files, oobErr := filesOf(c.oob[:oobn])
	switch {
	case err == nil:
		err = oobErr
	case errors.Is(err, unix.ECONNRESET), errors.Is(err, io.EOF):
		// The net package takes an empty message for the end as well; files
		// may have come with it.
		err = io.EOF
	}
	if err != nil {
		closeAll(files)
		return nil, nil, err
	}
	m, err := decode(c.buf[:n], flags, files)
	if err != nil {
		closeAll(files)
		return nil, nil, err
	}
	return m, files, nil
}

func decode(datagram []byte, flags int, files []*os.File) (Message, error) {
	switch {
	case flags&(unix.MSG_TRUNC|unix.MSG_CTRUNC) != 0:
		return nil, errors.New("read message: it is cut off")
	case len(datagram) == 0:
		return nil, errors.New("read message: it is empty")
	}
	m := newMessage(kind(datagram[0]))
	if m == nil {
		return nil, fmt.Errorf("read message: unknown kind %d", datagram[0])
	}
	if err := json.Unmarshal(datagram[1:], m); err != nil {
		return nil, fmt.Errorf("read %T: %w", m, err)
	}
	if m.files() != len(files) {
		return nil, fmt.Errorf("read %T: %d files came with it, not %d", m, len(files), m.files())
	}
	return m, nil
}

func filesOf(oob []byte) ([]*os.File, error) {
	if len(oob) == 0 {
		return nil, nil
	}
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil, fmt.Errorf("read control message: %w", err)
	}
	var files []*os.File
	for i := range messages { // several only if the sender is broken
		fds, err := unix.ParseUnixRights(&messages[i])
		if err != nil {
			continue // not SCM_RIGHTS: nothing to own
		}
		for _, fd := range fds {
			files = append(files, os.NewFile(uintptr(fd), "wire:received"))
		}
	}
	return files, nil
}

func closeAll(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}
