package logs

import (
	"fmt"
	"time"
	"unicode/utf8"
)

// longestLine is how much of a line is remembered, in bytes.
const longestLine = 4 << 10

// bounds limit what a ring holds.
type bounds struct{ lines, bytes int }

var (
	// appBounds are those of an app's ring.
	appBounds = bounds{lines: 200, bytes: 64 << 10}
	// followedBounds are those of an app's ring while a follower has not read
	// the oldest lines.
	followedBounds = bounds{lines: 8192, bytes: 1 << 20}
	// instanceBounds are those of the ring of an instance, which keeps its last
	// words when others of the app talk more.
	instanceBounds = bounds{lines: 50, bytes: 16 << 10}
)

// An entry is a line that is remembered.
type entry struct {
	text string
	at   int64 // nanoseconds since 1970
	from *source
	// end is the position after the line in its file.
	end position
}

func (e entry) line() Line {
	return Line{Time: time.Unix(0, e.at), Instance: e.from.Instance, Stream: e.from.Stream, Text: e.text}
}

// A ring holds the last lines of something in the order in which they came.
// They are numbered without gaps: the line entries[i] has the number first+i.
type ring struct {
	entries []entry
	first   uint64
	bytes   int
}

// next is the number of the line that comes next.
func (r *ring) next() uint64 { return r.first + uint64(len(r.entries)) }

func (r *ring) add(e entry) {
	r.entries = append(r.entries, e)
	r.bytes += len(e.text)
}

// pop removes the oldest line. What append allocates anew later is as long as
// what is left, so the ring shrinks again.
func (r *ring) pop() entry {
	e := r.entries[0]
	r.entries[0] = entry{}
	r.entries = r.entries[1:]
	r.first++
	r.bytes -= len(e.text)
	return e
}

func (r *ring) exceeds(b bounds) bool {
	return len(r.entries) > b.lines || r.bytes > b.bytes
}

// last returns the last n lines, or fewer.
func (r *ring) last(n int) []entry {
	return r.entries[max(0, len(r.entries)-n):]
}

// An unfinished line is the beginning of a line whose end has not come yet.
type unfinished struct {
	text   []byte // at most longestLine
	length int
}

// add appends a part of the line.
func (u *unfinished) add(p []byte) {
	u.length += len(p)
	u.text = append(u.text, p[:min(len(p), longestLine-len(u.text))]...)
}

// finish returns the line with its last part, and makes u empty.
func (u *unfinished) finish(p []byte) string {
	if u.length == 0 {
		return cut(p, len(p))
	}
	u.add(p)
	text := u.String()
	*u = unfinished{}
	return text
}

func (u *unfinished) String() string { return cut(u.text, u.length) }

// cut returns a line that is length bytes long and begins with p, and a mark in
// place of what is too much.
func cut(p []byte, length int) string {
	if length <= longestLine {
		return string(p)
	}
	p = wholeRunes(p[:longestLine])
	return fmt.Sprintf("%s… (%d more bytes)", p, length-len(p))
}

// wholeRunes returns p without a character at its end that is not complete.
func wholeRunes(p []byte) []byte {
	for i := len(p) - 1; i >= 0 && i > len(p)-utf8.UTFMax; i-- {
		if utf8.RuneStart(p[i]) {
			if !utf8.FullRune(p[i:]) {
				p = p[:i]
			}
			break
		}
	}
	return p
}
