package proxy

import (
	"math/rand/v2"

	"gracevisor/internal/proxy/http1"
)

// appendForwardedFor writes the client's address, behind those that a trusted
// peer names.
func (c *conn) appendForwardedFor(out []byte, trusted bool) []byte {
	out = append(out, "X-Forwarded-For: "...)
	if trusted {
		r := &c.x.req
		for i := range r.Fields {
			if f := &r.Fields[i]; f.Kind == http1.KindXForwardedFor && len(f.Value) > 0 {
				out = append(append(out, f.Value...), ", "...)
			}
		}
	}
	return append(c.appendPeer(out), "\r\n"...)
}

// appendPeer writes the client's address; a Unix socket has none.
func (c *conn) appendPeer(out []byte) []byte {
	if !c.peer.IsValid() {
		return append(out, "unknown"...)
	}
	return c.peer.Addr().AppendTo(out)
}

// appendRequestID writes a field that tells this request from all others. It
// need not be secret, only different.
func appendRequestID(out []byte) []byte {
	const digits = "0123456789abcdef"
	out = append(out, "X-Request-Id: "...)
	for range 2 {
		for n, i := rand.Uint64(), 0; i < 16; i++ {
			out = append(out, digits[n&15])
			n >>= 4
		}
	}
	return append(out, "\r\n"...)
}

func appendField(out []byte, name string, value []byte) []byte {
	out = append(append(out, name...), ": "...)
	return append(append(out, value...), "\r\n"...)
}
