package load

import (
	"fmt"
	"sync"
	"time"
)

// maxErrors is how many texts of failures a record keeps of each kind.
const maxErrors = 5

// record counts what happens to the clients of one kind. Its methods may be
// called from any goroutine.
type record struct {
	begin time.Time

	mu     sync.Mutex
	report KindReport
}

func newRecord(begin time.Time) *record {
	return &record{begin: begin, report: KindReport{PIDs: make(map[string]int)}}
}

// ended counts a request: it was answered by pid, or failed with err.
func (r *record) ended(id, pid string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.report.Requests++
	if err != nil {
		r.fail(id, err)
		return
	}
	r.report.PIDs[pid]++
}

// failed counts a failure that is not a request's.
func (r *record) failed(id string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fail(id, err)
}

func (r *record) fail(id string, err error) {
	r.report.Failures++
	if len(r.report.Errors) < maxErrors {
		at := time.Since(r.begin).Round(time.Millisecond)
		r.report.Errors = append(r.report.Errors, fmt.Sprintf("%s after %v: %v", id, at, err))
	}
}

func (r *record) dialed() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.report.Connections++
}

func (r *record) idleClosed() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.report.IdleClosed++
}

func (r *record) paused(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.report.LongestPause = max(r.report.LongestPause, d)
}

// copied returns the counts so far, which nothing changes any more.
func (r *record) copied() KindReport {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.report
	c.Errors = append([]string(nil), c.Errors...)
	c.PIDs = make(map[string]int, len(r.report.PIDs))
	for pid, n := range r.report.PIDs {
		c.PIDs[pid] = n
	}
	return c
}
