package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"gracevisor/internal/config"
	"gracevisor/internal/daemon"
	"gracevisor/internal/version"
)

// usageError is an error of whoever wrote the command line.
type usageError struct{ error }

const long = `gracevisord runs the apps of a configuration and proxies their clients to them,
so that apps are restarted without losing a request.

It runs in the foreground, as any user. Control it with gracevisorctl, or by
signals: HUP reloads, TERM and INT drain and stop (a second one stops at once),
USR1 reopens log files, USR2 executes the binary on disk anew.`

// run is the supervisor role, as its flags say.
func run(args []string, signals chan os.Signal) error {
	var conf string
	var check bool
	cmd := &cobra.Command{
		Use:           "gracevisord [--conf DIR] [--check]",
		Short:         "Run web apps and restart them without losing a request",
		Long:          long,
		Example:       "  gracevisord --conf /etc/gracevisor --check\n  gracevisord --conf /etc/gracevisor",
		Version:       version.String(),
		Args:          noArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if check {
				if !config.Check(cmd.OutOrStdout(), conf) {
					return errTold
				}
				return nil
			}
			return daemon.Run(daemon.Options{ConfDir: conf, Signals: signals, Stderr: os.Stderr})
		},
	}
	cmd.Flags().StringVar(&conf, "conf", "/etc/gracevisor", "directory of "+config.FileName)
	cmd.Flags().BoolVar(&check, "check", false, "validate the configuration, print every fault as file:line:column, and exit")
	cmd.SetVersionTemplate("gracevisord {{.Version}}\n")
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	cmd.CompletionOptions.DisableDefaultCmd = true
	cmd.SetArgs(args)
	return cmd.Execute()
}

func noArgs(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usageError{fmt.Errorf("unexpected argument %q", args[0])}
	}
	return nil
}
