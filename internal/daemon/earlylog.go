package daemon

import (
	"context"
	"log/slog"
)

// earlyLog holds what is logged before it is known where the log goes.
type earlyLog struct{ records []slog.Record }

// Enabled implements slog.Handler.
func (*earlyLog) Enabled(context.Context, slog.Level) bool { return true }

// Handle implements slog.Handler.
func (e *earlyLog) Handle(_ context.Context, r slog.Record) error {
	e.records = append(e.records, r.Clone())
	return nil
}

// WithAttrs implements slog.Handler; nothing early has attributes.
func (e *earlyLog) WithAttrs([]slog.Attr) slog.Handler { return e }

// WithGroup implements slog.Handler; nothing early has groups.
func (e *earlyLog) WithGroup(string) slog.Handler { return e }

// replay logs what was held.
func (e *earlyLog) replay(to *slog.Logger) {
	for _, r := range e.records {
		_ = to.Handler().Handle(context.Background(), r)
	}
	e.records = nil
}
