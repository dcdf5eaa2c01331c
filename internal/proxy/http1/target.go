package http1

import "bytes"

// readTarget finds the form of the target (RFC 9112 §3.2) and sets Path, and
// Host if the target names it.
func (r *Request) readTarget() *Error {
	if string(r.Method) == "CONNECT" {
		return r.authorityForm()
	}
	switch {
	case r.Target[0] == '/':
		r.Path = r.Target
		return nil
	case len(r.Target) == 1 && r.Target[0] == '*':
		r.Path = r.Target
		if string(r.Method) != "OPTIONS" {
			return errAsterisk
		}
		return nil
	}
	return r.absoluteForm()
}

// authorityForm reads the target of CONNECT, in which nothing may be left out
// (RFC 9112 §3.2.3).
func (r *Request) authorityForm() *Error {
	if !validAuthority(r.Target) || !hasPort(r.Target) {
		return errConnectForm
	}
	r.Host, r.Path = r.Target, r.Target
	return nil
}

// hasPort reports whether a valid authority has a port that is not empty.
func hasPort(a []byte) bool {
	colon := bytes.LastIndexByte(a, ':')
	return colon >= 0 && colon+1 < len(a) && all(a[colon+1:], isDigit)
}

// absoluteForm reads a target that is a whole URI.
func (r *Request) absoluteForm() *Error {
	rest, ok := cutScheme(r.Target)
	if !ok {
		if hasScheme(r.Target) {
			return errScheme
		}
		return errTargetForm
	}
	end := len(rest)
	for i, c := range rest {
		if c == '@' {
			return errUserinfo
		}
		if c == '/' || c == '?' {
			end = i
			break
		}
	}
	if !validAuthority(rest[:end]) {
		return errAuthority
	}
	r.Host = rest[:end:end]
	r.setPath(rest[end:])
	return nil
}

// setPath sets Path from what comes after the authority.
func (r *Request) setPath(path []byte) {
	switch {
	case len(path) > 0 && path[0] == '/':
		r.Path = path
	case len(path) == 0 && string(r.Method) == "OPTIONS":
		r.Path = append(r.scratch[:0], '*') // RFC 9112 §3.2.4
		r.scratch = r.Path
	default:
		r.Path = append(append(r.scratch[:0], '/'), path...) // RFC 9112 §3.2.1
		r.scratch = r.Path
	}
}

func cutScheme(t []byte) (rest []byte, ok bool) {
	const http, https = "http://", "https://"
	switch {
	case len(t) >= len(http) && equalFold(t[:len(http)], http):
		return t[len(http):], true
	case len(t) >= len(https) && equalFold(t[:len(https)], https):
		return t[len(https):], true
	}
	return nil, false
}

// hasScheme reports whether t begins with a scheme and "://".
func hasScheme(t []byte) bool {
	for i, c := range t {
		switch {
		case c == ':':
			return i > 0 && len(t) > i+2 && t[i+1] == '/' && t[i+2] == '/'
		case class[c]&isRegName == 0:
			return false
		}
	}
	return false
}
