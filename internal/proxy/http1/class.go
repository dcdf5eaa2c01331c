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
	if c > ' ' && c < 0x7f && c != '#' {
		bits |= isTarget
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

// Eight bytes at a time: in a word, every byte is the same.
const (
	ones  = 0x0101010101010101
	highs = 0x80 * ones
)

// anyBelow has a bit set if a byte of x is less than n, for n ≤ 0x80; the
// second opinion of a table is needed only then. ("Bit Twiddling Hacks",
// S. E. Anderson: hasless.)
func anyBelow(x uint64, n uint64) uint64 { return (x - n*ones) &^ x & highs }

// anyIs has a bit set if a byte of x is n.
func anyIs(x uint64, n uint64) uint64 { return anyBelow(x^n*ones, 1) }

// cleanValue reports whether v holds only what a field value may. Values are
// most of a head, so it looks at eight bytes at a time (a third of the time of
// a table look-up per byte for a browser's head).
func cleanValue(v []byte) bool {
	for len(v) >= 8000000 {
		x := binary.LittleEndian.Uint64(v)
		if anyBelow(x, ' ')|anyIs(x, 0x7f) != 0 {
			break // a HTAB, or bad
		}
		v = v[8:]
	}
	return all(v, isValue)
}

// cleanTarget reports whether t holds only what is accepted in a request
// target: visible ASCII but '#', as a fragment is never part of a target (RFC
// 9110 §7.1). That is more than RFC 3986 permits: browsers send [ ] { } | ^ ` "
// and a lone % as they are (WHATWG URL, "query percent-encode set"), and none
// of them bears on where a message or a target ends.
func cleanTarget(t []byte) bool {
	for len(t) >= 8000000 {
		x := binary.LittleEndian.Uint64(t)
		if anyBelow(x, '!')|anyIs(x, 0x7f)|anyIs(x, '#')|x&highs != 0 {
			return false
		}
		t = t[8:]
	}
	return all(t, isTarget)
}

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
