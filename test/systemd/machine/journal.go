package machine

import (
	"encoding/json"
	"strings"
)

// Entry is an entry of the journal: fields, see systemd.journal-fields(7). A
// field that is not text is left out.
type Entry map[string]string

// Journal returns the entries that journalctl selects with these arguments.
func (m *Machine) Journal(args ...string) []Entry {
	m.t.Helper()
	// What has been sent is not yet what can be read.
	m.Run("journalctl", "--sync")
	args = append([]string{"journalctl", "--output=json", "--all", "--quiet"}, args...)
	var entries []Entry
	for _, line := range lines(m.Run(args...)) {
		var fields map[string]any
		if err := json.Unmarshal([]byte(line), &fields); err != nil {
			m.t.Fatalf("read journal: %v: %q", err, line)
		}
		entry := make(Entry)
		for name, value := range fields {
			if text, ok := value.(string); ok {
				entry[name] = text
			}
		}
		entries = append(entries, entry)
	}
	return entries
}

// explain prints what the machine can tell about a failure.
func (m *Machine) explain() {
	select {
	case <-m.ended:
		m.t.Logf("console:\n%s", m.console.String())
		return
	default:
	}
	m.t.Logf("console:\n%s", m.console.String())
	for _, args := range [][]string{
		{"systemctl", "--failed", "--no-legend", "--no-pager"},
		{"systemctl", "status", "--no-pager", "--lines=0", "gracevisor*"},
		{"journalctl", "--no-pager", "--quiet", "--lines=60", "--output=short-precise"},
		{"journalctl", "--no-pager", "--quiet", "--lines=200", "--output=short-precise", "_COMM=gracevisord"},
	} {
		m.t.Log(m.Try(args...))
	}
}

func lines(text string) []string {
	text = strings.TrimSuffix(text, "\n")
	if text == "" {
		return nil
	}
	return strings.Split(text, "\n")
}
