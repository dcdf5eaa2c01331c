package proxy

import (
	"sync/atomic"
	"time"
)

// dateFormat is IMF-fixdate (RFC 9110 §5.6.7), of a time in UTC.
const dateFormat = "Mon, 02 Jan 2006 15:04:05 GMT"

// A cachedDate is a Date field line that is written once a second.
type cachedDate struct {
	line atomic.Pointer[dateLine]
}

type dateLine struct {
	second int64
	text   string
}

// field is the line for now.
func (d *cachedDate) field(now time.Time) string {
	second := now.Unix()
	if l := d.line.Load(); l != nil && l.second == second {
		return l.text
	}
	l := &dateLine{second, "Date: " + now.UTC().Format(dateFormat) + "\r\n"}
	d.line.Store(l)
	return l.text
}

// clockDate is the Date field of the current second.
var clockDate cachedDate

// appendDate writes a Date field.
func appendDate(out []byte) []byte { return append(out, clockDate.field(time.Now())...) }
