package main

import (
	"context"
	"fmt"
	"runtime"

	"github.com/spf13/cobra"

	"gracevisor/internal/control"
	"gracevisor/internal/version"
)

// versions are those of both sides.
type versions struct {
	Client control.Version `json:"client"`
	// Daemon is null if it did not answer.
	Daemon *control.Version `json:"daemon"`
	// Error says why it did not.
	Error *control.Error `json:"error,omitempty"`
}

func (p *program) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Show the versions of both sides",
		Long: `Shows the versions of gracevisorctl and of the running gracevisord, and tells
if they differ.`,
		Example: "  gracevisorctl version",
		Args:    noApps,
		RunE:    func(cmd *cobra.Command, _ []string) error { return p.version(cmd.Context()) },
	}
}

func (p *program) version(ctx context.Context) error {
	both := versions{Client: control.Version{Version: version.Version, Commit: version.Commit, Go: runtime.Version()}}
	daemon, err := p.daemonVersion(ctx)
	if err == nil {
		both.Daemon = &daemon
	} else {
		both.Error = jsonError(err)
	}
	if printed := p.printVersions(both); printed != nil && err == nil {
		return printed
	}
	return err
}

func (p *program) daemonVersion(ctx context.Context) (control.Version, error) {
	client, err := p.client(ctx)
	if err != nil {
		return control.Version{}, err
	}
	return client.Version(ctx)
}

func (p *program) printVersions(both versions) error {
	if p.json {
		p.told = true
		return p.printJSON(both)
	}
	text := "gracevisorctl " + versionText(both.Client) + "\n"
	if both.Daemon != nil {
		text += "gracevisord   " + versionText(*both.Daemon) + "\n"
	}
	if both.Daemon != nil && differ(both.Client, *both.Daemon) {
		text += "the versions differ: \"gracevisorctl reexec\" lets the daemon execute its binary on disk\n"
	}
	return p.print(text)
}

// differ says whether two versions do, as far as that is known: D-Bus tells no
// commit.
func differ(a, b control.Version) bool {
	return a.Version != b.Version || a.Commit != b.Commit && b.Commit != ""
}

func versionText(v control.Version) string {
	if v.Commit == "" {
		return safe(v.Version)
	}
	return safe(fmt.Sprintf("%s (commit %s, %s)", v.Version, v.Commit, v.Go))
}
