package main

import (
	"context"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"gracevisor/internal/control"
)

func (p *program) socketsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "sockets",
		Short: "Show the listening sockets",
		Long: `Shows each external address: the apps that it is for, where its socket came
from (bound by the daemon, from systemd, or inherited), how many connections
its accept queue may hold, and how many wait in it.`,
		Example: "  gracevisorctl sockets",
		Args:    noApps,
		RunE:    func(cmd *cobra.Command, _ []string) error { return p.sockets(cmd.Context()) },
	}
}

func (p *program) sockets(ctx context.Context) error {
	client, err := p.client(ctx)
	if err != nil {
		return err
	}
	sockets, err := client.Sockets(ctx)
	if err != nil {
		return err
	}
	if p.json {
		return p.printJSON(control.SocketList{Sockets: sockets})
	}
	t := table{{"ADDRESS", "APPS", "SOURCE", "BACKLOG", "QUEUE", "ERROR"}}
	for _, s := range sockets {
		t.add(s.Address, strings.Join(s.Apps, ","), s.Source, strconv.Itoa(s.Backlog), strconv.Itoa(s.Queue), s.Error)
	}
	return p.print(t.render())
}
