package http1

import (
	"bytes"
	"cmp"
)

// maxMethod is more than any registered method takes, of which the longest
// have 17 bytes (RFC 9112 §3: a longer one should be answered 501).
const maxMethod = 64

// startLine parses the request line, or pauses if it is not complete.
func (r *Request) startLine(buf []byte, lim *Limits) *Error {
	at, err := skipEmptyLine(buf)
	if err != nil {
		return err
	}
	end := r.at.lineEnd(buf, at)
	if end < 0 {
		r.at.pause(buf, 0)
		return r.requestLine(buf[at:], false, lim)
	}
	line, err := cutLine(buf[at:end])
	if err != nil {
		// The same as if the LF had come later than the rest.
		return cmp.Or(r.requestLine(buf[at:end], false, lim), err)
	}
	if err := r.requestLine(line, true, lim); err != nil {
		return err
	}
	r.at.started, r.at.line, r.at.seen = true, end+1, 0
	return nil
}

// skipEmptyLine returns the offset of the request line: one empty line before
// it is ignored (RFC 9112 §2.2).
func skipEmptyLine(buf []byte) (int, *Error) {
	if len(buf) == 0 || buf[0] != '\r' {
		return 0, nil
	}
	switch {
	case len(buf) == 1:
		return 1, nil
	case buf[1] != '\n':
		return 0, errBareCR
	case len(buf) > 2 && (buf[2] == '\r' || buf[2] == '\n'):
		return 0, errEmptyLines
	}
	return 2, nil
}

// requestLine parses a request line, of which only the beginning has come
// unless whole: that is refused as soon as it cannot become a good one.
func (r *Request) requestLine(line []byte, whole bool, lim *Limits) *Error {
	n := 0
	for n < len(line) && n <= maxMethod && class[line[n]]&isToken != 0 {
		n++
	}
	switch {
	case n > maxMethod:
		return errMethodLong
	case n == len(line) && !whole:
		return nil
	case n == 0 || n == len(line) || line[n] != ' ':
		return errMethod
	}
	target := line[n+1:]
	space := bytes.IndexByte(target, ' ')
	length := space
	if space < 0 {
		length = len(bytes.TrimSuffix(target, []byte{'\r'}))
	}
	switch {
	case lim.MaxTarget > 0 && length > lim.MaxTarget:
		return errTargetLong
	case space < 0 && !whole:
		return nil
	case space <= 0:
		return errRequestLine
	case !cleanTarget(target[:space]):
		return errTarget
	}
	r.Method, r.Target = line[:n:n], target[:space:space]
	return r.version(target[space+1:], whole)
}

func (r *Request) version(v []byte, whole bool) *Error {
	if !whole {
		if len(v) > len("HTTP/1.1\r") {
			return errVersion
		}
		return nil
	}
	minor, err := parseVersion(v)
	if err != nil {
		return err
	}
	r.Minor = minor
	return r.readTarget()
}

// parseVersion reads an HTTP-version (RFC 9112 §2.3).
func parseVersion(v []byte) (minor int, err *Error) {
	switch string(v) {
	case "HTTP/1.1":
		return 1, nil
	case "HTTP/1.0":
		return 0, nil
	}
	if len(v) != len("HTTP/1.1") || string(v[:5]) != "HTTP/" || v[6] != '.' ||
		class[v[5]]&class[v[7]]&isDigit == 0 {
		return 0, errVersion
	}
	if v[5] != '1' {
		return 0, errMajor
	}
	return 1, nil
}
