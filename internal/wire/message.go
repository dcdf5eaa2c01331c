package wire

// Version is the version of the protocol. A worker that gets another one in
// Hello leaves.
const Version = 1

// MaxFiles is how many file descriptors one message carries at most: the
// kernel's SCM_MAX_FD (unix(7)).
const MaxFiles = 253

// A Message is one datagram between supervisor and worker.
type Message interface {
	kind() kind
	// files is the number of file descriptors that come with it.
	files() int
}

type kind byte

const (
	kindHello kind = iota + 1
	kindFiles
	kindTable
	kindProbe
	kindUnprobe
	kindDrain
	kindPing
	kindReady
	kindAck
	kindDrained
	kindProbeResult
	kindCounters
	kindPong
	kindMoveTo
	kindTakeOver
)

// newMessage makes an empty message of a kind, or nil if there is none such.
func newMessage(k kind) Message {
	switch k {
	case kindHello:
		return new(Hello)
	case kindFiles:
		return new(Files)
	case kindTable:
		return new(TableOrder)
	case kindProbe:
		return new(Probe)
	case kindUnprobe:
		return new(Unprobe)
	case kindDrain:
		return new(Drain)
	case kindPing:
		return new(Ping)
	case kindReady:
		return new(Ready)
	case kindAck:
		return new(Ack)
	case kindDrained:
		return new(Drained)
	case kindProbeResult:
		return new(ProbeResult)
	case kindCounters:
		return new(Counters)
	case kindPong:
		return new(Pong)
	case kindMoveTo:
		return new(MoveTo)
	case kindTakeOver:
		return new(TakeOver)
	}
	return nil
}

// Messages from the supervisor to a worker; Probe is one more.
type (
	// Hello opens the conversation.
	Hello struct {
		Version    int    `json:"version"`
		Generation uint64 `json:"generation"`
	}

	// Files gives file descriptors to the worker, by name: listeners, and the
	// write ends of access logs ("access:APP").
	Files struct {
		Names []string `json:"names"`
	}

	// TableOrder puts the Table in its file into force.
	TableOrder struct {
		Revision uint64 `json:"revision"`
	}

	// Unprobe ends the probe of an instance.
	Unprobe struct {
		Instance string `json:"instance"`
	}

	// Drain tells the worker to accept nothing more, to finish what it has,
	// and to leave.
	Drain struct{}

	// MoveTo tells the worker to give the connections that it has when it
	// drains to the worker of another generation, at the other end of the
	// socket that comes along. A later one takes the place of an earlier one.
	// Only workers that say so (Ready.Moves) may be told.
	MoveTo struct {
		Generation uint64 `json:"generation"`
	}

	// TakeOver is the other end of that: the worker serves the connections
	// that the worker of an older generation gives away.
	TakeOver struct {
		Generation uint64 `json:"generation"`
	}

	// Ping is answered with a Pong of the same number.
	Ping struct {
		Number uint64 `json:"number"`
	}
)

// Messages from a worker to the supervisor; ProbeResult and Counters are two
// more.
type (
	// Ready answers Hello: the worker has dropped its rights and can serve.
	Ready struct {
		PID int `json:"pid"`
		// Moves is the version in which it gives connections to another worker
		// and takes them over; 0 means that it does not know how. Those of two
		// versions may be tied all the same: what the one does not understand
		// stays with the other.
		Moves int `json:"moves,omitempty"`
	}

	// Ack says that a table is in force. Error is set if a part of it is not:
	// a listener it names is missing, say.
	Ack struct {
		Revision uint64 `json:"revision"`
		Error    string `json:"error,omitempty"`
	}

	// Drained says that an instance which takes no new requests has none in
	// flight, as of the table with this revision. It is said when the last
	// request ends, and with each table that names the instance after that.
	Drained struct {
		Instance string `json:"instance"`
		Revision uint64 `json:"revision"`
	}

	// Pong answers Ping.
	Pong struct {
		Number uint64 `json:"number"`
	}
)

func (*Hello) kind() kind       { return kindHello }
func (*Files) kind() kind       { return kindFiles }
func (*TableOrder) kind() kind  { return kindTable }
func (*Probe) kind() kind       { return kindProbe }
func (*Unprobe) kind() kind     { return kindUnprobe }
func (*Drain) kind() kind       { return kindDrain }
func (*Ping) kind() kind        { return kindPing }
func (*Ready) kind() kind       { return kindReady }
func (*Ack) kind() kind         { return kindAck }
func (*Drained) kind() kind     { return kindDrained }
func (*ProbeResult) kind() kind { return kindProbeResult }
func (*Counters) kind() kind    { return kindCounters }
func (*Pong) kind() kind        { return kindPong }
func (*MoveTo) kind() kind      { return kindMoveTo }
func (*TakeOver) kind() kind    { return kindTakeOver }

func (*Hello) files() int       { return 0 }
func (f *Files) files() int     { return len(f.Names) }
func (*TableOrder) files() int  { return 1 }
func (*Probe) files() int       { return 0 }
func (*Unprobe) files() int     { return 0 }
func (*Drain) files() int       { return 0 }
func (*Ping) files() int        { return 0 }
func (*Ready) files() int       { return 0 }
func (*Ack) files() int         { return 0 }
func (*Drained) files() int     { return 0 }
func (*ProbeResult) files() int { return 0 }
func (*Counters) files() int    { return 0 }
func (*Pong) files() int        { return 0 }
func (*MoveTo) files() int      { return 1 }
func (*TakeOver) files() int    { return 1 }
