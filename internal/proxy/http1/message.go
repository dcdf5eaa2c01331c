package http1

// Limits bound a header block. A field of 0 means no bound.
type Limits struct {
	// MaxBytes bounds start line and fields together, with their line ends.
	MaxBytes int
	// MaxFields bounds the number of fields.
	MaxFields int
	// MaxTarget bounds the request target.
	MaxTarget int
}

// A Field is one header field as it came. Name and Value alias the buffer that
// was parsed; Value is without surrounding white space.
type Field struct {
	Name, Value []byte
	// Kind tells the fields that a proxy has to know from all others, which
	// are KindOther, so that nobody compares names twice.
	Kind Kind
}

// Framing is how the end of a body is found (RFC 9112 §6.3).
type Framing uint8

// The ways to frame a body.
const (
	// NoBody: the message ends with its header.
	NoBody Framing = iota
	// Length: Content-Length bytes follow, which may be none.
	Length
	// Chunked: chunks follow, then trailers.
	Chunked
	// UntilClose: the body of an answer ends with its connection.
	UntilClose
)

// A Request is the head of a request. Its slices alias the buffer given to
// Parse and are valid as long as that is. The zero value is ready to use, and
// one Request parses any number of messages in turn without allocating. It is
// complete when Parse has returned n > 0, and not before.
type Request struct {
	Method, Target []byte
	// Minor is the x of HTTP/1.x, 0 or 1: an x over 1 counts as 1 (RFC 9110
	// §2.5).
	Minor int
	// Host is the authority the request is for: the value of Host, or the
	// authority of an absolute-form target (RFC 9112 §3.2.2). It is empty
	// for an HTTP/1.0 request that names none.
	Host []byte
	// Path is the part of Target to be sent on: in origin-form, or "*" (RFC
	// 9112 §3.2). Its bytes are as they came. For CONNECT it is the whole
	// Target. Where an absolute form lacks its first "/", Path is in memory
	// of the Request.
	Path   []byte
	Fields []Field

	Framing Framing
	// Length is the Content-Length, with Framing Length.
	Length int64
	// KeepAlive: the client means to go on using the connection.
	KeepAlive bool
	// ExpectContinue: Expect holds 100-continue (RFC 9110 §10.1.1); never
	// set for HTTP/1.0 or without a body.
	ExpectContinue bool
	// Upgrade is the value of Upgrade if Connection names it, else nil; of
	// several the first. It is nil for HTTP/1.0 (RFC 9110 §7.8).
	Upgrade []byte
	// Trailers: TE holds trailers and Connection names TE.
	Trailers bool
	// MaxForwards is the value of Max-Forwards for TRACE and OPTIONS, else
	// -1.
	MaxForwards int

	at      progress
	named   nameSet
	scratch []byte // holds a Path that is not in the buffer in one piece
}

// A Response is the head of an answer. The rules for its slices are those of
// Request.
type Response struct {
	Minor  int
	Status int
	Reason []byte
	Fields []Field

	Framing Framing
	Length  int64
	// KeepAlive: the server means to go on using the connection.
	KeepAlive bool
	// KeepAliveTimeout is the timeout parameter of Keep-Alive in seconds, or
	// -1.
	KeepAliveTimeout int
	// Upgrade is the value of Upgrade if Connection names it, else nil.
	Upgrade []byte

	at    progress
	named nameSet
}

// An Error is a message that breaks the grammar or a limit.
type Error struct {
	// Status is the answer it deserves when a client sent it: 400, 414, 417,
	// 431, 501 or 505. For the head of an answer it is always 502.
	Status int
	// Field is the field at fault, if it was one. It is from a fixed set or
	// has been checked to be a token.
	Field string
	// Reason is a short sentence fragment, without any byte of the message.
	Reason string
	// Section is the section of the RFC that is broken, as "RFC 9112 §6.1".
	Section string
}
