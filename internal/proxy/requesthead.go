package proxy

import (
	"strconv"

	"gracevisor/internal/proxy/http1"
)

// appendRequestHead writes the head of the request for the app into x.out:
// fields in the order, case and bytes in which they came, without those that
// are for this connection only (RFC 9110 §7.6.1), then ours, so that a client
// can not strip ours by naming them in Connection.
func (c *conn) appendRequestHead() {
	x := c.x
	r := &x.req
	trusted := len(x.route.trusted) > 0 && x.route.trusts(c.peer.Addr())
	out := http1.AppendRequestLine(x.out[:0], r.Method, r.Path)
	var has kinds
	for i := range r.Fields {
		f := &r.Fields[i]
		if f.Kind == http1.KindOther && !r.HopByHop(i) {
			out = http1.AppendField(out, f.Name, f.Value)
			continue
		}
		out = c.appendKnown(out, i, trusted, &has)
	}
	if !has.host {
		// An HTTP/1.0 client need not say (RFC 9112 §3.2: an empty value
		// if there is no authority).
		out = appendField(out, "Host", r.Host)
	}
	x.out = c.appendOurs(out, trusted, &has)
}

// kinds notes which fields a request has.
type kinds struct{ host, proto, forwardedHost, id bool }

// appendKnown writes a field that may need more than copying.
func (c *conn) appendKnown(out []byte, i int, trusted bool, has *kinds) []byte {
	r := &c.x.req
	f := &r.Fields[i]
	switch f.Kind {
	case http1.KindHost:
		has.host = true
		return http1.AppendField(out, f.Name, r.Host) // RFC 9112 §3.2.2
	case http1.KindXForwardedFor:
		return out // see appendForwardedFor
	case http1.KindXForwardedProto, http1.KindXForwardedHost, http1.KindForwarded:
		if !trusted {
			return out
		}
		has.proto = has.proto || f.Kind == http1.KindXForwardedProto
		has.forwardedHost = has.forwardedHost || f.Kind == http1.KindXForwardedHost
	case http1.KindXRequestID:
		has.id = true
	case http1.KindExpect:
		if r.Minor == 0 {
			return out // RFC 9110 §10.1.1
		}
	case http1.KindMaxForwards:
		if r.MaxForwards > 0 {
			out = append(append(out, f.Name...), ": "...)
			out = strconv.AppendInt(out, int64(r.MaxForwards-1), 10) // RFC 9110 §7.6.2
			return append(out, "\r\n"...)
		}
	case http1.KindTrailer:
		if r.Framing != http1.Chunked {
			return out
		}
		return http1.AppendField(out, f.Name, f.Value) // as we pass trailers on
	}
	if r.HopByHop(i) {
		return out
	}
	return http1.AppendField(out, f.Name, f.Value)
}

// appendOurs writes the fields that we add, and the end of the head.
func (c *conn) appendOurs(out []byte, trusted bool, has *kinds) []byte {
	x := c.x
	r := &x.req
	out = c.appendForwardedFor(out, trusted)
	if !has.proto {
		out = append(out, "X-Forwarded-Proto: http\r\n"...)
	}
	if !has.forwardedHost && len(r.Host) > 0 {
		out = appendField(out, "X-Forwarded-Host", r.Host)
	}
	if !has.id {
		out = appendRequestID(out)
	}
	if x.route.traffic.Via {
		out = append(out, via[r.Minor]...)
	}
	if r.Framing == http1.Chunked {
		out = append(out, "Transfer-Encoding: chunked\r\n"...)
	}
	switch {
	case x.upgrade != "":
		out = append(out, "Connection: Upgrade\r\nUpgrade: "...)
		out = append(append(out, x.upgrade...), "\r\n"...)
	case r.Trailers:
		out = append(out, "Connection: TE\r\nTE: trailers\r\n"...)
	}
	return append(out, "\r\n"...)
}

// via is what we add for a message of HTTP/1.0 and of HTTP/1.1 (RFC 9110
// §7.6.3).
var via = [2]string{"Via: 1.0 gracevisor\r\n", "Via: 1.1 gracevisor\r\n"}
