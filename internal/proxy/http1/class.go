package http1

import "encoding/binary"

// Byte classes, as bits of class: one look-up answers for all of them.
const (
	isToken   = 1 << iota // tchar (RFC 9110 §5.6.2)
	isValue               // HTAB, SP, VCHAR, obs-text (RFC 9110 §5.5)
	isTarget              // what a request target may hold, see cleanTarget
	isRegName             // unreserved and sub-delims (RFC 3986 §3.2.2)
	isDigit
	isHex
)

var (
	// class holds the classes of every byte.
	class [256]uint8
	// lower maps A–Z to a–z and leaves all else as it is.
	lower [256]byte
	// fold is lower, and makes '_' a '-' as well.
	fold [256]byte
)

func init() {
	for c := range 256 {
		class[c] = classOf(byte(c))
		lower[c] = byte(c)
		if 'A' <= c && c <= 'Z' {
			lower[c] = byte(c) + 'a' - 'A'
		}
		fold[c] = lower[c]
	}
	fold['_'] = '-'
	mark(isToken, "!#$%&'*+-.^_`|~")
	mark(isRegName, "-._~!$&'()*+,;=")
	mark(isValue, "\t")
}

func classOf(c byte) uint8 {
	var bits uint8
	switch {
	case '0' <= c && c <= '9':
		bits = isToken | isRegName | isDigit | isHex
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		bits = isToken | isRegName | isHex
	case 'g' <= c|0x20 && c|0x20 <= 'z':
		bits = isToken | isRegName
	}
	if c >= ' ' && c != 0x7f {
		bits |= isValue
	}
	switch c {
	case '"', '#', '<', '>':
	default:
		if c > ' ' && c < 0x7f {
			bits |= isTarget
		}
	}
	return bits
}

func mark(bit uint8, members string) {
	for _, c := range []byte(members) {
		class[c] |= bit
	}
}

// all reports whether every byte of s is of the class.
func all(s []byte, bit uint8) bool {
	for _, c := range s {
		if class[c]&bit == 0 {
			return false
		}
	}
	return true
}

// cleanValue reports whether v holds only what a field value may. Values are
// most of a head, and cookies can be long, so it looks at eight bytes at a
// time: that takes an eighth off the time for a browser's head, and more than
// half of it where there is a cookie of 4 KiB.
func cleanValue(v []byte) bool {
	for len(v) >= 8 {
		if mayHoldControl(binary.LittleEndian.Uint64(v)) {
			break // a HTAB, or bad
		}
		v = v[8:]
	}
	return all(v, isValue)
}

// mayHoldControl is false if none of the eight bytes of x is a control
// character. (The trick is hasless of S. E. Anderson's "Bit Twiddling Hacks".)
func mayHoldControl(x uint64) bool {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	del := x ^ 0x7f*ones // where x has DEL, this has 0
	return ((x-' '*ones)&^x|(del-ones)&^del)&highs != 0
}

// cleanTarget reports whether t holds only what is accepted in a request
// target: what RFC 3986 permits but '#', as a fragment is never part of a target
// (RFC 9110 §7.1), and [ \ ] ^ ` { | } and a lone %, which browsers send as they
// are (WHATWG URL, "query percent-encode set") and none of which bears on where a
// message or a target ends.
func cleanTarget(t []byte) bool { return all(t, isTarget) }

// equalFold reports whether s is the lower-case name, in any case.
func equalFold(s []byte, name string) bool {
	if len(s) != len(name) {
		return false
	}
	for i, c := range s {
		if lower[c] != name[i] {
			return false
		}
	}
	return true
}

// trim removes optional white space (RFC 9110 §5.6.3) at both ends.
func trim(s []byte) []byte {
	for len(s) > 0 && (s[0] == ' ' || s[0] == '\t') {
		s = s[1:]
	}
	for len(s) > 0 && (s[len(s)-1] == ' ' || s[len(s)-1] == '\t') {
		s = s[:len(s)-1]
	}
	return s
}
