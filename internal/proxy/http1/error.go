package http1

// maxFieldInError bounds the name of a field in an Error.
const maxFieldInError = 64

// Error tells what was refused, why, and by which rule. It holds no byte that
// was not checked, so it can be logged as it is.
func (e *Error) Error() string {
	s := "refuse message: "
	if e.Field != "" {
		s += e.Field + ": "
	}
	return s + e.Reason + " (" + e.Section + ")"
}

// in is the same error about the field with this name, which must be a token.
func (e *Error) in(name []byte) *Error {
	c := *e
	c.Field = string(name[:min(len(name), maxFieldInError)])
	return &c
}

// fromServer is the same error about the head of an answer.
func (e *Error) fromServer() *Error {
	c := *e
	c.Status = 502
	return &c
}

// Everything that is refused.
var (
	errMethod       = &Error{400, "", "method is not a token followed by one space", "RFC 9112 §3.1"}
	errMethodLong   = &Error{501, "", "method is longer than any that is known", "RFC 9112 §3"}
	errEmptyLines   = &Error{400, "", "more than one empty line before the request line", "RFC 9112 §2.2"}
	errRequestLine  = &Error{400, "", "request line is not made of method, target and version", "RFC 9112 §3"}
	errVersion      = &Error{400, "", "version is malformed", "RFC 9112 §2.3"}
	errMajor        = &Error{505, "", "major version is not 1", "RFC 9110 §15.6.6"}
	errStatusLine   = &Error{502, "", "status line is malformed", "RFC 9112 §4"}
	errStatus       = &Error{502, "", "status is not of 100 to 599", "RFC 9110 §15"}
	errTargetLong   = &Error{414, "", "target is too long", "RFC 9112 §3"}
	errTarget       = &Error{400, "", "target has a byte that none may have", "RFC 9112 §3.2"}
	errTargetForm   = &Error{400, "", "target has none of the four forms", "RFC 9112 §3.2"}
	errAsterisk     = &Error{400, "", "target * with a method other than OPTIONS", "RFC 9112 §3.2.4"}
	errScheme       = &Error{400, "", "target is a URI of a scheme other than http and https", "RFC 9112 §3.2.2"}
	errUserinfo     = &Error{400, "", "target has user information", "RFC 9110 §4.2.4"}
	errAuthority    = &Error{400, "", "target has an invalid authority", "RFC 3986 §3.2"}
	errConnectForm  = &Error{400, "", "target of CONNECT is not host and port", "RFC 9112 §3.2.3"}
	errBareLF       = &Error{400, "", "line ends without CR", "RFC 9112 §2.2"}
	errBareCR       = &Error{400, "", "CR without LF", "RFC 9112 §2.2"}
	errFold         = &Error{400, "", "line begins with white space", "RFC 9112 §5.2"}
	errName         = &Error{400, "", "field name is not a token followed by a colon", "RFC 9110 §5.1"}
	errSpaceInName  = &Error{400, "", "white space between field name and colon", "RFC 9112 §5.1"}
	errValue        = &Error{400, "", "value has a control character", "RFC 9110 §5.5"}
	errHeadLong     = &Error{431, "", "header is too large", "RFC 6585 §5"}
	errFieldsMany   = &Error{431, "", "header has too many fields", "RFC 6585 §5"}
	errHostMissing  = &Error{400, "Host", "is missing", "RFC 9112 §3.2"}
	errHostTwice    = &Error{400, "Host", "is there more than once", "RFC 9112 §3.2"}
	errHost         = &Error{400, "Host", "is not a host with or without a port", "RFC 9112 §3.2"}
	errLength       = &Error{400, "Content-Length", "is not one decimal number", "RFC 9112 §6.2"}
	errLengthLarge  = &Error{400, "Content-Length", "is too large a number", "RFC 9110 §8.6"}
	errLengthTwice  = &Error{400, "Content-Length", "is there more than once", "RFC 9112 §6.3"}
	errLengthCoding = &Error{400, "Content-Length", "is there beside Transfer-Encoding", "RFC 9112 §6.1"}
	errLengthNone   = &Error{400, "Content-Length", "is in an interim answer", "RFC 9110 §8.6"}
	errCoding       = &Error{400, "Transfer-Encoding", "is malformed", "RFC 9112 §6.1"}
	errCodingTwice  = &Error{400, "Transfer-Encoding", "names chunked more than once", "RFC 9112 §6.1"}
	errCodingFinal  = &Error{400, "Transfer-Encoding", "does not end with chunked", "RFC 9112 §6.3"}
	errCodingOther  = &Error{501, "Transfer-Encoding", "names a coding other than chunked", "RFC 9112 §6.1"}
	errCodingOld    = &Error{400, "Transfer-Encoding", "is in an HTTP/1.0 message", "RFC 9112 §6.1"}
	errCodingNone   = &Error{400, "Transfer-Encoding", "is in an interim answer", "RFC 9112 §6.1"}
	errNamed        = &Error{400, "Connection", "names a field that is meant for all recipients", "RFC 9110 §7.6.1"}
	errNamedMany    = &Error{431, "Connection", "lists too many options", "RFC 6585 §5"}
	errExpect       = &Error{417, "Expect", "holds an expectation other than 100-continue", "RFC 9110 §10.1.1"}
	errMaxForwards  = &Error{400, "Max-Forwards", "is not one decimal number", "RFC 9110 §7.6.2"}
	errChunkSize    = &Error{400, "", "chunk size is not a hexadecimal number", "RFC 9112 §7.1"}
	errChunkLarge   = &Error{400, "", "chunk size is too large a number", "RFC 9112 §7.1"}
	errChunkLine    = &Error{400, "", "chunk size is not followed by CR and LF", "RFC 9112 §7.1"}
	errChunkExt     = &Error{400, "", "chunk extension is malformed", "RFC 9112 §7.1.1"}
	errChunkExtLong = &Error{400, "", "chunk extension is too long", "RFC 9112 §7.1.1"}
	errChunkEnd     = &Error{400, "", "chunk data is not followed by CR and LF", "RFC 9112 §7.1"}
	errTrailerLong  = &Error{431, "", "trailer section is too large", "RFC 6585 §5"}
	errTrailersMany = &Error{431, "", "trailer section has too many fields", "RFC 6585 §5"}
)
