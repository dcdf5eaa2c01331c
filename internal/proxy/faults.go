package proxy

import (
	"log/slog"
	"sync"

	"gracevisor/internal/proxy/http1"
)

// faults keeps a broken app from filling the log: a line a second, and the number
// of those left out.
type faults struct {
	mu      sync.Mutex
	next    int64 // monotime before which nothing is written
	skipped int
}

const faultPause = int64(1e9)

// report logs a message that broke the protocol. It holds no byte of it.
func (f *faults) report(log *slog.Logger, app string, e *http1.Error) {
	f.mu.Lock()
	now := monotime()
	if now < f.next {
		f.skipped++
		f.mu.Unlock()
		return
	}
	skipped := f.skipped
	f.next, f.skipped = now+faultPause, 0
	f.mu.Unlock()
	log.Warn("app broke HTTP", "app", app, "field", e.Field, "reason", e.Reason, "rule", e.Section, "skipped", skipped)
}
