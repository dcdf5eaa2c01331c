package http1

import "strconv"

// The writers append to dst, return it, and allocate only to make it longer.
// They check nothing: what they are given was parsed by this package, or is
// the caller's own.

// AppendRequestLine appends the request line of an HTTP/1.1 request.
func AppendRequestLine(dst, method, path []byte) []byte {
	dst = append(dst, method...)
	dst = append(dst, ' ')
	dst = append(dst, path...)
	return append(dst, " HTTP/1.1\r\n"...)
}

// AppendStatusLine appends the status line of an HTTP/1.1 answer; status is of
// 100 to 599. With a nil reason it writes the usual one for the status, with an
// empty one none.
func AppendStatusLine(dst []byte, status int, reason []byte) []byte {
	if reason == nil {
		if line := usualLine(status); line != "" {
			return append(dst, line...)
		}
	}
	dst = append(dst, "HTTP/1.1 "...)
	dst = append(dst, byte('0'+status/100), byte('0'+status/10%10), byte('0'+status%10), ' ')
	dst = append(dst, reason...)
	return append(dst, "\r\n"...)
}

// AppendField appends one field line.
func AppendField(dst, name, value []byte) []byte {
	dst = append(dst, name...)
	dst = append(dst, ": "...)
	dst = append(dst, value...)
	return append(dst, "\r\n"...)
}

// AppendChunkHeader appends what goes before the n bytes of a chunk, n > 0;
// what goes after them is CR LF (RFC 9112 §7.1).
func AppendChunkHeader(dst []byte, n int) []byte {
	dst = strconv.AppendUint(dst, uint64(n), 16)
	return append(dst, "\r\n"...)
}

// AppendLastChunk appends the end of a chunked body. What went before it must
// have ended with its own CR LF.
func AppendLastChunk(dst []byte, trailers []Field) []byte {
	dst = append(dst, "0\r\n"...)
	for i := range trailers {
		dst = AppendField(dst, trailers[i].Name, trailers[i].Value)
	}
	return append(dst, "\r\n"...)
}
