package main

import (
	"context"
	"strconv"

	"github.com/spf13/cobra"

	"gracevisor/internal/control"
)

func (p *program) workersCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "workers",
		Short: "Show the proxy workers and what they hold",
		Long: `Shows each generation of the proxy worker, and for each app how many client
connections it holds: idle (between requests), waiting for an instance, with a
request in flight, tunnels (WebSocket), and those of an app with "proxy: tcp".
MOVED is how many connections it has taken over from older generations and
given to newer ones. A worker that a newer one has taken over from moves what
is at rest, and leaves when its last request in flight has ended.`,
		Example: "  gracevisorctl workers",
		Args:    noApps,
		RunE:    func(cmd *cobra.Command, _ []string) error { return p.workers(cmd.Context()) },
	}
}

func (p *program) workers(ctx context.Context) error {
	client, err := p.client(ctx)
	if err != nil {
		return err
	}
	workers, err := client.Workers(ctx)
	if err != nil {
		return err
	}
	if p.json {
		return p.printJSON(control.WorkerList{Workers: workers})
	}
	return p.print(workersText(workers))
}

// workersText has a row for each app of each worker, the worker itself being told
// in its first.
func workersText(workers []control.Worker) string {
	t := table{{"WORKER", "STATE", "PID", "MOVED", "APP", "IDLE", "WAITING", "REQUESTS", "TUNNELS", "TCP"}}
	for _, w := range workers {
		head := []string{strconv.FormatUint(w.Generation, 10), w.State, dash(w.PID), moved(w)}
		if len(w.Apps) == 0 {
			t.add(append(head, "-", "-", "-", "-", "-", "-")...)
		}
		for i, a := range w.Apps {
			if i > 0 {
				head = []string{"", "", "", ""}
			}
			t.add(append(head, a.Name, strconv.Itoa(a.Idle), strconv.Itoa(a.Waiting), strconv.Itoa(a.Requests),
				strconv.Itoa(a.Tunnels), strconv.Itoa(a.TCP))...)
		}
	}
	return t.render()
}

// moved is "12 in, 3 out".
func moved(w control.Worker) string {
	return strconv.FormatUint(w.MovedIn, 10) + " in, " + strconv.FormatUint(w.MovedOut, 10) + " out"
}
