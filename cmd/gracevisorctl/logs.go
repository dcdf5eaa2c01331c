package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"gracevisor/internal/control"
)

func (p *program) logsCommand() *cobra.Command {
	var follow bool
	var lines int
	cmd := &cobra.Command{
		Use:   "logs APP",
		Short: "Show the output of an app",
		Long: `Shows the last lines of an app's output, both streams in the order in which
they were written, and with --follow those that come. On a terminal control
characters are shown escaped. With --json each line is an object with time,
instance, stream and text.`,
		Example: `  gracevisorctl logs demo
  gracevisorctl logs demo -f -n 0`,
		Args:              oneApp,
		ValidArgsFunction: p.appNames,
		RunE: func(cmd *cobra.Command, apps []string) error {
			if lines < 0 || lines > control.MaxOutputLines {
				return usageOf(cmd, "--lines is to be a number from 0 to %d, not %d", control.MaxOutputLines, lines)
			}
			return p.logs(cmd.Context(), apps[0], lines, follow)
		},
	}
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on with the lines that come")
	cmd.Flags().IntVarP(&lines, "lines", "n", 50, "how many of the last lines")
	return cmd
}

func (p *program) logs(ctx context.Context, app string, lines int, follow bool) error {
	client, err := p.client(ctx)
	if err != nil {
		return err
	}
	reading, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	err = client.Output(reading, app, lines, follow, func(line control.OutputLine) {
		if e := p.print(p.outputLine(line)); e != nil {
			// Nobody reads any more: there is nothing left to do.
			stop(e)
		}
	})
	if follow && ctx.Err() != nil {
		// To interrupt it is how one ends it.
		return nil
	}
	return err
}

// outputLine is a line as it is printed: as the app wrote it, but on a terminal.
func (p *program) outputLine(line control.OutputLine) string {
	switch {
	case p.json:
		var text bytes.Buffer
		enc := json.NewEncoder(&text)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(line); err != nil {
			return fmt.Sprintf("{%q: %q}\n", "error", err)
		}
		return safeJSON(text.String())
	case p.out.is:
		return safe(strings.TrimSuffix(line.Text, "\r")) + "\n"
	}
	return line.Text + "\n"
}
