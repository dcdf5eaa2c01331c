package rig

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"gracevisor/internal/config"
	"gracevisor/internal/control"
)

// pollPause is the pause between two looks at the daemon's status.
const pollPause = 10 * time.Millisecond

// Daemon is a gracevisord that a World has started.
type Daemon struct {
	*Child
	client *control.Client
}

// StartDaemon starts the binary with a configuration, in a folder of its own
// below that of the World, with more variables in its environment. It does not
// wait for anything.
func (w *World) StartDaemon(binary, name, configuration string, env ...string) (*Daemon, error) {
	binary, err := filepath.Abs(binary)
	if err != nil {
		return nil, fmt.Errorf("find gracevisord: %w", err)
	}
	dir := w.Path(name)
	run := filepath.Join(dir, "run")
	if err := os.MkdirAll(run, 0o755); err != nil {
		return nil, fmt.Errorf("make folder of %s: %w", name, err)
	}
	if err := os.WriteFile(filepath.Join(dir, config.FileName), []byte(configuration), 0o644); err != nil {
		return nil, fmt.Errorf("write configuration of %s: %w", name, err)
	}
	child, err := w.Start(name, append(env, "RUNTIME_DIRECTORY="+run), binary, "--conf", dir)
	if err != nil {
		return nil, err
	}
	return &Daemon{child, control.NewUnixClient(filepath.Join(run, "control.sock"))}, nil
}

// Status asks the daemon for its state.
func (d *Daemon) Status(ctx context.Context) (*control.Status, error) { return d.client.Status(ctx) }

// Begin begins an operation.
func (d *Daemon) Begin(ctx context.Context, request control.Request) error {
	return d.client.Begin(ctx, request)
}

// Await asks for the status until it is as wanted. It ends with an error if
// the daemon exits, or an app fails.
func (d *Daemon) Await(ctx context.Context, wanted func(*control.Status) bool) (*control.Status, error) {
	tick := time.NewTicker(pollPause)
	defer tick.Stop()
	for {
		status, err := d.client.Status(ctx)
		if err == nil && wanted(status) {
			return status, nil
		}
		if _, early := errors.AsType[*control.UnreachableError](err); err != nil && !early {
			return nil, fmt.Errorf("ask %s for its status: %w", d.name, err)
		}
		if err == nil {
			for _, app := range status.Apps {
				if app.State == "failed" || app.ListenError != "" {
					return nil, fmt.Errorf("app %s of %s failed: %s%s", app.Name, d.name, app.LastError, app.ListenError)
				}
			}
		}
		select {
		case <-tick.C:
		case <-d.exited:
			return nil, d.fault()
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// AwaitServing waits until all apps serve, and there is a worker.
func (d *Daemon) AwaitServing(ctx context.Context) (*control.Status, error) {
	return d.Await(ctx, func(s *control.Status) bool {
		for _, app := range s.Apps {
			if app.State != "serving" {
				return false
			}
		}
		return len(s.Workers) == 1 && s.Workers[0].PID != 0
	})
}
