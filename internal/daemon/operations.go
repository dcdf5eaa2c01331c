package daemon

import (
	"context"
	"errors"
	"runtime"
	"sync"

	"gracevisor/internal/config"
	"gracevisor/internal/control"
	"gracevisor/internal/logs"
	"gracevisor/internal/supervisor"
	"gracevisor/internal/version"
)

// operations is what the doors can do: control.Operations.
type operations struct {
	supervisor *supervisor.Supervisor
	store      *logs.Store
	feed       *control.Feed
	confDir    string
	// reexec replaces the program of the process.
	reexec func(context.Context, control.Request) (*control.Operation, error)
	// reloading takes true when a reload begins and false when it is over.
	reloading chan<- bool
	// applied is told of each plan that was applied as a whole.
	applied func(*config.Plan)

	// reading keeps the order in which configurations are read and applied.
	reading sync.Mutex
}

var _ control.Operations = (*operations)(nil)

// Status implements control.Operations.
func (o *operations) Status(ctx context.Context, apps []string) (*control.Status, error) {
	return o.supervisor.Status(ctx, apps)
}

// Workers implements control.Operations.
func (o *operations) Workers(ctx context.Context) ([]control.Worker, error) {
	return o.supervisor.Workers(ctx)
}

// Sockets implements control.Operations.
func (o *operations) Sockets(ctx context.Context) ([]control.Socket, error) {
	return o.supervisor.Sockets(ctx)
}

// Overview implements control.Operations.
func (o *operations) Overview(ctx context.Context, apps []string) (*control.Status, error) {
	return o.supervisor.Overview(ctx, apps)
}

// Settings implements control.Operations.
func (o *operations) Settings(ctx context.Context, app string) (*control.Settings, error) {
	return o.supervisor.Settings(ctx, app)
}

// Jobs implements control.Operations.
func (o *operations) Jobs(ctx context.Context) ([]control.Job, error) { return o.supervisor.Jobs(ctx) }

// CancelJob implements control.Operations.
func (o *operations) CancelJob(ctx context.Context, id uint32, caller string) error {
	return o.supervisor.CancelJob(ctx, id, caller)
}

// Watch implements control.Operations.
func (o *operations) Watch() *control.Watch { return o.feed.Watch() }

// Version implements control.Operations.
func (o *operations) Version() control.Version {
	return control.Version{Version: version.Version, Commit: version.Commit, Go: runtime.Version()}
}

// Start implements control.Operations.
func (o *operations) Start(ctx context.Context, r control.Request) (*control.Operation, error) {
	switch r.Verb {
	case control.VerbReload, control.VerbUpdate:
		return o.applyConfiguration(ctx, r)
	case control.VerbReexec:
		return o.reexec(ctx, r)
	}
	return o.supervisor.Operate(ctx, r)
}

// applyConfiguration reads the configuration and has it applied. A fault in it
// changes nothing.
func (o *operations) applyConfiguration(ctx context.Context, r control.Request) (*control.Operation, error) {
	if r.Verb == control.VerbUpdate && len(r.Apps) > 0 {
		return nil, &control.Error{Code: control.CodeBadRequest, Message: "update takes no app: it applies whatever has changed"}
	}
	o.reading.Lock()
	defer o.reading.Unlock()
	plan, err := config.Load(o.confDir)
	if err != nil {
		return nil, configError(err)
	}
	o.reloading <- true
	// A caller who hangs up now must not leave it half done.
	operation, err := o.supervisor.Apply(context.WithoutCancel(ctx), plan, r, func() { o.reloading <- false })
	if err != nil {
		o.reloading <- false
		return nil, err
	}
	if len(r.Apps) == 0 {
		o.applied(plan)
	}
	return operation, nil
}

// configError makes the error of a configuration that is not valid.
func configError(err error) error {
	var faults config.Faults
	if !errors.As(err, &faults) {
		return &control.Error{Code: control.CodeConfigInvalid, Message: err.Error()}
	}
	return &control.Error{
		Code:    control.CodeConfigInvalid,
		Message: "the configuration is not valid; nothing has changed",
		Details: faults.Lines(),
	}
}

// faultsOf are the faults that an error tells, if it is about a configuration.
func faultsOf(err error) []string {
	var e *control.Error
	if errors.As(err, &e) {
		return e.Details
	}
	return nil
}

// Output implements control.Operations.
func (o *operations) Output(ctx context.Context, app string, n int, follow bool) ([]control.OutputLine, <-chan control.OutputLine, error) {
	if _, err := o.supervisor.Status(ctx, []string{app}); err != nil {
		return nil, nil, err
	}
	history, live, err := o.store.Output(ctx, app, n, follow)
	if err != nil {
		return nil, nil, err
	}
	lines := make([]control.OutputLine, len(history))
	for i, line := range history {
		lines[i] = control.OutputLine(line)
	}
	if live == nil {
		return lines, nil, nil
	}
	out := make(chan control.OutputLine)
	go func() { // ends with ctx, which closes live
		defer close(out)
		for line := range live {
			select {
			case out <- control.OutputLine(line):
			case <-ctx.Done():
				return
			}
		}
	}()
	return lines, out, nil
}
