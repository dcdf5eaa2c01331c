package main

import (
	"github.com/spf13/cobra"

	"gracevisor/internal/control"
)

func (p *program) startCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "start APP...",
		Short: "Start stopped apps",
		Long: `Starts apps that are stopped or have failed, and waits until they serve.
For one that serves already there is nothing to do.`,
		Example:           "  gracevisorctl start demo",
		Args:              someApps,
		ValidArgsFunction: p.appNames,
		RunE: func(cmd *cobra.Command, apps []string) error {
			return p.operate(cmd.Context(), control.Request{Verb: control.VerbStart, Apps: apps})
		},
	}
}

func (p *program) restartCommand() *cobra.Command {
	var wait string
	cmd := &cobra.Command{
		Use:   "restart APP...",
		Short: "Restart apps without losing a request",
		Long: `Starts a new instance of each app and waits until it is ready; then it gets
all new requests, and the restart is done. The old instance finishes what it
has begun, and then is stopped: with --wait=drained that is waited for, too.
If the new instance does not get ready, the old one serves on, and the exit
status is 1. A stopped app is started.`,
		Example: `  gracevisorctl restart demo
  gracevisorctl restart demo web --wait=drained`,
		Args:              someApps,
		ValidArgsFunction: p.appNames,
		RunE: func(cmd *cobra.Command, apps []string) error {
			if wait != "switched" && wait != "drained" {
				return usageOf(cmd, "--wait is to be switched or drained, not %q", wait)
			}
			if p.noWait && cmd.Flags().Changed("wait") {
				return usageOf(cmd, "--wait and --no-wait exclude each other")
			}
			return p.operate(cmd.Context(), control.Request{
				Verb: control.VerbRestart, Apps: apps, Drained: wait == "drained",
			})
		},
	}
	cmd.Flags().StringVar(&wait, "wait", "switched", "until when: switched (the new instance has the traffic) or drained (the old one has gone)")
	return cmd
}

func (p *program) stopCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "stop APP...",
		Short: "Stop apps",
		Long: `Lets the instances of each app finish the requests that they have begun, then
sends them the stop signal. New requests are answered with 503 until the app
is started.`,
		Example:           "  gracevisorctl stop demo",
		Args:              someApps,
		ValidArgsFunction: p.appNames,
		RunE: func(cmd *cobra.Command, apps []string) error {
			return p.operate(cmd.Context(), control.Request{Verb: control.VerbStop, Apps: apps})
		},
	}
}

func (p *program) killCommand() *cobra.Command {
	var name string
	cmd := &cobra.Command{
		Use:   "kill APP...",
		Short: "Send a signal to apps at once",
		Long: `Sends SIGKILL, or the signal of --signal, to all instances of each app at
once. Requests that they have begun are lost. An app that ends of it is
started again, as after a crash: to end it for good use stop.`,
		Example: `  gracevisorctl kill demo
  gracevisorctl kill demo --signal HUP`,
		Args:              someApps,
		ValidArgsFunction: p.appNames,
		RunE: func(cmd *cobra.Command, apps []string) error {
			number, err := signalNumber(name)
			if err != nil {
				return usageOf(cmd, "%v", err)
			}
			return p.operate(cmd.Context(), control.Request{Verb: control.VerbKill, Apps: apps, Signal: number})
		},
	}
	cmd.Flags().StringVarP(&name, "signal", "s", "KILL", "signal to send: a name, with or without SIG, or a number")
	return cmd
}
