package http1

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/textproto"
	"slices"
	"strings"
	"testing"
)

// The fuzzers take net/http as the second opinion. Where this package accepts
// a message, net/http must accept it as well and see the same in it, or refuse
// it for one of the reasons in tolerated: none of which is about where the
// message ends.

// fuzzLimits are low enough that net/http meets none of its own first.
var fuzzLimits = Limits{MaxBytes: 2 << 10, MaxFields: 20, MaxTarget: 1 << 10}

// FuzzRequest reads a request with its body.
func FuzzRequest(f *testing.F) {
	for _, s := range []string{loadHead, browserHead, get("Content-Length: 3") + "abc", "\r\n" + get("Transfer-Encoding: chunked") + "1\r\na\r\n0\r\nA: b\r\n\r\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var r Request
		n, err := r.Parse(data, fuzzLimits)
		sameInPieces(t, data, n, err, &r, requestParser(fuzzLimits))
		if err != nil {
			return
		}
		in := bufio.NewReader(bytes.NewReader(bytes.TrimPrefix(data, []byte("\r\n"))))
		other, otherErr := http.ReadRequest(in)
		switch {
		case n == 0 && otherErr == nil:
			t.Fatalf("wait for more of %q, which net/http finds complete", data)
		case n == 0:
			return
		case otherErr != nil:
			refused(t, otherErr)
			return
		}
		sameRequest(t, &r, other)
		sameBody(t, data[n:], r.Framing, r.Length, other.Body, in, func() http.Header { return other.Trailer })
		if string(r.Method) != "CONNECT" { // which is never sent on
			checkRequestRoundTrip(t, &r)
		}
	})
}

// FuzzResponse reads an answer with its body, to GET or to HEAD.
func FuzzResponse(f *testing.F) {
	for _, s := range []string{answerHead, ok() + "abc", ok("Content-Length: 3") + "abc", ok("Transfer-Encoding: chunked") + "1\r\na\r\n0\r\n\r\n"} {
		f.Add([]byte(s), false)
		f.Add([]byte(s), true)
	}
	f.Fuzz(func(t *testing.T, data []byte, head bool) {
		var r Response
		n, err := r.Parse(data, fuzzLimits, head)
		sameInPieces(t, data, n, err, &r, responseParser(fuzzLimits, head))
		if err != nil {
			return
		}
		request := &http.Request{Method: "GET"}
		if head {
			request.Method = "HEAD"
		}
		in := bufio.NewReader(io.MultiReader(bytes.NewReader(withoutSpace(data[:n])), bytes.NewReader(data[n:])))
		other, otherErr := http.ReadResponse(in, request)
		switch {
		case n == 0 && otherErr == nil:
			t.Fatalf("wait for more of %q, which net/http finds complete", data)
		case n == 0:
			return
		case otherErr != nil:
			refused(t, otherErr)
			return
		}
		if other.StatusCode != r.Status || r.Minor != min(other.ProtoMinor, 1) {
			t.Fatalf("got status %d, net/http %d", r.Status, other.StatusCode)
		}
		sameFields(t, r.Fields, other.Header)
		sameBody(t, data[n:], r.Framing, r.Length, other.Body, in, func() http.Header { return other.Trailer })
		checkResponseRoundTrip(t, &r)
	})
}

// FuzzChunked reads a chunked body in pieces of a length.
func FuzzChunked(f *testing.F) {
	for _, s := range []string{"3\r\nabc\r\n0\r\n\r\n", "1;x=\"y\"\r\na\r\n0\r\nA: b\r\n\r\n", "0\r\n\r\nGET", "a\r\n0123456789\r\n"} {
		f.Add([]byte(s), 1)
		f.Add([]byte(s), 5)
	}
	f.Fuzz(func(t *testing.T, data []byte, piece int) {
		var whole, pieces ChunkReader
		whole.Reset(fuzzLimits)
		pieces.Reset(fuzzLimits)
		one := readChunked(&whole, string(data), len(data), len(data))
		many := readChunked(&pieces, string(data), len(data), max(1, piece))
		if one.done != many.done || fmt.Sprint(one.err) != fmt.Sprint(many.err) || one.err == nil && (one.used != many.used || one.data != many.data) ||
			!strings.HasPrefix(many.data, one.data) && !strings.HasPrefix(one.data, many.data) {
			t.Fatalf("at once: %+v, in pieces: %+v", one, many)
		}
		head := get("Transfer-Encoding: chunked")
		in := bufio.NewReader(io.MultiReader(strings.NewReader(head), bytes.NewReader(data)))
		other, err := http.ReadRequest(in)
		if err != nil {
			t.Fatal(err)
		}
		sameBody(t, data, Chunked, 0, other.Body, in, func() http.Header { return other.Trailer })
	})
}

// sameInPieces parses again byte by byte.
func sameInPieces(t *testing.T, data []byte, n int, err error, message any, fresh func() parser) {
	t.Helper()
	p := fresh()
	m, e := inPieces(p, string(data), false)
	if n != m || fmt.Sprint(err) != fmt.Sprint(e) {
		t.Fatalf("at once: %d, %v, in pieces: %d, %v", n, err, m, e)
	}
	if n == 0 {
		return
	}
	want := ""
	switch r := message.(type) {
	case *Request:
		want = describeRequest(r)
	case *Response:
		want = describeResponse(r)
	}
	if got := p.describe(); got != want {
		t.Fatalf("at once: %s\nin pieces: %s", want, got)
	}
}

// tolerated are the errors of net/http that are not about framing.
var tolerated = []string{
	"parse \"",        // targets: RFC 3986 and a little more
	"bad trailer key", // a Trailer that names framing: it is never sent on
}

func refused(t *testing.T, err error) {
	t.Helper()
	for _, s := range tolerated {
		if strings.Contains(err.Error(), s) {
			return
		}
	}
	t.Fatalf("accepted what net/http refuses: %v", err)
}

// withoutSpace is a head without white space before the colons, with which
// net/http takes a field for another one (RFC 9112 §5.1).
func withoutSpace(head []byte) []byte {
	var clean [][]byte
	for line := range bytes.SplitSeq(head, []byte("\r\n")) {
		if name, value, found := bytes.Cut(line, []byte(":")); found && len(clean) > 0 {
			line = slices.Concat(trim(name), []byte(":"), value)
		}
		clean = append(clean, line)
	}
	return bytes.Join(clean, []byte("\r\n"))
}

func sameRequest(t *testing.T, r *Request, other *http.Request) {
	t.Helper()
	if string(r.Method) != other.Method || string(r.Target) != other.RequestURI || r.Minor != min(other.ProtoMinor, 1) {
		t.Fatalf("got %s %s, net/http %s %s", r.Method, r.Target, other.Method, other.RequestURI)
	}
	// net/http decodes the host of an absolute target.
	if string(r.Host) != other.Host && !bytes.ContainsRune(r.Host, '%') {
		t.Fatalf("got host %q, net/http %q", r.Host, other.Host)
	}
	sameFields(t, r.Fields, other.Header)
	if r.KeepAlive == other.Close {
		t.Fatalf("got KeepAlive=%t, net/http Close=%t", r.KeepAlive, other.Close)
	}
}

// sameFields compares all fields but those that net/http takes out or makes up.
func sameFields(t *testing.T, fields []Field, other http.Header) {
	t.Helper()
	ours := http.Header{}
	for _, f := range fields {
		ours.Add(string(f.Name), string(f.Value))
	}
	for _, name := range []string{"Host", "Transfer-Encoding", "Trailer", "Cache-Control"} {
		delete(ours, name)
		delete(other, name)
	}
	for name, values := range ours {
		if !slices.Equal(values, other[name]) {
			t.Fatalf("%s: got %q, net/http %q", name, values, other[name])
		}
	}
	if len(ours) != len(other) {
		t.Fatalf("got %q, net/http %q", ours, other)
	}
}

// sameBody compares the body, its trailers, and where it ends. data is what
// comes after the head, in what net/http has left when it has read other.
func sameBody(t *testing.T, data []byte, framing Framing, length int64, other io.Reader, in io.Reader, trailers func() http.Header) {
	t.Helper()
	theirs, err := io.ReadAll(other)
	rest, _ := io.ReadAll(in)
	var ours chunkResult
	var c ChunkReader
	switch framing {
	case NoBody:
		ours = chunkResult{done: true}
	case UntilClose:
		ours = chunkResult{data: string(data), used: len(data), done: true}
	case Length:
		n := int(min(length, int64(len(data))))
		ours = chunkResult{data: string(data[:n]), used: n, done: int64(n) == length}
	case Chunked:
		c.Reset(fuzzLimits)
		ours = readChunked(&c, string(data), len(data), max(1, len(data)))
	}
	switch {
	case ours.err != nil:
		return // stricter than net/http
	case !ours.done && err == nil:
		t.Fatalf("wait for more of body %q, which net/http finds complete", data)
	case !ours.done:
		return
	case err != nil:
		refusedBody(t, err, data)
		return
	}
	if ours.data != string(theirs) || string(data[ours.used:]) != string(rest) {
		t.Fatalf("got body %q and then %q, net/http %q and %q", ours.data, data[ours.used:], theirs, rest)
	}
	for _, f := range c.Trailers() {
		if !slices.Contains(trailers()[textproto.CanonicalMIMEHeaderKey(string(f.Name))], string(f.Value)) {
			t.Fatalf("got trailer %s=%q, net/http %q", f.Name, f.Value, trailers())
		}
	}
}

// refusedBody knows what net/http refuses in chunked bodies that are accepted
// here: what is over its limits, and white space before an extension, which a
// recipient must put up with (RFC 9112 §7.1.1).
func refusedBody(t *testing.T, err error, data []byte) {
	t.Helper()
	spaced := bytes.Contains(data, []byte(" ;")) || bytes.Contains(data, []byte("\t;"))
	for reason, tolerated := range map[string]bool{
		"too much non-data":            true,
		"suspiciously long trailer":    true,
		"invalid byte in chunk length": spaced,
	} {
		if tolerated && strings.Contains(err.Error(), reason) {
			return
		}
	}
	t.Fatalf("accepted a body that net/http refuses: %v", err)
}
