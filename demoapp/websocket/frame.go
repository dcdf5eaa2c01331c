package websocket

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Opcode is the kind of a frame (RFC 6455 §5.2).
type Opcode byte

// The opcodes.
const (
	OpContinuation Opcode = 0x0
	OpText         Opcode = 0x1
	OpBinary       Opcode = 0x2
	OpClose        Opcode = 0x8
	OpPing         Opcode = 0x9
	OpPong         Opcode = 0xA
)

// control reports whether the frame is a control frame, which is short and
// never fragmented (RFC 6455 §5.5).
func (o Opcode) control() bool { return o >= OpClose }

func (o Opcode) known() bool { return o <= OpBinary || (o >= OpClose && o <= OpPong) }

// Frame is one frame, its payload unmasked.
type Frame struct {
	Op      Opcode
	Fin     bool
	Payload []byte
}

// MaxPayload is the longest payload in bytes that ReadFrame takes.
const MaxPayload = 1 << 20

// Sender is the role of the side that sends a frame. A client masks what it
// sends and a server does not (RFC 6455 §5.1).
type Sender bool

// The two senders.
const (
	FromClient Sender = true
	FromServer Sender = false
)

// ReadFrame reads a frame that sender has sent. It returns io.EOF only if the
// stream ends before the first byte of a frame.
func ReadFrame(r *bufio.Reader, sender Sender) (Frame, error) {
	var head [2]byte
	if _, err := io.ReadFull(r, head[:1]); err != nil {
		return Frame{}, err
	}
	if err := readAll(r, head[1:]); err != nil {
		return Frame{}, err
	}
	f := Frame{Op: Opcode(head[0] & 0x0f), Fin: head[0]&0x80 != 0}
	length := uint64(head[1] & 0x7f)
	switch {
	case head[0]&0x70 != 0:
		return Frame{}, errors.New("read frame: reserved bits are set")
	case !f.Op.known():
		return Frame{}, fmt.Errorf("read frame: unknown opcode %#x", byte(f.Op))
	case f.Op.control() && (!f.Fin || length > 125):
		return Frame{}, errors.New("read frame: control frame is fragmented or long")
	case (head[1]&0x80 != 0) != bool(sender):
		return Frame{}, errors.New("read frame: mask does not fit the sender's role")
	}
	length, err := readLength(r, length)
	if err != nil {
		return Frame{}, err
	}
	var mask [4]byte
	if sender == FromClient {
		if err := readAll(r, mask[:]); err != nil {
			return Frame{}, err
		}
	}
	f.Payload = make([]byte, length)
	if err := readAll(r, f.Payload); err != nil {
		return Frame{}, err
	}
	xor(f.Payload, mask)
	return f, nil
}

// readLength returns the payload's length: short itself, or what follows it
// in two or eight bytes, which must be its shortest form.
func readLength(r *bufio.Reader, short uint64) (uint64, error) {
	if short < 126 {
		return short, nil
	}
	size, least := 2, uint64(126)
	if short == 127 {
		size, least = 8, 1<<16
	}
	var b [8]byte
	if err := readAll(r, b[8-size:]); err != nil {
		return 0, err
	}
	n := binary.BigEndian.Uint64(b[:])
	if n < least {
		return 0, fmt.Errorf("read frame: length %d is not in its shortest form", n)
	}
	if n > MaxPayload {
		return 0, fmt.Errorf("read frame: payload of %d bytes is over the bound of %d", n, MaxPayload)
	}
	return n, nil
}

// readAll fills b; the end of the stream inside a frame is never a clean one.
func readAll(r io.Reader, b []byte) error {
	_, err := io.ReadFull(r, b)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return fmt.Errorf("read frame: %w", err)
	}
	return nil
}

// AppendFrame appends f to dst as sender would send it. The mask is used for
// FromClient only; it protects browsers' intermediaries and may be anything
// elsewhere (RFC 6455 §10.3).
func AppendFrame(dst []byte, f Frame, sender Sender, mask [4]byte) []byte {
	first := byte(f.Op)
	if f.Fin {
		first |= 0x80
	}
	var maskBit byte
	if sender == FromClient {
		maskBit = 0x80
	}
	dst = append(dst, first)
	switch n := len(f.Payload); {
	case n < 126:
		dst = append(dst, maskBit|byte(n))
	case n < 1<<16:
		dst = append(dst, maskBit|126)
		dst = binary.BigEndian.AppendUint16(dst, uint16(n))
	default:
		dst = append(dst, maskBit|127)
		dst = binary.BigEndian.AppendUint64(dst, uint64(n))
	}
	if sender == FromServer {
		return append(dst, f.Payload...)
	}
	dst = append(dst, mask[:]...)
	start := len(dst)
	dst = append(dst, f.Payload...)
	xor(dst[start:], mask)
	return dst
}

func xor(b []byte, mask [4]byte) {
	for i := range b {
		b[i] ^= mask[i&3]
	}
}
