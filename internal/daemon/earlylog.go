package daemon

import (
	"context"
	"log/slog"
	"sync"
)

// earlyLog holds what is logged before it is known where the log goes, and passes
// on what is logged later.
type earlyLog struct {
	mu      sync.Mutex
	records []slog.Record
	to      slog.Handler // nil: not known yet
}

// Enabled implements slog.Handler.
func (*earlyLog) Enabled(context.Context, slog.Level) bool { return true }

// Handle implements slog.Handler.
func (e *earlyLog) Handle(ctx context.Context, r slog.Record) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.to != nil {
		return e.to.Handle(ctx, r)
	}
	e.records = append(e.records, r.Clone())
	return nil
}

// WithAttrs implements slog.Handler; nothing early has attributes.
func (e *earlyLog) WithAttrs([]slog.Attr) slog.Handler { return e }

// WithGroup implements slog.Handler; nothing early has groups.
func (e *earlyLog) WithGroup(string) slog.Handler { return e }

// replay logs what was held, and from then on passes everything on.
func (e *earlyLog) replay(to *slog.Logger) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.to = to.Handler()
	for _, r := range e.records {
		_ = e.to.Handle(context.Background(), r)
	}
	e.records = nil
}
