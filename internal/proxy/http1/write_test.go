package http1

import (
	"bytes"
	"net/http"
	"strings"
	"testing"
)

func TestWriters(t *testing.T) {
	b := func(s string) []byte { return []byte(s) }
	for _, c := range []struct{ name, got, want string }{
		{"request line", string(AppendRequestLine(b("> "), b("GET"), b("/x?y"))), "> GET /x?y HTTP/1.1\r\n"},
		{"usual status line", string(AppendStatusLine(b("> "), 503, nil)), "> HTTP/1.1 503 Service Unavailable\r\n"},
		{"status line with a reason", string(AppendStatusLine(nil, 503, b("Full"))), "HTTP/1.1 503 Full\r\n"},
		{"status line with an empty reason", string(AppendStatusLine(nil, 200, b(""))), "HTTP/1.1 200 \r\n"},
		{"status line without a usual reason", string(AppendStatusLine(nil, 599, nil)), "HTTP/1.1 599 \r\n"},
		{"status line of a gap in the table", string(AppendStatusLine(nil, 209, nil)), "HTTP/1.1 209 \r\n"},
		{"field", string(AppendField(b("> "), b("Name"), b("a b"))), "> Name: a b\r\n"},
		{"field without a value", string(AppendField(nil, b("Name"), nil)), "Name: \r\n"},
		{"chunk header", string(AppendChunkHeader(b("> "), 0x1f2e)), "> 1f2e\r\n"},
		{"last chunk", string(AppendLastChunk(b("> "), nil)), "> 0\r\n\r\n"},
		{"last chunk with trailers", string(AppendLastChunk(nil, []Field{{Name: b("A"), Value: b("b")}, {Name: b("C"), Value: b("d")}})), "0\r\nA: b\r\nC: d\r\n\r\n"},
	} {
		if c.got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, c.got, c.want)
		}
	}
}

// TestUsualLines compares the table with that of net/http.
func TestUsualLines(t *testing.T) {
	renamed := map[int]string{413: "Content Too Large", 414: "URI Too Long", 416: "Range Not Satisfiable", 422: "Unprocessable Content"} // RFC 9110 §15.5
	for status := -1; status < 700; status++ {
		want := http.StatusText(status)
		if name, ok := renamed[status]; ok {
			want = name
		}
		switch status {
		case 418, 510: // unused and obsoleted in the IANA registry
			want = ""
		}
		if got := StatusText(status); got != want {
			t.Errorf("%d: got %q, want %q", status, got, want)
		}
		if want == "" {
			continue
		}
		var r Response
		line := AppendStatusLine(nil, status, nil)
		if n, err := r.Parse(append(line, "\r\n"...), Limits{}, false); n == 0 || err != nil || r.Status != status || string(r.Reason) != want {
			t.Errorf("%q: got %d %q, %v", line, r.Status, r.Reason, err)
		}
	}
}

// TestRoundTrip writes what was parsed, parses that, and wants the same
// message: but for what is not sent on.
func TestRoundTrip(t *testing.T) {
	for _, head := range []string{
		loadHead, browserHead, get(), get("A:", "a: \xff", "Connection: x", "X: y", "Z:\tz\t"),
		"POST http://b:81?x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
		"OPTIONS http://b HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n",
	} {
		var r Request
		if _, err := r.Parse([]byte(head), Limits{}); err != nil {
			t.Fatal(err)
		}
		checkRequestRoundTrip(t, &r)
	}
	for _, head := range []string{answerHead, ok(), ok("A : b"), "HTTP/1.0 404\r\nTransfer: x\r\n\r\n", ok("Transfer-Encoding: chunked")} {
		var r Response
		if _, err := r.Parse([]byte(head), Limits{}, false); err != nil {
			t.Fatal(err)
		}
		checkResponseRoundTrip(t, &r)
	}
}

func checkRequestRoundTrip(t *testing.T, r *Request) {
	t.Helper()
	var again Request
	head := forward(r)
	n, err := again.Parse(head, Limits{})
	if n != len(head) || err != nil {
		t.Fatalf("%q: got %d, %v", head, n, err)
	}
	if !bytes.Equal(r.Method, again.Method) || !bytes.Equal(r.Path, again.Path) || !bytes.Equal(r.Host, again.Host) ||
		r.Framing != again.Framing || r.Length != again.Length {
		t.Errorf("got %s\nwant %s", describeRequest(&again), describeRequest(r))
	}
	if got, want := sentOn(again.Fields, again.HopByHop), sentOn(r.Fields, r.HopByHop); got != want {
		t.Errorf("got fields %q\nwant %q", got, want)
	}
}

// forward writes a request as a proxy does: in HTTP/1.1, in origin form, with
// the authority that it is for.
func forward(r *Request) []byte {
	dst := AppendRequestLine(nil, r.Method, r.Path)
	host := r.Host
	if host == nil {
		host = []byte("none.example")
		r.Host = host
	}
	dst = AppendField(dst, []byte("Host"), host)
	for i, f := range r.Fields {
		if f.Kind != KindHost && !r.HopByHop(i) {
			dst = AppendField(dst, f.Name, f.Value)
		}
	}
	return endHead(dst, r.Framing)
}

func endHead(dst []byte, framing Framing) []byte {
	if framing == Chunked {
		dst = append(dst, "Transfer-Encoding: chunked\r\n"...)
	}
	return append(dst, "\r\n"...)
}

// sentOn describes the fields that are sent on, without Host.
func sentOn(fields []Field, hopByHop func(int) bool) string {
	var s strings.Builder
	for i, f := range fields {
		if f.Kind != KindHost && !hopByHop(i) {
			s.WriteString(string(f.Name) + "=" + string(f.Value) + "\n")
		}
	}
	return s.String()
}

func checkResponseRoundTrip(t *testing.T, r *Response) {
	t.Helper()
	dst := AppendStatusLine(nil, r.Status, r.Reason)
	for i, f := range r.Fields {
		if !r.HopByHop(i) {
			dst = AppendField(dst, f.Name, f.Value)
		}
	}
	dst = endHead(dst, r.Framing)
	var again Response
	n, err := again.Parse(dst, Limits{}, r.Framing == NoBody)
	if n != len(dst) || err != nil {
		t.Fatalf("%q: got %d, %v", dst, n, err)
	}
	if r.Status != again.Status || !bytes.Equal(r.Reason, again.Reason) || r.Framing != again.Framing || r.Length != again.Length ||
		sentOn(again.Fields, again.HopByHop) != sentOn(r.Fields, r.HopByHop) {
		t.Errorf("got %s\nwant %s", describeResponse(&again), describeResponse(r))
	}
}
