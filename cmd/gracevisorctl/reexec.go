package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"gracevisor/internal/control"
)

// comeBackTime is how long a daemon may take to execute itself.
const comeBackTime = 30 * time.Second

func (p *program) reexecCommand() *cobra.Command {
	var check bool
	cmd := &cobra.Command{
		Use:   "reexec",
		Short: "Let the daemon execute its binary anew",
		Long: `The daemon executes its binary, which may be a newer one by now, and keeps its
process id, the apps, the listening sockets and all connections. A binary that
can not take over is not executed, and nothing has changed then.`,
		Example: `  gracevisorctl reexec
  gracevisorctl reexec --check`,
		Args: noApps,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if check {
				return p.operate(cmd.Context(), control.Request{Verb: control.VerbReexec, Check: true})
			}
			return p.reexec(cmd.Context())
		},
	}
	cmd.Flags().BoolVar(&check, "check", false, "only ask the daemon whether its binary on disk could take over")
	return cmd
}

// reexec asks for it and waits for the result, which comes from the program that
// was executed. Should the connection be lost, for it was not handed on or the
// daemon has crashed, it waits until the daemon answers again.
func (p *program) reexec(ctx context.Context) error {
	req := control.Request{Verb: control.VerbReexec}
	client, err := p.client(ctx)
	if err != nil {
		return err
	}
	if p.noWait {
		return p.begin(ctx, client, req)
	}
	before, err := client.Status(ctx)
	if err != nil {
		return err
	}
	began := time.Now()
	o, err := p.watch(ctx, client, req)
	if hungUp(err) {
		err = p.interruption(ctx, p.awaitDaemon(ctx, client, before, began, o))
	}
	return p.conclude(o, err)
}

// hungUp says that the daemon began and its connection ended, as happens at
// exec.
func hungUp(err error) bool {
	if _, ok := errors.AsType[*control.LostError](err); ok {
		return true
	}
	_, ok := errors.AsType[*control.UnreachableError](err)
	return ok
}

// awaitDaemon waits until the daemon answers again, and adds that to the
// outcome.
func (p *program) awaitDaemon(ctx context.Context, client daemon, before *control.Status, began time.Time, o *outcome) error {
	patience := time.NewTimer(comeBackTime)
	defer patience.Stop()
	pause := time.NewTicker(50 * time.Millisecond)
	defer pause.Stop()
	for {
		after, err := client.Status(ctx)
		if err == nil {
			return p.daemonReturned(o, before, after, time.Since(began))
		}
		if !hungUp(err) {
			return err
		}
		select {
		case <-pause.C:
		case <-patience.C:
			return err
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// daemonReturned tells that the daemon answers again. One with another process id
// did not execute itself, but was started anew after its end.
func (p *program) daemonReturned(o *outcome, before, after *control.Status, elapsed time.Duration) error {
	if after.PID != before.PID {
		return fmt.Errorf("the daemon ended and was started anew: its pid is %d, and was %d", after.PID, before.PID)
	}
	view := p.newView(nil)
	defer view.close()
	for _, e := range []control.Event{
		{Kind: control.EventStep, Elapsed: elapsed, Message: fmt.Sprintf(
			"answers again: pid %d, version %s (was %s)", after.PID, after.Version, before.Version)},
		{Kind: control.EventResult, Elapsed: elapsed, Result: control.ResultDone},
	} {
		o.add(e)
		view.show(e)
	}
	return nil
}
