package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"gracevisor/internal/control"
)

func (p *program) listJobsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list-jobs",
		Short: "Show what is under way",
		Long: `Shows what operators have asked for and is not done yet: the number of each
job, its type, its app ("-" for all), and whether it waits for its turn.
"gracevisorctl cancel" calls a job off.`,
		Example: "  gracevisorctl list-jobs",
		Args:    noApps,
		RunE:    func(cmd *cobra.Command, _ []string) error { return p.listJobs(cmd.Context()) },
	}
}

func (p *program) listJobs(ctx context.Context) error {
	client, err := p.client(ctx)
	if err != nil {
		return err
	}
	jobs, err := client.Jobs(ctx)
	if err != nil {
		return err
	}
	if p.json {
		if jobs == nil {
			jobs = []control.Job{}
		}
		return p.printJSON(control.JobList{Jobs: jobs})
	}
	now := time.Now()
	t := table{{"JOB", "TYPE", "APP", "STATE", "SINCE"}}
	for _, j := range jobs {
		app := j.App
		if app == "" {
			app = "-"
		}
		t.add(strconv.FormatUint(uint64(j.ID), 10), string(j.Verb), app, j.State, age(j.Since, now))
	}
	return p.print(t.render())
}

func (p *program) cancelCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "cancel JOB...",
		Short: "Call jobs off",
		Long: `Calls jobs off, by their numbers. Of a restart that has not given the traffic
to the new instance yet, that instance is ended, and the old one serves on; an
app that was being started is stopped. What was told to stop stops.`,
		Example: "  gracevisorctl cancel 17",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usageOf(cmd, "cancel needs the number of a job at least")
			}
			for _, arg := range args {
				if _, err := strconv.ParseUint(arg, 10, 32); err != nil {
					return usageOf(cmd, "%q is no number of a job", arg)
				}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return p.cancel(cmd.Context(), args) },
	}
}

func (p *program) cancel(ctx context.Context, numbers []string) error {
	client, err := p.client(ctx)
	if err != nil {
		return err
	}
	canceled := []uint64{}
	for _, number := range numbers {
		id, _ := strconv.ParseUint(number, 10, 32) // it was read before
		if err := client.CancelJob(ctx, uint32(id)); err != nil {
			return err
		}
		canceled = append(canceled, id)
		if !p.json {
			if err := p.print(fmt.Sprintf("job %d: canceled\n", id)); err != nil {
				return err
			}
		}
	}
	if p.json {
		return p.printJSON(struct {
			Canceled []uint64 `json:"canceled"`
		}{canceled})
	}
	return nil
}
