package handoff

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

const (
	// MaxFiles is how many descriptors a message has at most.
	MaxFiles = 253
	// MaxData bounds the bytes that one connection brings along.
	MaxData = 80 << 10
	// maxMessage bounds a datagram, below what the kernel takes by default.
	maxMessage = 128 << 10
	// maxBatch bounds the connections of an Offer, so that none of them waits
	// for many others.
	maxBatch = 200
)

// Kind is what a connection is used for.
type Kind string

// The kinds of connections.
const (
	// HTTP is between two requests, or at most a part of the head of one has
	// come, which is Up.Data. It has one descriptor.
	HTTP Kind = "http"
	// Waiting is a connection of an app with `proxy: tcp` that has no instance
	// yet. It has one descriptor.
	Waiting Kind = "waiting"
	// Tunnel is connected to an instance, with bytes both ways. Its descriptors
	// are those of the client and of the instance, and then the pipes.
	Tunnel Kind = "tunnel"
)

// A Connection is all that its next owner has to know of it.
type Connection struct {
	Kind     Kind   `json:"kind"`
	App      string `json:"app"`
	Listener string `json:"listener,omitempty"`
	// Peer is the client's address, empty for a Unix socket.
	Peer string `json:"peer,omitempty"`
	// Served: it has had a request.
	Served bool `json:"served,omitempty"`
	// Left is what is left of the time-out that it waits under; 0 is none.
	Left time.Duration `json:"left,omitempty"`
	// Instance is what a tunnel is connected to; Upgraded says that it began
	// as a request.
	Instance string `json:"instance,omitempty"`
	Upgraded bool   `json:"upgraded,omitempty"`
	// Up is the direction from the client, Down that to it.
	Up   Direction `json:"up"`
	Down Direction `json:"down"`

	// Files are its descriptors.
	Files []int `json:"-"`
}

// A Direction is one half of a connection.
type Direction struct {
	// Over: it has ended, and the receiver was told.
	Over bool `json:"over,omitempty"`
	// Piped is how many bytes wait in a pipe, whose read end comes along.
	Piped int `json:"piped,omitempty"`
	// ReadLeft and WriteLeft are what is left of the time-outs; 0 is none.
	ReadLeft  time.Duration `json:"read_left,omitempty"`
	WriteLeft time.Duration `json:"write_left,omitempty"`
	// Data was read and is yet to be written, before what is in the pipe.
	Data []byte `json:"-"`
}

// files is how many descriptors a connection of its kind has; 0 for none that is
// known.
func (c *Connection) files() int {
	switch c.Kind {
	case HTTP, Waiting:
		return 1
	case Tunnel:
		n := 2
		if c.Up.Piped > 0 {
			n++
		}
		if c.Down.Piped > 0 {
			n++
		}
		return n
	}
	return 0
}

// The first byte of a message.
const (
	tagOffer    = 'O'
	tagAnswer   = 'A'
	tagCommit   = 'C'
	tagWithdraw = 'W'
)

// An Offer is what a Conn has received as such.
type Offer struct {
	Number uint32
	// Connections are in the order of the offer; nil stands for one that can
	// not be understood.
	Connections []*Connection
}

// An Answer says which connections of an offer are refused, by their place in it.
type Answer struct {
	Number  uint32 `json:"number"`
	Refused []int  `json:"refused,omitempty"`
}

// A Commit gives away what was offered and not refused.
type Commit struct{ Number uint32 }

// A Withdraw takes an offer back.
type Withdraw struct{ Number uint32 }

// ErrFull says that a batch has no room for a connection.
var ErrFull = errors.New("offer connection: the batch is full")

// A Batch is an offer being put together.
type Batch struct {
	body  []byte
	files []int
	count int
}

const (
	offerHead      = 1 + 2 + 4 + 2 // tag, version, number, count
	connectionHead = 1 + 4         // descriptors, bytes
)

// Add adds a connection. The descriptors stay the caller's.
func (b *Batch) Add(c *Connection) error {
	text, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("offer connection: %w", err)
	}
	size := 4 + len(text) + 4 + len(c.Up.Data) + 4 + len(c.Down.Data)
	if b.count == maxBatch || len(b.files)+len(c.Files) > MaxFiles ||
		b.count > 0 && offerHead+len(b.body)+connectionHead+size > maxMessage {
		return ErrFull
	}
	b.body = append(b.body, byte(len(c.Files)))
	b.body = binary.BigEndian.AppendUint32(b.body, uint32(size))
	for _, part := range [...][]byte{text, c.Up.Data, c.Down.Data} {
		b.body = binary.BigEndian.AppendUint32(b.body, uint32(len(part)))
		b.body = append(b.body, part...)
	}
	b.files = append(b.files, c.Files...)
	b.count++
	return nil
}

// Len is the number of connections in it.
func (b *Batch) Len() int { return b.count }

// encode is the datagram.
func (b *Batch) encode(version uint16, number uint32) []byte {
	out := append(make([]byte, 0, offerHead+len(b.body)), tagOffer)
	out = binary.BigEndian.AppendUint16(out, version)
	out = binary.BigEndian.AppendUint32(out, number)
	out = binary.BigEndian.AppendUint16(out, uint16(b.count))
	return append(out, b.body...)
}

var errBroken = errors.New("read message: it is broken")

// decodeOffer takes an offer apart. Descriptors of connections that can not be
// understood stay in files, those of the others are taken out: they become -1.
func decodeOffer(p []byte, files []int) (*Offer, error) {
	if len(p) < offerHead {
		return nil, errBroken
	}
	o := &Offer{Number: binary.BigEndian.Uint32(p[3:])}
	known := binary.BigEndian.Uint16(p[1:]) == Version
	if err := o.decode(p[offerHead:], int(binary.BigEndian.Uint16(p[7:])), files, known); err != nil {
		for _, c := range o.Connections {
			if c != nil {
				closeAll(c.Files)
			}
		}
		return nil, err
	}
	return o, nil
}

func (o *Offer) decode(p []byte, count int, files []int, known bool) error {
	for range count {
		if len(p) < connectionHead {
			return errBroken
		}
		n, size := int(p[0]), int(binary.BigEndian.Uint32(p[1:]))
		p = p[connectionHead:]
		if size > len(p) || n > len(files) {
			return errBroken
		}
		var c *Connection
		if known {
			c = decodeConnection(p[:size], files[:n])
		}
		o.Connections = append(o.Connections, c)
		p, files = p[size:], files[n:]
	}
	if len(p) > 0 || len(files) > 0 {
		return errBroken
	}
	return nil
}

// decodeConnection returns nil for what it can not read.
func decodeConnection(p []byte, files []int) *Connection {
	var parts [3][]byte
	for i := range parts {
		if len(p) < 4 {
			return nil
		}
		n := int(binary.BigEndian.Uint32(p))
		p = p[4:]
		if n > len(p) {
			return nil
		}
		parts[i], p = p[:n], p[n:]
	}
	c := new(Connection)
	if len(p) > 0 || json.Unmarshal(parts[0], c) != nil || len(files) == 0 || c.files() != len(files) {
		return nil
	}
	c.Up.Data, c.Down.Data = append([]byte(nil), parts[1]...), append([]byte(nil), parts[2]...)
	c.Files = append([]int(nil), files...)
	for i := range files {
		files[i] = -1
	}
	return c
}
