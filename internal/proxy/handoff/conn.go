package handoff

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// A Conn is one end of the socketpair.
type Conn struct {
	sock     *net.UnixConn
	version  uint16
	buf, oob []byte
}

// NewConn makes a Conn of an end, and takes the file over.
func NewConn(f *os.File) (*Conn, error) {
	c, err := net.FileConn(f)
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return nil, fmt.Errorf("use handoff socket: %w", err)
	}
	sock, ok := c.(*net.UnixConn)
	if !ok {
		c.Close()
		return nil, fmt.Errorf("use handoff socket: it is a %T, not a unix socket", c)
	}
	return &Conn{sock: sock, version: Version, buf: make([]byte, maxMessage), oob: make([]byte, unix.CmsgSpace(4*MaxFiles))}, nil
}

// Close ends it for both sides; what was sent before is still received.
func (c *Conn) Close() error { return c.sock.Close() }

// SpeakVersion makes offers be of another version: what a worker of another
// build sends.
func (c *Conn) SpeakVersion(version uint16) { c.version = version }

// Offer sends a batch. No error means that it was sent as a whole, any other
// that nothing was.
func (c *Conn) Offer(number uint32, b *Batch) error {
	return c.send(b.encode(c.version, number), b.files)
}

// Answer sends an answer.
func (c *Conn) Answer(a Answer) error {
	text, err := json.Marshal(a)
	if err != nil {
		return fmt.Errorf("answer offer: %w", err)
	}
	return c.send(append([]byte{tagAnswer}, text...), nil)
}

// Commit gives away what was offered under a number.
func (c *Conn) Commit(number uint32) error {
	return c.send(binary.BigEndian.AppendUint32([]byte{tagCommit}, number), nil)
}

// Withdraw takes back what was offered under a number.
func (c *Conn) Withdraw(number uint32) error {
	return c.send(binary.BigEndian.AppendUint32([]byte{tagWithdraw}, number), nil)
}

// sendPatience bounds a send: the other side reads all the time, or hangs.
const sendPatience = 2 * time.Second

func (c *Conn) send(p []byte, files []int) error {
	var rights []byte
	if len(files) > 0 {
		rights = unix.UnixRights(files...)
	}
	if err := c.sock.SetWriteDeadline(time.Now().Add(sendPatience)); err != nil {
		return fmt.Errorf("send to the other worker: %w", err)
	}
	if _, _, err := c.sock.WriteMsgUnix(p, rights, nil); err != nil {
		return fmt.Errorf("send to the other worker: %w", err)
	}
	return nil
}

// Receive waits for a message: *Offer, *Answer, *Commit or *Withdraw. The
// descriptors of an offer's connections are the caller's. The end is io.EOF;
// after any other error the other side is not to be trusted.
func (c *Conn) Receive() (any, error) {
	n, oobn, flags, _, err := c.sock.ReadMsgUnix(c.buf, c.oob)
	if errors.Is(err, unix.ECONNRESET) {
		// It has ended without having read all that we said, which the system
		// tells first, before what it has said before that: its last word may
		// be among it.
		n, oobn, flags, _, err = c.sock.ReadMsgUnix(c.buf, c.oob)
	}
	if errors.Is(err, io.EOF) {
		err = io.EOF // without its wrapping
	}
	files := filesOf(c.oob[:oobn])
	if err != nil {
		closeAll(files)
		return nil, err
	}
	m, err := decode(c.buf[:n], flags, files)
	closeAll(files)
	return m, err
}

// decode takes a message apart; it makes -1 of the descriptors that it takes.
func decode(p []byte, flags int, files []int) (any, error) {
	switch {
	case flags&unix.MSG_TRUNC != 0 || len(p) == 0:
		return nil, errBroken
	case p[0] == tagOffer && flags&unix.MSG_CTRUNC != 0:
		// There are no descriptors left for them: all are refused.
		return decodeOffer(refused(p), nil)
	case p[0] == tagOffer:
		return decodeOffer(p, files)
	case p[0] == tagAnswer:
		a := new(Answer)
		if err := json.Unmarshal(p[1:], a); err != nil {
			return nil, errBroken
		}
		return a, nil
	case len(p) != 5:
		return nil, errBroken
	case p[0] == tagCommit:
		return &Commit{binary.BigEndian.Uint32(p[1:])}, nil
	case p[0] == tagWithdraw:
		return &Withdraw{binary.BigEndian.Uint32(p[1:])}, nil
	}
	return nil, errBroken
}

// refused is the offer with connections that nobody understands, without
// descriptors.
func refused(p []byte) []byte {
	if len(p) < offerHead {
		return nil
	}
	out := append([]byte(nil), p[:offerHead]...)
	for range binary.BigEndian.Uint16(p[7:]) {
		out = append(out, 0, 0, 0, 0, 0)
	}
	return out
}

func filesOf(oob []byte) []int {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil
	}
	var files []int
	for i := range messages {
		if fds, err := unix.ParseUnixRights(&messages[i]); err == nil {
			files = append(files, fds...)
		}
	}
	return files
}

func closeAll(files []int) {
	for _, fd := range files {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
}
