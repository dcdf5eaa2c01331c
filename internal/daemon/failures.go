package daemon

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"gracevisor/internal/control"
)

// toldOperations are the operations as the doors have them: what could not be
// begun is in the log, with who has asked for it, as what was begun is.
type toldOperations struct {
	*operations
	log *slog.Logger
	// quiet keeps those who ask for nonsense from filling the log.
	quiet control.Quieter
}

// failuresAtOnce are logged of those that come shortly after each other, as when
// an operator tries again.
const failuresAtOnce = 50

func tellFailures(o *operations, log *slog.Logger) *toldOperations {
	return &toldOperations{operations: o, log: log, quiet: control.Quieter{Burst: failuresAtOnce - 1}}
}

// Start implements control.Operations.
func (o *toldOperations) Start(ctx context.Context, r control.Request) (*control.Operation, error) {
	operation, err := o.operations.Start(ctx, r)
	if err != nil {
		o.tell(err, "verb", string(r.Verb), "apps", short(strings.Join(r.Apps, " ")), "caller", r.Caller)
	}
	return operation, err
}

// CancelJob implements control.Operations.
func (o *toldOperations) CancelJob(ctx context.Context, id uint32, caller string) error {
	err := o.operations.CancelJob(ctx, id, caller)
	if err != nil {
		o.tell(err, "verb", "cancel", "job", id, "caller", caller)
	}
	return err
}

func (o *toldOperations) tell(err error, attrs ...any) {
	skipped, now := o.quiet.Pass(time.Now())
	if !now {
		return
	}
	attrs = append(attrs, "error", short(err.Error()))
	if faults := faultsOf(err); len(faults) > 0 {
		attrs = append(attrs, "faults", faults)
	}
	o.log.Warn("operation refused", append(attrs, "unlogged", skipped)...)
}

// maxTold bounds what is logged of a text that a client can make long, in bytes.
const maxTold = 1000

func short(s string) string {
	if len(s) > maxTold {
		return strings.ToValidUTF8(s[:maxTold], "") + "…"
	}
	return s
}
