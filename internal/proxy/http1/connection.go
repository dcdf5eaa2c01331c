package http1

// nameSet holds the names that Connection gives, to be looked up without
// allocating. It has room for more than honest senders use; what does not fit
// is found in the fields themselves.
type nameSet struct {
	names [4][]byte
	n     int
	full  bool // there are more in the Connection fields
}

func (s *nameSet) add(name []byte) {
	if s.n == len(s.names) {
		s.full = true
		return
	}
	s.names[s.n] = name
	s.n++
}

func (s *nameSet) holds(name []byte, fields []Field) bool {
	for _, n := range s.names[:s.n] {
		if sameName(n, name) {
			return true
		}
	}
	return s.full && listedInConnection(name, fields)
}

func listedInConnection(name []byte, fields []Field) bool {
	for i := range fields {
		if fields[i].Kind != KindConnection {
			continue
		}
		for element := range elements(fields[i].Value) {
			if sameName(element, name) {
				return true
			}
		}
	}
	return false
}

func sameName(a, b []byte) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if lower[a[i]] != lower[b[i]] {
			return false
		}
	}
	return true
}

// options is what the Connection fields of a message say (RFC 9110 §7.6.1).
type options struct {
	close, keepAlive, te, upgrade bool
	n                             int // of them, empty ones counted
}

// maxOptions bounds the options of a message. Honest ones have three; each costs
// time with each field.
const maxOptions = 100

// read adds one Connection field. An element that is no token names nothing.
//
// Where the treatment of a field does not depend on being named, its name does
// not go into the set. Host and Content-Length are for
// every recipient, and a sender must not name them; as a recipient that obeys
// would send on a message of another meaning, it is refused.
func (o *options) read(value []byte, named *nameSet) *Error {
	for element := range elements(value) {
		if o.n++; o.n > maxOptions {
			return errNamedMany
		}
		switch kind := kindOf(element); {
		case len(element) == 0:
		case kind == KindKeepAlive:
			o.keepAlive = true
		case kind == KindTE:
			o.te = true
		case kind == KindUpgrade:
			o.upgrade = true
		case kind == KindHost || kind == KindContentLength:
			return errNamed
		case equalFold(element, "close"):
			o.close = true
		case treatments[kind] == unlessNamed:
			named.add(element)
		}
	}
	return nil
}

// persists reports whether the sender goes on using the connection (RFC 9112
// §9.3).
func (o *options) persists(minor int) bool {
	return !o.close && (minor > 0 || o.keepAlive)
}

// What becomes of a field that a proxy passes on.
type treatment uint8

const (
	unlessNamed treatment = iota // passed on unless Connection names it
	always                       // passed on even so
	never
)

// treatments: the fields that a connection keeps to itself go (RFC 9110
// §7.6.1); those that are for all recipients, or that the proxy acts on or
// writes, cannot be stripped by whoever names them in Connection.
var treatments = [kinds]treatment{
	KindHost:                    always,
	KindContentLength:           always,
	KindTransferEncoding:        never,
	KindConnection:              never,
	KindKeepAlive:               never,
	KindProxyConnection:         never,
	KindTE:                      never,
	KindTrailer:                 never,
	KindUpgrade:                 never,
	KindProxyAuthenticate:       never,
	KindProxyAuthorization:      never,
	KindProxyAuthenticationInfo: never,
	KindProxy:                   never,
	KindExpect:                  always,
	KindMaxForwards:             always,
	KindVia:                     always,
	KindDate:                    always,
	KindForwarded:               always,
	KindXForwardedFor:           always,
	KindXForwardedProto:         always,
	KindXForwardedHost:          always,
	KindXRequestID:              always,
}

func hopByHop(f *Field, named *nameSet, fields []Field) bool {
	switch treatments[f.Kind] {
	case always:
		return false
	case never:
		return true
	}
	return named.n > 0 && named.holds(f.Name, fields)
}

// HopByHop reports whether the field with this index must not be sent on: it
// is for this connection only, or is named in Connection, or is one that may
// not reach an app (Proxy, and KindLookAlike), or is an Expect of HTTP/1.0,
// which has no meaning there and would get one if it were sent on in HTTP/1.1
// (RFC 9110 §10.1.1).
func (r *Request) HopByHop(i int) bool {
	f := &r.Fields[i]
	switch f.Kind {
	case KindLookAlike:
		return true
	case KindExpect:
		return r.Minor == 0
	}
	return hopByHop(f, &r.named, r.Fields)
}

// HopByHop reports whether the field with this index must not be sent on.
func (r *Response) HopByHop(i int) bool {
	return hopByHop(&r.Fields[i], &r.named, r.Fields)
}

// Named reports whether Connection names this field, as must be asked for the
// fields of the trailer section before they are sent on (RFC 9110 §7.6.1).
func (r *Request) Named(name []byte) bool {
	return r.named.n > 0 && r.named.holds(name, r.Fields)
}

// Named reports whether Connection names this field.
func (r *Response) Named(name []byte) bool {
	return r.named.n > 0 && r.named.holds(name, r.Fields)
}
