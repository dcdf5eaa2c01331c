package http1

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// A headCase is raw bytes and what becomes of them. Its name begins with the
// section of the RFC that it is about.
type headCase struct {
	name string
	raw  string
	// err is what it is refused with, or nil if it is accepted; field is the
	// field that the error names.
	err   *Error
	field string
	// want holds words that must all be in the description of the message,
	// in which a space of the message is "·" and a tab "→".
	want string
}

// get is a request with these fields, beside a Host.
func get(fields ...string) string {
	return "GET / HTTP/1.1\r\nHost: a\r\n" + lines(fields)
}

// ok is an answer of HTTP/1.1 with these fields.
func ok(fields ...string) string {
	return "HTTP/1.1 200 OK\r\n" + lines(fields)
}

func lines(fields []string) string {
	s := ""
	for _, f := range fields {
		s += f + "\r\n"
	}
	return s + "\r\n"
}

// parser is what the tests do alike with requests and answers.
type parser struct {
	parse    func([]byte) (int, error)
	describe func() string
}

func requestParser(lim Limits) func() parser {
	return func() parser {
		var r Request
		return parser{
			parse:    func(b []byte) (int, error) { return r.Parse(b, lim) },
			describe: func() string { return describeRequest(&r) },
		}
	}
}

func responseParser(lim Limits, head bool) func() parser {
	return func() parser {
		var r Response
		return parser{
			parse:    func(b []byte) (int, error) { return r.Parse(b, lim, head) },
			describe: func() string { return describeResponse(&r) },
		}
	}
}

func describeRequest(r *Request) string {
	s := fmt.Sprintf("Method=%s Target=%s Minor=%d Host=%s Path=%s Framing=%d Length=%d KeepAlive=%t "+
		"ExpectContinue=%t Upgrade=%s Trailers=%t MaxForwards=%d", r.Method, r.Target, r.Minor, r.Host, r.Path,
		r.Framing, r.Length, r.KeepAlive, r.ExpectContinue, r.Upgrade, r.Trailers, r.MaxForwards)
	return s + describeFields(r.Fields, r.HopByHop)
}

func describeResponse(r *Response) string {
	s := fmt.Sprintf("Minor=%d Status=%d Reason=%s Framing=%d Length=%d KeepAlive=%t KeepAliveTimeout=%d Upgrade=%s",
		r.Minor, r.Status, visible.Replace(string(r.Reason)), r.Framing, r.Length, r.KeepAlive, r.KeepAliveTimeout, r.Upgrade)
	return s + describeFields(r.Fields, r.HopByHop)
}

// describeFields gives each field as name=value, with a "-" before those that
// are not sent on and a "+" before the others.
func describeFields(fields []Field, hopByHop func(int) bool) string {
	s := ""
	for i, f := range fields {
		sign := "+"
		if hopByHop(i) {
			sign = "-"
		}
		s += fmt.Sprintf(" %s%s=%s", sign, f.Name, visible.Replace(string(f.Value)))
	}
	return s + " "
}

var visible = strings.NewReplacer(" ", "·", "\t", "→")

// run parses each case at once, with more bytes after it, cut at every byte,
// and in a buffer that moves, and wants the same outcome each time.
func run(t *testing.T, fresh func() parser, cases []headCase) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			p := fresh()
			n, err := p.parse([]byte(c.raw))
			c.check(t, p, n, err)
			p = fresh()
			n, err = p.parse([]byte(c.raw + "GET"))
			c.check(t, p, n, err)
			p = fresh()
			n, err = inPieces(p, c.raw, false)
			c.check(t, p, n, err)
			p = fresh()
			n, err = inPieces(p, c.raw, true)
			c.check(t, p, n, err)
		})
	}
}

// inPieces parses raw as it grows by one byte at a time, in one buffer or in a
// new one each time, the old one of which is made unreadable.
func inPieces(p parser, raw string, moving bool) (n int, err error) {
	buf := make([]byte, 0, len(raw))
	for i := range len(raw) {
		if moving {
			old := buf
			buf = append(make([]byte, 0, len(raw)), buf...)
			clear(old)
		}
		buf = append(buf, raw[i])
		if n, err = p.parse(buf); n != 0 || err != nil {
			break
		}
	}
	return n, err
}

func (c *headCase) check(t *testing.T, p parser, n int, err error) {
	t.Helper()
	if c.err != nil {
		c.checkError(t, n, err)
		return
	}
	if err != nil || n != len(c.raw) {
		t.Fatalf("got %d bytes and error %v, want all %d", n, err, len(c.raw))
	}
	got := " " + p.describe()
	for _, w := range strings.Fields(c.want) {
		if !strings.Contains(got, " "+w+" ") {
			t.Errorf("got%s\nwant %s", got, w)
		}
	}
}

func (c *headCase) checkError(t *testing.T, n int, err error) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) || n != 0 {
		t.Fatalf("got %d bytes and error %v, want 0 and %v", n, err, c.err)
	}
	want := *c.err
	if c.field != "" {
		want.Field = c.field
	}
	if strings.HasPrefix(c.raw, "HTTP") {
		want.Status = 502
	}
	if *e != want {
		t.Fatalf("got %d %v, want %d %v", e.Status, e, want.Status, &want)
	}
}
