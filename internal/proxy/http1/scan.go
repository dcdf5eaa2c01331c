package http1

import "bytes"

// progress is how far a head has been parsed whose end has not come yet, so
// that a head that comes byte by byte costs no more than one that comes at
// once.
type progress struct {
	base *byte // first byte of the buffer; nil: nothing to go on with
	line int   // where the first line begins that has not been parsed
	seen int   // buffer[line:seen] holds no LF
	// started: the start line has been parsed, and line is a field line.
	started bool
}

// resumes reports whether buf is the buffer that p is about, longer or equal.
// A buffer that was moved does not count: what was parsed aliases the old one.
func (p *progress) resumes(buf []byte) bool {
	return p.base != nil && len(buf) >= p.seen && p.base == &buf[0] &&
		(p.line == 0 || buf[p.line-1] == '\n')
}

// pause notes that the line at the offset is not complete in buf.
func (p *progress) pause(buf []byte, line int) {
	p.line, p.seen = line, len(buf)
	if len(buf) > 0 {
		p.base = &buf[0]
	}
}

// lineEnd is the offset of the next LF in buf, or -1.
func (p *progress) lineEnd(buf []byte, line int) int {
	from := max(line, p.seen)
	if i := bytes.IndexByte(buf[from:], '\n'); i >= 0 {
		return from + i
	}
	return -1
}

// window is the part of buf that a head may take, and whether it fills the
// limit: a head that has no end within such a window is too large.
func (l *Limits) window(buf []byte) (w []byte, full bool) {
	if l.MaxBytes > 0 && len(buf) >= l.MaxBytes {
		return buf[:l.MaxBytes], true
	}
	return buf, false
}

// cutLine removes the CR that must end a line, whose LF has been removed.
func cutLine(line []byte) ([]byte, *Error) {
	if n := len(line); n > 0 && line[n-1] == '\r' {
		return line[:n-1], nil
	}
	return nil, errBareLF
}

// fieldLines parses field lines up to the empty line and appends them to
// fields. It returns the number of bytes up to and with the empty line, or 0 if
// that has not come yet.
func (p *progress) fieldLines(buf []byte, fields []Field, maxFields int, answer bool) ([]Field, int, *Error) {
	at := p.line
	for {
		end := p.lineEnd(buf, at)
		if end < 0 {
			p.pause(buf, at)
			return fields, 0, nil
		}
		line, err := cutLine(buf[at:end])
		if err != nil {
			return fields, 0, err
		}
		at = end + 1
		if len(line) == 0 {
			return fields, at, nil
		}
		if maxFields > 0 && len(fields) == maxFields {
			return fields, 0, errFieldsMany
		}
		fields = append(fields, Field{})
		if err := fields[len(fields)-1].parse(line, answer); err != nil {
			return fields, 0, err
		}
	}
}

// parse reads a line, which is not empty and is without its CR LF. In an
// answer, white space before the colon is removed (RFC 9112 §5.1: a proxy must).
func (f *Field) parse(line []byte, answer bool) *Error {
	colon := len(line)
	for i, c := range line {
		if class[c]&isToken == 0 {
			colon = i
			break
		}
	}
	name := line[:colon:colon]
	if colon == 0 {
		return badName(line)
	}
	if answer {
		for colon < len(line) && isSpace(line[colon]) {
			colon++
		}
	}
	if colon == len(line) || line[colon] != ':' {
		return badName(line)
	}
	value := trim(line[colon+1:])
	if !cleanValue(value) {
		return badValue(line[colon+1:]).in(name)
	}
	f.Name, f.Value, f.Kind = name, value[:len(value):len(value)], kindOf(name)
	return nil
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' }

// badName tells why a line does not begin with a name and a colon.
func badName(line []byte) *Error {
	if isSpace(line[0]) {
		return errFold
	}
	for i, c := range line {
		switch {
		case class[c]&isToken != 0:
		case i > 0 && isSpace(c):
			if t := trim(line[i:]); len(t) > 0 && t[0] == ':' {
				return errSpaceInName.in(line[:i])
			}
			return errName
		default:
			return errName
		}
	}
	return errName
}

// badValue tells what is wrong with a value that holds a bad byte.
func badValue(value []byte) *Error {
	if bytes.IndexByte(value, '\r') >= 0 {
		return errBareCR
	}
	return errValue
}
