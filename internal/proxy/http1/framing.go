package http1

import "math"

// body gathers what the fields of a message say about its end.
type body struct {
	hasLength bool
	length    int64
	hasCoding bool
	chunked   bool // the last coding so far is chunked
	other     bool // there is a coding that is not chunked
}

// readLength takes a Content-Length. A second one is refused even if it is
// equal, and so is a list (RFC 9112 §6.3 permits that).
func (b *body) readLength(value []byte) *Error {
	if b.hasLength {
		return errLengthTwice
	}
	n, number, ok := parseDecimal(value, math.MaxInt64)
	switch {
	case !number:
		return errLength
	case !ok:
		return errLengthLarge
	}
	b.hasLength, b.length = true, n
	return nil
}

// readCoding takes a Transfer-Encoding. Only exactly one chunked is served;
// the rest of the rules finds out what answer anything else deserves.
func (b *body) readCoding(value []byte) *Error {
	b.hasCoding = true
	if equalFold(value, "chunked") && !b.chunked {
		b.chunked = true
		return nil
	}
	for element := range elements(value) {
		if err := b.addCoding(element); err != nil {
			return err
		}
	}
	return nil
}

func (b *body) addCoding(element []byte) *Error {
	name := element
	for i, c := range element {
		if class[c]&isToken == 0 {
			name = element[:i]
			break
		}
	}
	parameters := trim(element[len(name):])
	isChunked := equalFold(name, "chunked")
	switch {
	case len(name) == 0:
		return errCoding
	case len(parameters) > 0 && (parameters[0] != ';' || isChunked):
		return errCoding // chunked has no parameters (RFC 9112 §7.1)
	case isChunked && b.chunked:
		return errCodingTwice
	case b.chunked:
		return errCodingFinal
	}
	b.chunked, b.other = isChunked, b.other || !isChunked
	return nil
}

// check applies the rules that involve both fields.
func (b *body) check(minor int) *Error {
	switch {
	case !b.hasCoding:
		return nil
	case minor == 0:
		return errCodingOld
	case b.hasLength:
		return errLengthCoding
	case !b.chunked:
		return errCodingFinal
	case b.other:
		return errCodingOther
	}
	return nil
}

// ofRequest is the framing of a request (RFC 9112 §6.3, rules 3 to 7).
func (b *body) ofRequest() (Framing, int64) {
	switch {
	case b.chunked:
		return Chunked, 0
	case b.hasLength:
		return Length, b.length
	}
	return NoBody, 0
}

// ofResponse is the framing of an answer (RFC 9112 §6.3, rules 1 and 3 to 8);
// head tells that the request was HEAD.
func (b *body) ofResponse(status int, head bool) (Framing, int64) {
	switch {
	case bodiless(status) || head:
		return NoBody, 0
	case b.chunked:
		return Chunked, 0
	case b.hasLength:
		return Length, b.length
	}
	return UntilClose, 0
}

// bodiless reports whether an answer of this status never has a body.
func bodiless(status int) bool {
	return status < 200 || status == 204 || status == 304
}
