package proxy

import (
	"net/http"
	"sync/atomic"
	"time"
)

// A cachedDate is a Date field line that is written once a second.
type cachedDate struct {
	line atomic.Pointer[dateLine]
}

type dateLine struct {
	second int64
	text   string
}

// field is the line for now (RFC 9110 §5.6.7).
func (d *cachedDate) field(now time.Time) string {
	second := now.Unix()
	if l := d.line.Load(); l != nil && l.second == second {
		return l.text
	}
	l := &dateLine{second, "Date: " + now.UTC().Format(http.TimeFormat) + "\r\n"}
	d.line.Store(l)
	return l.text
}
