package main

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gracevisor/internal/version"
)

const rootHelp = `Gracevisorctl controls a running gracevisord.

It talks to the daemon through its control socket: that of --socket; else
control.sock in $RUNTIME_DIRECTORY; else, for others than root, in
$XDG_RUNTIME_DIR/gracevisor if a daemon of theirs runs there; else in
/run/gracevisor. Root, the daemon's own user and members of the group
gracevisor may use it. With --host (or --port) it talks to the RPC address,
with the token of --token-file or $GRACEVISOR_TOKEN_FILE: that of the file
rpc.token in the daemon's runtime directory. That way is not encrypted.

With --bus, and for who may not open the control socket, it talks over D-Bus:
polkit says who may do what there, and steps in between, output, sockets and
--wait=drained are not told.

Every command waits for its outcome. An operation goes on if gracevisorctl
is interrupted.

Exit status: 0 done; 1 the operation failed; 2 usage; 3 the daemon cannot be
reached; 4 not permitted; 130 interrupted.`

// rootCommand puts all commands together.
func (p *program) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "gracevisorctl",
		Short: "Control gracevisord",
		Long:  rootHelp,
		Example: `  gracevisorctl status
  gracevisorctl restart demo
  gracevisorctl logs demo -f
  gracevisorctl --host localhost --token-file rpc.token --json status`,
		Version:           version.String(),
		SilenceErrors:     true,
		SilenceUsage:      true,
		PersistentPreRun:  func(*cobra.Command, []string) { p.running = true },
		Args:              knownCommand,
		RunE:              func(cmd *cobra.Command, _ []string) error { return usageOf(cmd, "a command is needed") },
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},

		SuggestionsMinimumDistance: 2,
	}
	root.SetVersionTemplate("gracevisorctl {{.Version}}\n")
	root.SetFlagErrorFunc(flagError)
	root.SetOut(p.out)
	root.SetErr(p.err)
	flags := root.PersistentFlags()
	flags.SortFlags = false
	flags.StringVar(&p.socket, "socket", "", "control socket (default: control.sock in the runtime directory)")
	flags.BoolVar(&p.bus, "bus", false, "talk over D-Bus, where polkit says who may do what")
	flags.StringVar(&p.host, "host", "", "host of the RPC address, to use it in place of the socket (default \"localhost\" with --port)")
	flags.IntVar(&p.port, "port", 0, "port of the RPC address (default 9001 with --host)")
	flags.StringVar(&p.tokenFile, "token-file", "", "file with the token for the RPC address (default $GRACEVISOR_TOKEN_FILE)")
	flags.BoolVar(&p.json, "json", false, "print the result as JSON")
	flags.BoolVar(&p.noWait, "no-wait", false, "do not wait for the outcome of an operation")
	root.AddCommand(
		p.statusCommand(),
		p.startCommand(), p.restartCommand(), p.stopCommand(), p.killCommand(),
		p.reloadCommand(), p.updateCommand(), p.reexecCommand(),
		p.listJobsCommand(), p.cancelCommand(), p.monitorCommand(),
		p.logsCommand(), p.socketsCommand(), p.workersCommand(), p.versionCommand(),
	)
	return root
}

// appNames completes the names of apps by asking the daemon.
func (p *program) appNames(cmd *cobra.Command, given []string, _ string) ([]string, cobra.ShellCompDirective) {
	client, err := p.client(cmd.Context())
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), 2*time.Second)
	defer cancel()
	status, err := client.Status(ctx)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	already := " " + strings.Join(given, " ") + " "
	var names []string
	for _, app := range status.Apps {
		if !strings.Contains(already, " "+app.Name+" ") {
			names = append(names, app.Name+"\t"+safe(app.State))
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
