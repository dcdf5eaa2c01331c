package http1

import "math"

// Parse reads one head from the start of buf. It returns the number of bytes
// that the head takes, with the empty line before it if there is one, or 0 if
// buf does not hold all of it yet: then the caller calls again when there are
// more bytes in buf. Errors are *Error.
//
// In between, what was in buf must stay as it was, but may be moved to another
// place, which costs a parse from the start. After n > 0 or an error Parse
// begins anew by itself. A caller that gives up a head before that, and uses r
// for another connection, must call Reset: else what the next one sends into
// the same buffer passes for the rest of that head.
//
// After an error r holds what was read before it, is not to be kept alive, and
// has no body.
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

// Reset makes r a request of which nothing has come. Parse goes on with no head
// that came before it.
func (r *Request) Reset() {
	*r = Request{Fields: r.Fields[:0], scratch: r.scratch, MaxForwards: -1}
}

func (r *Request) parse(buf []byte, lim *Limits) (int, *Error) {
	buf, full := lim.window(buf)
	if !r.at.resumes(buf) {
		r.Reset()
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
