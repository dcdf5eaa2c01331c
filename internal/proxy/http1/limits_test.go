package http1

import (
	"strings"
	"testing"
)

// TestLimits has each limit met to the byte, and missed by one.
func TestLimits(t *testing.T) {
	long := "GET /" + strings.Repeat("x", 99) + " HTTP/1.1\r\nHost: a\r\n\r\n"
	limit := func(bytes, fields, target int) func() parser {
		return requestParser(Limits{MaxBytes: bytes, MaxFields: fields, MaxTarget: target})
	}
	run(t, limit(len(get()), 0, 0), []headCase{
		{name: "RFC 6585 §5: as many bytes as may be", raw: get()},
		{name: "RFC 6585 §5: an empty line counts", raw: "\r\n" + get(), err: errHeadLong},
		{name: "RFC 6585 §5: one byte too many", raw: "GET / HTTP/1.1\r\nHost: ab\r\n\r\n", err: errHeadLong},
		{name: "RFC 6585 §5: far too many without a line end", raw: "GET / HTTP/1.1\r\nHost: " + strings.Repeat("a", 100), err: errHeadLong},
		{name: "RFC 9112 §3: a request line of that length", raw: long, err: errTargetLong},
		{name: "RFC 9112 §3: a bad byte before the limit", raw: "GET / HTTP/1.1\r\n\x00: a\r\n\r\n", err: errName},
		{name: "RFC 6585 §5: a bad byte after the limit", raw: "GET / HTTP/1.1\r\nHost: abcdefghij\x00\r\n\r\n", err: errHeadLong},
	})
	run(t, limit(0, 2, 0), []headCase{
		{name: "RFC 6585 §5: as many fields as may be", raw: get("X: y")},
		{name: "RFC 6585 §5: one field too many", raw: get("X: y", "X: y"), err: errFieldsMany},
	})
	run(t, limit(0, 0, 100), []headCase{
		{name: "RFC 9112 §3: as long a target as may be", raw: long},
		{name: "RFC 9112 §3: one byte too long", raw: strings.Replace(long, "x", "xx", 1), err: errTargetLong},
		{name: "RFC 9112 §3: before the line has come", raw: "GET /" + strings.Repeat("x", 100), err: errTargetLong},
		{name: "RFC 9112 §3: too long and no version", raw: "GET /" + strings.Repeat("x", 100) + "\r\n", err: errTargetLong},
		{name: "RFC 9112 §3: just fits and no version", raw: "GET /" + strings.Repeat("x", 99) + "\r\n", err: errRequestLine},
	})
	run(t, limit(0, 0, 0), []headCase{
		{name: "no limit", raw: "GET /" + strings.Repeat("x", 3000) + " HTTP/1.1\r\nHost: a\r\n" + strings.Repeat("X: y\r\n", 500) + "\r\n"},
	})
	answer := ok("Content-Length: 0")
	run(t, responseParser(Limits{MaxBytes: len(answer), MaxFields: 2}, false), []headCase{
		{name: "answer of as many bytes as may be", raw: answer},
		{name: "answer with one byte too many", raw: ok("Content-Length: 00"), err: errHeadLong},
		{name: "answer with a long status line", raw: "HTTP/1.1 200 " + strings.Repeat("x", 100), err: errHeadLong},
		{name: "answer with one field too many", raw: ok("A:", "B:", "C:"), err: errFieldsMany},
	})
}

// TestFullBufferNeverWaits: a caller whose buffer is as large as MaxBytes gets
// an error, rather than being asked for bytes that it has no room for.
func TestFullBufferNeverWaits(t *testing.T) {
	head := []byte(get(strings.Repeat("x", 50) + ": y"))
	for size := 1; size < len(head); size++ {
		var r Request
		if n, err := r.Parse(head[:size], Limits{MaxBytes: size}); err == nil {
			t.Errorf("full with %d bytes: got %d and no error", size, n)
		}
		var a Response
		answer := []byte(ok("Content-Length: 0", strings.Repeat("x", 50)+": y"))[:size]
		if n, err := a.Parse(answer, Limits{MaxBytes: size}, false); err == nil {
			t.Errorf("full with %d bytes of an answer: got %d and no error", size, n)
		}
	}
}

// TestNothingIsReadTwice changes what a parser has already seen, and wants it
// not to notice: a slow client must not cost more than a fast one.
func TestNothingIsReadTwice(t *testing.T) {
	t.Run("lines before", func(t *testing.T) {
		buf := []byte(get("X: y"))
		var r Request
		if n, err := r.Parse(buf[:len(buf)-3], Limits{}); n != 0 || err != nil {
			t.Fatal(n, err)
		}
		buf[0], buf[len("GET / HTTP/1.1\r\n")] = 0, 0
		if n, err := r.Parse(buf, Limits{}); n != len(buf) || err != nil {
			t.Errorf("got %d, %v", n, err)
		}
	})
	t.Run("the line under way", func(t *testing.T) {
		for _, head := range []string{get("X: yyyyyyyyyy"), "GET /yyyyyyyyyy HTTP/1.1\r\nHost: a\r\n\r\n"} {
			buf := []byte(head)
			at := strings.Index(head, "yyyy")
			var r Request
			if n, err := r.Parse(buf[:at+8], Limits{}); n != 0 || err != nil {
				t.Fatal(n, err)
			}
			buf[at] = '\n'
			if n, err := r.Parse(buf[:at+9], Limits{}); n != 0 || err != nil {
				t.Errorf("got %d, %v, want no look at what is old", n, err)
			}
		}
	})
	t.Run("answers", func(t *testing.T) {
		buf := []byte(ok("X: y", "Z: z"))
		var r Response
		if n, err := r.Parse(buf[:len(buf)-3], Limits{}, false); n != 0 || err != nil {
			t.Fatal(n, err)
		}
		buf[0] = 0
		if n, err := r.Parse(buf, Limits{}, false); n != len(buf) || err != nil {
			t.Errorf("got %d, %v", n, err)
		}
	})
}

// TestReset: nothing of a head that was given up is in the next one, though it
// comes in the same buffer.
func TestReset(t *testing.T) {
	buf := make([]byte, 256)
	part := copy(buf, "GET /secret HTTP/1.1\r\nHost: a\r\nCookie: secret\r\nX: ")
	whole := get("A: b", "C: "+strings.Repeat("d", 100))
	var r Request
	if n, err := r.Parse(buf[:part], Limits{}); n != 0 || err != nil {
		t.Fatal(n, err)
	}
	r.Reset()
	n, err := r.Parse(buf[:copy(buf, whole)], Limits{})
	if n != len(whole) || err != nil || len(r.Fields) != 3 || string(r.Path) != "/" {
		t.Errorf("got %d, %v, %s", n, err, describeRequest(&r))
	}

	part = copy(buf, "HTTP/1.1 200 OK\r\nSet-Cookie: secret\r\nX: ")
	whole = "HTTP/1.1 404 \r\nContent-Length: 0\r\nA: " + strings.Repeat("b", 100) + "\r\n\r\n"
	var a Response
	if n, err := a.Parse(buf[:part], Limits{}, false); n != 0 || err != nil {
		t.Fatal(n, err)
	}
	a.Reset()
	n, err = a.Parse(buf[:copy(buf, whole)], Limits{}, false)
	if n != len(whole) || err != nil || len(a.Fields) != 2 || a.Status != 404 {
		t.Errorf("got %d, %v, %s", n, err, describeResponse(&a))
	}
}

// TestReuse parses, with one Request, messages that must leave nothing behind,
// good and bad ones by turns and from one buffer.
func TestReuse(t *testing.T) {
	full := "OPTIONS http://b?x HTTP/1.1\r\nHost: a\r\nConnection: close, x, upgrade, te\r\nUpgrade: y\r\nTE: trailers\r\n" +
		"Max-Forwards: 5\r\nExpect: 100-continue\r\nContent-Length: 7\r\n\r\n"
	var r, fresh Request
	buf := make([]byte, 1024)
	for _, head := range []string{get(), "GET / HTTP/1.0\r\nX: y\r\n\r\n"} {
		for _, before := range []string{full, get("Bad"), get("Content-Length: 5", "Content-Length: 5"), "GET / HTTP/9.9\r\n", full[:len(full)/2] + "\x00\r\n"} {
			n, err := r.Parse(buf[:copy(buf, before)], Limits{})
			if err != nil && (n != 0 || r.KeepAlive || r.Framing != NoBody || r.Length != 0) {
				t.Errorf("%q: got %d and %s", before, n, describeRequest(&r))
			}
			n, err = r.Parse(buf[:copy(buf, head)], Limits{})
			if n != len(head) || err != nil {
				t.Fatalf("after %q: got %d, %v", before, n, err)
			}
			fresh = Request{}
			if _, err := fresh.Parse([]byte(head), Limits{}); err != nil {
				t.Fatal(err)
			}
			if got, want := describeRequest(&r), describeRequest(&fresh); got != want {
				t.Errorf("after %q: got %s, want %s", before, got, want)
			}
		}
	}
}

func TestPipelined(t *testing.T) {
	heads := []string{get("A: 1"), "POST /x HTTP/1.1\r\nHost: b\r\nContent-Length: 0\r\n\r\n", "\r\n" + get(), "GET /y HTTP/1.0\r\n\r\n"}
	buf := []byte(strings.Join(heads, ""))
	var r Request
	for _, h := range heads {
		n, err := r.Parse(buf, usualLimits)
		if n != len(h) || err != nil {
			t.Fatalf("%q: got %d, %v", h, n, err)
		}
		buf = buf[n:]
	}
}
