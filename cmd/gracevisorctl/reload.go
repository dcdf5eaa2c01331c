package main

import (
	"github.com/spf13/cobra"

	"gracevisor/internal/control"
)

func (p *program) reloadCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "reload [APP...]",
		Short: "Apply the configuration and restart apps without losing a request",
		Long: `Reads the configuration again and restarts the named apps by it, or all, in
the way of restart. Of the configuration of others nothing is applied. If it
does not validate, nothing is changed. If an app fails the exit status is 1,
and the others keep their results. SIGHUP and "systemctl reload gracevisor"
do the same for all apps.`,
		Example: `  gracevisorctl reload
  gracevisorctl reload demo`,
		Args:              anyApps,
		ValidArgsFunction: p.appNames,
		RunE: func(cmd *cobra.Command, apps []string) error {
			return p.operate(cmd.Context(), control.Request{Verb: control.VerbReload, Apps: apps})
		},
	}
}

func (p *program) updateCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "update",
		Short: "Apply what changed in the configuration",
		Long: `Reads the configuration again and applies what is new in it: adds apps,
removes apps, and restarts, without losing a request, those whose options
changed. All others keep their processes. If the configuration does not
validate, nothing is changed.`,
		Example: "  gracevisorctl update",
		Args:    noApps,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.operate(cmd.Context(), control.Request{Verb: control.VerbUpdate})
		},
	}
}
