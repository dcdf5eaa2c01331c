package http1

import (
	"bytes"
	"cmp"
	"math"
)

// maxMethod is more than any registered method takes, of which the longest
// have 17 bytes (RFC 9112 §3: a longer one should be answered 501).
const maxMethod = 64

// Parse reads one head from the start of buf. It returns the number of bytes
// that the head takes, with the empty line before it if there is one, or 0 if
// buf does not hold all of it yet: then the caller calls again when there are
// more bytes in buf. Errors are *Error.
//
// In between, what was in buf must stay as it was, but may be moved to another
// place, which costs a parse from the start. After n > 0 or an error Parse
// begins anew by itself. A caller that gives up a head before that, and uses r
// for another connection, must call Reset.
func (r *Request) Parse(buf []byte, lim Limits) (n int, err error) {
	n, e := r.parse(buf, &lim)
	if n > 0 || e != nil {
		r.at = progress{}
	}
	if e != nil {
		return 0, e
	}
	return n, nil
}

// Reset forgets a head of which Parse has seen only a part.
func (r *Request) Reset() {
	r.at = progress{}
}

func (r *Request) parse(buf []byte, lim *Limits) (int, *Error) {
	buf, full := lim.window(buf)
	if !r.at.resumes(buf) {
		r.at = progress{}
		r.Fields = r.Fields[:0]
	}
	if !r.at.started {
		if err := r.startLine(buf, lim); err != nil {
			return 0, err
		}
		if !r.at.started {
			if full {
				return 0, errTargetLong
			}
			return 0, nil
		}
	}
	var n int
	var err *Error
	r.Fields, n, err = r.at.fieldLines(buf, r.Fields, lim.MaxFields, false)
	switch {
	case err != nil:
		return 0, err
	case n == 0 && full:
		return 0, errHeadLong
	case n == 0:
		return 0, nil
	}
	return n, r.readFields()
}

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

// requestFields is what is known only when all fields have been seen.
type requestFields struct {
	body     body
	options  options
	hosts    int
	host     []byte
	upgrade  []byte
	trailers bool
	expects  bool
}

// readFields applies the rules about the fields of a request.
func (r *Request) readFields() *Error {
	var f requestFields
	r.named.n, r.named.full = 0, false
	r.MaxForwards = -1
	for i := range r.Fields {
		if r.Fields[i].Kind == KindOther {
			continue
		}
		if err := r.readField(&r.Fields[i], &f); err != nil {
			return err
		}
	}
	if err := r.settleHost(&f); err != nil {
		return err
	}
	if err := f.body.check(r.Minor); err != nil {
		return err
	}
	r.Framing, r.Length = f.body.ofRequest()
	r.KeepAlive = f.options.persists(r.Minor)
	r.ExpectContinue = f.expects && (r.Framing == Chunked || r.Length > 0)
	r.Trailers = f.trailers && f.options.te
	r.Upgrade = nil
	if f.options.upgrade && r.Minor > 0 {
		r.Upgrade = f.upgrade
	}
	return nil
}

func (r *Request) readField(field *Field, f *requestFields) *Error {
	switch field.Kind {
	case KindHost:
		f.hosts++
		f.host = field.Value
	case KindContentLength:
		return f.body.readLength(field.Value)
	case KindTransferEncoding:
		return f.body.readCoding(field.Value)
	case KindConnection:
		return f.options.read(field.Value, &r.named)
	case KindTE:
		f.trailers = f.trailers || holdsTrailers(field.Value)
	case KindUpgrade:
		if f.upgrade == nil {
			f.upgrade = field.Value
		}
	case KindExpect:
		return r.readExpect(field.Value, f)
	case KindMaxForwards:
		return r.readMaxForwards(field.Value)
	}
	return nil
}

// settleHost applies the rules about Host (RFC 9112 §3.2). It is checked even
// if an absolute target takes its place.
func (r *Request) settleHost(f *requestFields) *Error {
	switch {
	case f.hosts > 1:
		return errHostTwice
	case f.hosts == 1 && !validAuthority(f.host):
		return errHost
	case f.hosts == 0 && r.Minor > 0:
		return errHostMissing
	}
	if r.Host == nil {
		r.Host = f.host
	}
	return nil
}

// readExpect reads Expect (RFC 9110 §10.1.1). HTTP/1.0 does not know it.
func (r *Request) readExpect(value []byte, f *requestFields) *Error {
	if r.Minor == 0 {
		return nil
	}
	for element := range elements(value) {
		switch {
		case equalFold(element, "100-continue"):
			f.expects = true
		case len(element) > 0:
			return errExpect
		}
	}
	return nil
}

// readMaxForwards reads Max-Forwards, which other methods may not heed (RFC
// 9110 §7.6.2). More than an int32 holds is as good as the most it holds.
func (r *Request) readMaxForwards(value []byte) *Error {
	if m := string(r.Method); m != "TRACE" && m != "OPTIONS" {
		return nil
	}
	n, number, ok := parseDecimal(value, math.MaxInt32)
	if !number || r.MaxForwards >= 0 {
		return errMaxForwards
	}
	if !ok {
		n = math.MaxInt32
	}
	r.MaxForwards = int(n)
	return nil
}

// holdsTrailers reports whether a TE has the member trailers (RFC 9110
// §10.1.4).
func holdsTrailers(value []byte) bool {
	for element := range elements(value) {
		if equalFold(element, "trailers") {
			return true
		}
	}
	return false
}
