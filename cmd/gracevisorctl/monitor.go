package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gracevisor/internal/control"
)

func (p *program) monitorCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "monitor",
		Short: "Show what happens, as it happens",
		Long: `Shows, until it is interrupted, which jobs begin and end, which apps come, go
and change their state, and when the configuration is applied. With --json
each line is an object.`,
		Example: `  gracevisorctl monitor
  gracevisorctl monitor --json`,
		Args: noApps,
		RunE: func(cmd *cobra.Command, _ []string) error { return p.monitor(cmd.Context()) },
	}
}

func (p *program) monitor(ctx context.Context) error {
	listening, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	last := make(map[string]string)
	err := p.keepMonitoring(listening, func(n control.Notice) {
		// Much of what changes in an app is not shown.
		words := noticeWords(n)
		if !p.json && n.State != nil && last[n.App] == words {
			return
		}
		last[n.App] = words
		if e := p.print(p.noticeLine(n, words)); e != nil {
			// Nobody reads any more: there is nothing left to do.
			stop(e)
		}
	})
	if ctx.Err() != nil {
		// To interrupt it is how one ends it.
		return nil
	}
	return err
}

// keepMonitoring calls each with what happens. A daemon that has gone, as for a
// re-execution, gets some time to come back; what happens until then is not told.
func (p *program) keepMonitoring(ctx context.Context, each func(control.Notice)) error {
	var gone time.Time
	for {
		client, err := p.client(ctx)
		if err == nil {
			err = client.Monitor(ctx, func(n control.Notice) {
				gone = time.Time{}
				each(n)
			})
		}
		_, lost := errors.AsType[*control.LostError](err)
		switch {
		case err == nil || !hungUp(err) || gone.IsZero() && !lost:
			return err
		case lost: // now, or once more
			gone = time.Now()
		case time.Since(gone) > comeBackTime:
			return err
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// noticeLine is a notice as it is printed.
func (p *program) noticeLine(n control.Notice, words string) string {
	if p.json {
		var line bytes.Buffer
		enc := json.NewEncoder(&line)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(n); err != nil {
			return fmt.Sprintf("{%q: %q}\n", "error", err)
		}
		return safeJSON(line.String())
	}
	return n.Time.Local().Format("15:04:05.000") + "  " + safe(words) + "\n"
}

// noticeWords tells a notice to people.
func noticeWords(n control.Notice) string {
	switch {
	case n.Job != nil:
		return jobWords(n)
	case n.Kind == control.NoticeAppNew:
		return n.App + ": added"
	case n.Kind == control.NoticeAppRemoved:
		return n.App + ": removed"
	case n.State != nil:
		return appWords(n.App, n.State)
	case n.Reloading != nil && *n.Reloading:
		return "the configuration is being applied"
	case n.Reloading != nil:
		return "the configuration has been applied"
	case n.Daemon != nil:
		return fmt.Sprintf("gracevisord: %d apps, %d failed; proxy worker %d, pid %d",
			n.Daemon.Apps, n.Daemon.Failed, n.Daemon.Worker, n.Daemon.WorkerPID)
	}
	return string(n.Kind)
}

func jobWords(n control.Notice) string {
	words := []string{fmt.Sprintf("job %d:", n.Job.ID)}
	for _, word := range []string{string(n.Job.Verb), n.Job.App} {
		if word != "" {
			words = append(words, word)
		}
	}
	if n.Kind == control.NoticeJobNew {
		return strings.Join(append(words, "begins"), " ")
	}
	words = append(words, string(n.Result))
	text := strings.Join(words, " ")
	if n.Error != "" {
		text += ": " + n.Error
	}
	return text
}

// appWords tells the state of an app and of its instances.
func appWords(name string, a *control.AppStatus) string {
	text := name + ": " + a.State
	for _, i := range a.Instances {
		text += fmt.Sprintf(", instance %d %s", i.Number, i.State)
		if i.PID != 0 {
			text += fmt.Sprintf(" (pid %d)", i.PID)
		}
	}
	if a.LastError != "" {
		text += "; " + a.LastError
	}
	return text
}
