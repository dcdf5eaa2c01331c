package http1

import "bytes"

const keepTrailerBytes = 4 << 10

// trailers reads the trailer section of a chunked body (RFC 9112 §7.1.2) into
// memory of its own: the section is rare, and short, and its beginning may
// have left the caller's buffer when its end comes.
type trailers struct {
	maxBytes, maxFields int
	text                []byte
	line                int // where in text the first incomplete line begins
	count               int // fields that came, with those that were dropped
	fields              []Field
}

// reset makes t ready for another section. Memory that one long section took is
// not kept for the many that have none.
func (t *trailers) reset(lim Limits) {
	if cap(t.text) > keepTrailerBytes {
		t.text, t.fields = nil, nil
	}
	t.maxBytes, t.maxFields = lim.MaxBytes, lim.MaxFields
	t.text, t.line, t.count, t.fields = t.text[:0], 0, 0, t.fields[:0]
}

// read takes bytes from buf up to the end of a line and returns their number,
// and whether that line was the empty one that ends the section. Fields of
// earlier lines stay valid when text grows to another place: nothing writes to
// the one before.
func (t *trailers) read(buf []byte) (n int, end bool, err *Error) {
	n = bytes.IndexByte(buf, '\n') + 1
	whole := n > 0
	if !whole {
		n = len(buf)
	}
	if t.maxBytes > 0 && len(t.text)+n > t.maxBytes {
		return 0, false, errTrailerLong
	}
	t.text = append(t.text, buf[:n]...)
	if !whole {
		return n, false, nil
	}
	line, err := cutLine(t.text[t.line : len(t.text)-1])
	t.line = len(t.text)
	if err != nil || len(line) == 0 {
		return n, err == nil, err
	}
	return n, false, t.add(line)
}

func (t *trailers) add(line []byte) *Error {
	t.count++
	if t.maxFields > 0 && t.count > t.maxFields {
		return errTrailersMany
	}
	var f Field
	if err := f.parse(line, false); err != nil {
		return err
	}
	if mayTrail(&f) {
		t.fields = append(t.fields, f)
	}
	return nil
}

// mayTrail reports whether a field may stand in a trailer section. What frames
// or routes a message, modifies or authenticates a request, or says how the
// content is to be read must have been known before the content: a recipient
// that merged it into the header would see another message than we did (RFC
// 9110 §6.5.1). Such fields are dropped, which a recipient may do with any
// trailer, rather than refused, as the content has been passed on already. All
// the fields that this package knows are of that sort, or are ours to write.
func mayTrail(f *Field) bool {
	if f.Kind != KindOther {
		return false
	}
	for _, name := range notInTrailers {
		if equalFold(f.Name, name) {
			return false
		}
	}
	return true
}

var notInTrailers = [...]string{
	"age",
	"authorization",
	"cache-control",
	"content-encoding",
	"content-range",
	"content-type",
	"cookie",
	"expires",
	"if-match",
	"if-modified-since",
	"if-none-match",
	"if-range",
	"if-unmodified-since",
	"location",
	"pragma",
	"range",
	"retry-after",
	"set-cookie",
	"vary",
	"www-authenticate",
}
