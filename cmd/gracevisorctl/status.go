package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gracevisor/internal/control"
)

func (p *program) statusCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "status [APP...]",
		Short: "Show the state of apps",
		Long: `Shows the named apps, or all: their external address and state, and each
instance with its number and state (* takes new requests), process id,
internal address, how long it has been in its state, requests in flight,
memory and CPU time (where a cgroup tells them) and last error. For apps that
are named there follows what the proxy has counted: requests, answers by status
class, errors of the proxy, retries, requests that were held, bytes from and to
clients, and the bounds below which the answers to 50 and 99 % of the requests
began. Below come addresses that are not served, processes that no stop
reaches, and the proxy workers.`,
		Example: `  gracevisorctl status
  gracevisorctl status demo --json`,
		Args:              anyApps,
		ValidArgsFunction: p.appNames,
		RunE: func(cmd *cobra.Command, apps []string) error {
			return p.status(cmd.Context(), apps)
		},
	}
}

func (p *program) status(ctx context.Context, apps []string) error {
	client, err := p.client(ctx)
	if err != nil {
		return err
	}
	status, err := client.Status(ctx, apps...)
	if err != nil {
		return err
	}
	if p.json {
		return p.printJSON(status)
	}
	return p.print(statusText(status, len(apps) > 0, time.Now(), p.out))
}

// statusText is the status for people, with the counters if it is detailed. On a
// terminal that is too narrow for the last errors these come below the table; if
// that does not suffice memory and CPU are left out.
func statusText(s *control.Status, detailed bool, now time.Time, out terminal) string {
	t := statusTable(s, now)
	var below []string
	columns, _ := out.size()
	if out.is && t.width() > columns {
		below = t.takeErrors()
	}
	if out.is && t.width() > columns {
		t.drop("MEMORY")
		t.drop("CPU")
	}
	var text strings.Builder
	text.WriteString(t.render())
	if len(s.Apps) == 0 {
		text.WriteString("no apps\n")
	}
	text.WriteByte('\n')
	if counters := countersTable(s); detailed && counters != nil {
		text.WriteString(counters.render())
		text.WriteByte('\n')
	}
	for _, line := range below {
		fmt.Fprintf(&text, "last error: %s\n", line)
	}
	addNotes(&text, s, now)
	return text.String()
}

// addNotes adds what has no place in the table.
func addNotes(text *strings.Builder, s *control.Status, now time.Time) {
	for _, app := range s.Apps {
		if app.ListenError != "" {
			fmt.Fprintf(text, "not served: %s: %s\n", safe(app.Name), safe(app.ListenError))
		}
	}
	for _, stray := range s.Strays {
		fmt.Fprintf(text, "out of reach: %s\n", safe(stray))
	}
	for _, w := range s.Workers {
		fmt.Fprintf(text, "worker %d: %s, pid %d, for %s, %s%s, revision %d\n", w.Generation, safe(w.State), w.PID,
			age(w.Since, now), count(w.Connections, "connection"), movedNote(w), w.Revision)
	}
	if s.LastCrash != nil {
		fmt.Fprintf(text, "last crash of the daemon: %s ago; it went on where it was\n", age(*s.LastCrash, now))
	}
	fmt.Fprintf(text, "gracevisord %s: pid %d, up %s\n", safe(s.Version), s.PID, age(s.Since, now))
}

// movedNote tells how many connections a worker has taken over and given away.
func movedNote(w control.Worker) (note string) {
	if w.MovedIn > 0 {
		note += fmt.Sprintf(", %d taken over", w.MovedIn)
	}
	if w.MovedOut > 0 {
		note += fmt.Sprintf(", %d moved on", w.MovedOut)
	}
	return note
}

func statusTable(s *control.Status, now time.Time) table {
	t := table{{"APP", "ADDRESS", "STATE", "INSTANCE", "PID", "INTERNAL", "SINCE", "IN-FLIGHT", "MEMORY", "CPU", "LAST ERROR"}}
	for i := range s.Apps {
		addApp(&t, &s.Apps[i], now)
	}
	for _, head := range []string{"MEMORY", "CPU"} { // without a cgroup nobody knows
		if !t.tells(head) {
			t.drop(head)
		}
	}
	return t
}

// takeErrors takes the last column, that of the errors, off the table, and
// returns its cells with the names of their apps.
func (t table) takeErrors() []string {
	var errors []string
	app := ""
	for i, row := range t {
		last := len(row) - 1
		if row[0] != "" {
			app = row[0]
		}
		if i > 0 && row[last] != "" {
			errors = append(errors, app+": "+row[last])
		}
		t[i] = row[:last]
	}
	return errors
}

// addApp adds a row for each instance, the app itself being told in the first.
func addApp(t *table, app *control.AppStatus, now time.Time) {
	external := app.External
	if app.Mode != "" && app.Mode != "http" {
		external += " (" + app.Mode + ")"
	}
	if len(app.Instances) == 0 {
		t.add(app.Name, external, app.State, "-", "-", "-", age(app.Since, now), "-", "-", "-", app.LastError)
	}
	for i := range app.Instances {
		instance := &app.Instances[i]
		name, address, state, lastError := "", "", "", instance.Error
		if i == 0 {
			name, address, state = app.Name, external, app.State
			if lastError == "" {
				lastError = app.LastError
			}
		}
		t.add(name, address, state, numbered(instance), dash(instance.PID), orDash(instance.Internal),
			age(instance.Since, now), strconv.Itoa(instance.InFlight), memory(instance), cpu(instance), lastError)
	}
}

// numbered is "*8 serving", or " 7 draining" for one that gets no new requests.
func numbered(i *control.InstanceStatus) string {
	mark := " "
	if i.Active {
		mark = "*"
	}
	return fmt.Sprintf("%s%d %s", mark, i.Number, i.State)
}

func dash(n int) string {
	if n == 0 {
		return "-"
	}
	return strconv.Itoa(n)
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

func count(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}

// age is how long ago since was, in the two largest units that matter.
func age(since, now time.Time) string {
	if since.IsZero() {
		return "-"
	}
	d := max(now.Sub(since), 0)
	const day = 24 * time.Hour
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%dm%ds", d/time.Minute, d%time.Minute/time.Second)
	case d < day:
		return fmt.Sprintf("%dh%dm", d/time.Hour, d%time.Hour/time.Minute)
	}
	return fmt.Sprintf("%dd%dh", d/day, d%day/time.Hour)
}
