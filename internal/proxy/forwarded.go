package proxy

import (
	"bytes"
	"math/rand/v2"
	"net/netip"

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
	return append(appendAddress(out, c.peer.Addr()), "\r\n"...)
}

// appendAddress writes an address; the peer at a Unix socket has none.
func appendAddress(out []byte, a netip.Addr) []byte {
	if !a.IsValid() {
		return append(out, "unknown"...)
	}
	return a.AppendTo(out)
}

// origin is who made the request, for the log: the peer, or who trusted proxies
// say that it was. Each proxy has put the address that it saw at the end of the
// list, so that is read from there, up to the first one that is not trusted: what
// is on the left of it is only its own word.
func (c *conn) origin() netip.Addr {
	x := c.x
	address := c.peer.Addr()
	if len(x.route.trusted) == 0 {
		return address
	}
	for i := len(x.req.Fields) - 1; i >= 0; i-- {
		if x.req.Fields[i].Kind != http1.KindXForwardedFor {
			continue
		}
		for list := x.req.Fields[i].Value; len(list) > 0; {
			if !x.route.trusts(address) {
				return address
			}
			comma := bytes.LastIndexByte(list, ',')
			next, ok := readAddress(string(bytes.TrimSpace(list[comma+1:])))
			if !ok {
				return address
			}
			address, list = next, list[:max(comma, 0)]
		}
	}
	return address
}

// readAddress reads an element of X-Forwarded-For, to which some add a port.
func readAddress(s string) (netip.Addr, bool) {
	if a, err := netip.ParseAddr(s); err == nil {
		return a.Unmap().WithZone(""), true
	}
	a, err := netip.ParseAddrPort(s)
	return a.Addr().Unmap().WithZone(""), err == nil
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
