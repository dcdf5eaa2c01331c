package http1

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// A chunkCase is a chunked body and what is found in it.
type chunkCase struct {
	name     string
	raw      string
	err      *Error
	field    string
	data     string
	trailers string // as name=value, each with a space after it
	more     bool   // the end has not come
}

func TestChunked(t *testing.T) {
	long := strings.Repeat("x", 300)
	runChunked(t, Limits{}, []chunkCase{
		{name: "RFC 9112 §7.1: two chunks", raw: "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", data: "abcde"},
		{name: "RFC 9112 §7.1: no data", raw: "0\r\n\r\n"},
		{name: "RFC 9112 §7.1: hexadecimal in both cases", raw: "a\r\n0123456789\r\nB\r\n01234567890\r\n0\r\n\r\n", data: "012345678901234567890"},
		{name: "RFC 9112 §7.1: large chunk", raw: "12C\r\n" + long + "\r\n0\r\n\r\n", data: long},
		{name: "RFC 9112 §7.1: several zeros at the end", raw: "1\r\na\r\n000\r\n\r\n", data: "a"},
		{name: "RFC 9112 §7.1: line ends within data", raw: "8\r\n\r\n0\r\n\r\n\n\r\n0\r\n\r\n", data: "\r\n0\r\n\r\n\n"},
		{name: "RFC 9112 §7.1: 16 digits", raw: "0000000000000001\r\na\r\n0\r\n\r\n", data: "a"},
		{name: "RFC 9112 §7.1: 17 digits", raw: "00000000000000001\r\na\r\n0\r\n\r\n", err: errChunkLarge},
		{name: "RFC 9112 §7.1: largest size", raw: "7fffffffffffffff\r\n", more: true},
		{name: "RFC 9112 §7.1: overflow by one", raw: "8000000000000000\r\n", err: errChunkLarge},
		{name: "RFC 9112 §7.1: overflow by a digit", raw: "10000000000000005\r\n", err: errChunkLarge},
		{name: "RFC 9112 §7.1: no size", raw: "\r\n", err: errChunkSize},
		{name: "RFC 9112 §7.1: prefix 0x", raw: "0x3\r\nabc\r\n", err: errChunkSize},
		{name: "RFC 9112 §7.1: plus", raw: "+3\r\nabc\r\n", err: errChunkSize},
		{name: "RFC 9112 §7.1: minus", raw: "-3\r\nabc\r\n", err: errChunkSize},
		{name: "RFC 9112 §7.1: no hexadecimal digit", raw: "g\r\n", err: errChunkSize},
		{name: "RFC 9112 §7.1: underscore", raw: "1_0\r\n", err: errChunkSize},
		{name: "RFC 9112 §7.1: space before the size", raw: " 3\r\nabc\r\n", err: errChunkSize},
		{name: "RFC 9112 §7.1: space after the size", raw: "3 \r\nabc\r\n", err: errChunkExt},
		{name: "RFC 9112 §7.1: NUL after the size", raw: "3\x00\r\nabc\r\n", err: errChunkSize},
		{name: "RFC 9112 §2.2: bare LF after the size", raw: "3\nabc\r\n", err: errChunkLine},
		{name: "RFC 9112 §2.2: bare CR after the size", raw: "3\rabc\r\n", err: errChunkLine},
		{name: "RFC 9112 §2.2: two CRs after the size", raw: "3\r\r\nabc\r\n", err: errChunkLine},
		{name: "RFC 9112 §7.1: more data than the size", raw: "3\r\nabcd\r\n", data: "abc", err: errChunkEnd},
		{name: "RFC 9112 §7.1: less data than the size", raw: "4\r\nabc\r\n0\r\n\r\n", data: "abc\r", err: errChunkEnd},
		{name: "RFC 9112 §2.2: bare LF after the data", raw: "3\r\nabc\n", data: "abc", err: errChunkEnd},
		{name: "RFC 9112 §2.2: bare CR after the data", raw: "3\r\nabc\r0\r\n", data: "abc", err: errChunkEnd},
		{name: "RFC 9112 §7.1: no last chunk", raw: "3\r\nabc\r\n", data: "abc", more: true},
		{name: "RFC 9112 §7.1: last chunk without the empty line", raw: "0\r\n", more: true},
	})
}

func TestChunkExtensions(t *testing.T) {
	chunk := func(s string) string { return "1" + s + "\r\na\r\n0\r\n\r\n" }
	good := func(s string) chunkCase {
		return chunkCase{name: "RFC 9112 §7.1.1: good: " + s, raw: chunk(s), data: "a"}
	}
	bad := func(s string) chunkCase {
		return chunkCase{name: "RFC 9112 §7.1.1: bad: " + s, raw: chunk(s), err: errChunkExt}
	}
	runChunked(t, Limits{}, []chunkCase{
		good(";x"), good(";x=y"), good(";x=y;z"), good(" ; x = y"), good("\t;\tx\t=\ty ;z"),
		good(`;x="y"`), good(`;x="";y`), good(`;x="a;b=c,d e	f"`), good(`;x="\"\\\a"`), good(`;x="y" ;z`), good(";x=\"\x80\xff\""),
		bad(";"), bad(";;"), bad("; "), bad(";=y"), bad(";x="), bad(";x=;y"), bad(";x==y"), bad(";x y"), bad(";x "), bad(";x=y "),
		bad(`;x="y`), bad(`;x="y"z`), bad(`;"x"`), bad(`;x=y"z"`), bad(`;x="\`), bad(";x=(y)"), bad(";x\x00"), bad(";x=\"\x00\""), bad(";x=\"\\\x7f\""),
		bad(";x=\xc3"), bad(" x"), bad("\t"),
		{name: "RFC 9112 §7.1.1: LF in a name", raw: "1;x\na\r\n0\r\n\r\n", err: errChunkExt},
		{name: "RFC 9112 §7.1.1: LF in a quoted string", raw: "1;x=\"\na\r\n0\r\n\r\n", err: errChunkExt},
		{name: "RFC 9112 §7.1.1: CRLF in a quoted string", raw: "1;x=\"\r\na\r\n0\r\n\r\n", err: errChunkExt},
		{name: "RFC 9112 §7.1.1: CR in a name", raw: "1;x\ry\r\na\r\n0\r\n\r\n", err: errChunkLine},
		{name: "RFC 9112 §7.1.1: in the last chunk", raw: "0;x=y\r\n\r\n"},
		{name: "RFC 9112 §7.1.1: longest", raw: chunk(";" + strings.Repeat("x", maxExtension-2)), data: "a"},
		{name: "RFC 9112 §7.1.1: too long", raw: chunk(";" + strings.Repeat("x", maxExtension)), err: errChunkExtLong},
		{name: "RFC 9112 §7.1.1: long in each chunk", raw: strings.Repeat("1;"+strings.Repeat("x", 1000)+"\r\na\r\n", 3) + "0\r\n\r\n", data: "aaa"},
	})
}

func TestTrailers(t *testing.T) {
	end := func(fields ...string) string { return "1\r\na\r\n0\r\n" + lines(fields) }
	runChunked(t, Limits{MaxBytes: 60, MaxFields: 3}, []chunkCase{
		{name: "RFC 9112 §7.1.2: two", raw: end("A: b", "grpc-status:0"), data: "a", trailers: "A=b grpc-status=0 "},
		{name: "RFC 9112 §7.1.2: LF alone", raw: "0\r\nA: b\n\r\n", err: errBareLF},
		{name: "RFC 9112 §7.1.2: LF alone at the end", raw: "0\r\nA: b\r\n\n", err: errBareLF},
		{name: "RFC 9112 §7.1.2: LF instead of trailers", raw: "0\r\n\n", err: errBareLF},
		{name: "RFC 9112 §7.1.2: bare CR", raw: "0\r\nA: b\rc\r\n\r\n", err: errBareCR, field: "A"},
		{name: "RFC 9112 §5.2: folded", raw: "0\r\nA: b\r\n c\r\n\r\n", err: errFold},
		{name: "RFC 9112 §5.1: space before the colon", raw: "0\r\nA : b\r\n\r\n", err: errSpaceInName, field: "A"},
		{name: "RFC 9110 §5.1: no colon", raw: "0\r\nA\r\n\r\n", err: errName},
		{name: "RFC 9110 §5.5: NUL", raw: "0\r\nA: \x00\r\n\r\n", err: errValue, field: "A"},
		{name: "RFC 9110 §6.5.1: framing is dropped", raw: "0\r\nContent-Length: 5\r\nA: b\r\nTransfer-Encoding: x\r\n\r\n", trailers: "A=b "},
		{name: "RFC 9110 §6.5.1: routing is dropped", raw: "0\r\nHost: b\r\nX-Forwarded-For: c\r\nA: b\r\n\r\n", trailers: "A=b "},
		{name: "RFC 9110 §6.5.1: authentication is dropped", raw: "0\r\nAuthorization: b\r\nset-COOKIE: c\r\nA: b\r\n\r\n", trailers: "A=b "},
		{name: "RFC 9110 §6.5.1: content format is dropped", raw: "0\r\nContent-Type: b\r\nTrailer: c\r\nETag: d\r\n\r\n", trailers: "ETag=d "},
		{name: "RFC 9110 §7.6.1: hop by hop is dropped", raw: "0\r\nConnection: b\r\nTE: c\r\nContent_Length: 5\r\n\r\n"},
		{name: "RFC 6585 §5: as many bytes as may be", raw: "0\r\nA: " + strings.Repeat("b", 53) + "\r\n\r\n", trailers: "A=" + strings.Repeat("b", 53) + " "},
		{name: "RFC 6585 §5: one byte too many", raw: "0\r\nA: " + strings.Repeat("b", 54) + "\r\n\r\n", err: errTrailerLong},
		{name: "RFC 6585 §5: far too many without a line end", raw: "0\r\nA: " + strings.Repeat("b", 100), err: errTrailerLong},
		{name: "RFC 6585 §5: as many fields as may be", raw: "0\r\nA:\r\nB:\r\nC:\r\n\r\n", trailers: "A= B= C= "},
		{name: "RFC 6585 §5: one field too many", raw: "0\r\nA:\r\nB:\r\nC:\r\nD:\r\n\r\n", err: errTrailersMany},
		{name: "RFC 6585 §5: dropped ones count", raw: "0\r\nHost:\r\nHost:\r\nHost:\r\nHost:\r\n\r\n", err: errTrailersMany},
	})
}

// runChunked reads each case at once, and cut into pieces of every length up to
// 64, by one reader that is used again, and wants the same each time. The bytes after
// the end are never touched.
func runChunked(t *testing.T, lim Limits, cases []chunkCase) {
	t.Helper()
	var c ChunkReader
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			raw := tc.raw + "GET"
			if tc.more {
				raw = tc.raw
			}
			for piece := 1; piece <= 64; piece++ {
				c.Reset(lim)
				tc.check(t, &c, readChunked(&c, raw, len(tc.raw), piece))
			}
			c.Reset(lim)
			tc.check(t, &c, readChunked(&c, raw, len(tc.raw), len(tc.raw)))
		})
	}
}

// chunkResult is what a reader found.
type chunkResult struct {
	data string
	used int
	done bool
	err  error
}

// readChunked gives raw to c in pieces, the last with all that is beyond end.
func readChunked(c *ChunkReader, raw string, end, piece int) (r chunkResult) {
	for from := 0; from < end && !r.done; from += piece {
		to := from + piece
		if to >= end {
			to = len(raw)
		}
		buf := []byte(raw[from:to])
		for len(buf) > 0 && !r.done {
			skip, data, done, err := c.Next(buf)
			if err != nil {
				r.err = err
				return r
			}
			r.data += string(buf[skip : skip+data])
			r.used += skip + data
			r.done = done
			clear(buf[:skip+data]) // nothing may depend on what was consumed
			buf = buf[skip+data:]
		}
		if to == len(raw) {
			break
		}
	}
	return r
}

func (tc *chunkCase) check(t *testing.T, c *ChunkReader, got chunkResult) {
	t.Helper()
	if tc.err != nil {
		want := *tc.err
		if tc.field != "" {
			want.Field = tc.field
		}
		var e *Error
		if !errors.As(got.err, &e) || *e != want || !strings.HasPrefix(got.data, tc.data) {
			t.Fatalf("got %q, %v, want %q, %v", got.data, got.err, tc.data, &want)
		}
		return
	}
	if tc.more {
		if got.err != nil || got.done || got.data != tc.data || got.used != len(tc.raw) {
			t.Fatalf("got %+v, want more to come", got)
		}
		return
	}
	if got.err != nil || !got.done || got.data != tc.data || got.used != len(tc.raw) {
		t.Fatalf("got %+v, want %q of %d bytes", got, tc.data, len(tc.raw))
	}
	trailers := ""
	for _, f := range c.Trailers() {
		trailers += fmt.Sprintf("%s=%s ", f.Name, f.Value)
	}
	if trailers != tc.trailers {
		t.Fatalf("got trailers %q, want %q", trailers, tc.trailers)
	}
}

func TestChunkRemaining(t *testing.T) {
	var c ChunkReader
	steps := []struct {
		buf        string
		skip, data int
		left       int64
	}{
		{"1", 1, 0, 0}, {"0\r", 2, 0, 0}, {"\n", 1, 0, 16}, {"abcd", 0, 4, 12}, {"", 0, 0, 12},
		{"0123456789ab\r\n3\r\nabc", 0, 12, 0}, {"\r\n3\r\nab", 5, 2, 1}, {"c\r\n0\r\n\r\nGET", 0, 1, 0}, {"\r\n0\r\n\r\nGET", 7, 0, 0},
	}
	for i, s := range steps {
		skip, data, done, err := c.Next([]byte(s.buf))
		if skip != s.skip || data != s.data || err != nil || done != (i == len(steps)-1) || c.Remaining() != s.left {
			t.Fatalf("step %d: got %d, %d, %t, %v, remaining %d", i, skip, data, done, err, c.Remaining())
		}
	}
	if skip, data, done, err := c.Next([]byte("GET")); skip != 0 || data != 0 || !done || err != nil {
		t.Errorf("after the end: got %d, %d, %t, %v", skip, data, done, err)
	}
}

// TestTrailersOutgrowTheirMemory: fields stay what they are while the memory
// that they are in is replaced by a larger one.
func TestTrailersOutgrowTheirMemory(t *testing.T) {
	var c ChunkReader
	raw, want := "0\r\n", ""
	for i := range 500 {
		raw += fmt.Sprintf("N%d: v%d\r\n", i, i)
		want += fmt.Sprintf("N%d=v%d ", i, i)
	}
	tc := chunkCase{raw: raw + "\r\n", trailers: want}
	for range 2 {
		c.Reset(Limits{})
		tc.check(t, &c, readChunked(&c, tc.raw, len(tc.raw), 7))
	}
}
