package systemd

import (
	"fmt"
	"strings"
	"testing"

	"gracevisor/test/systemd/machine"
)

// awaitEntry waits for an entry that journalctl selects and whose message has a
// text.
func (s *service) awaitEntry(text string, selection ...string) machine.Entry {
	s.t.Helper()
	var found machine.Entry
	s.Await(fmt.Sprintf("%q in journalctl %q", text, selection), func() (string, bool) {
		entries := s.Journal(selection...)
		for _, entry := range entries {
			if strings.Contains(entry["MESSAGE"], text) {
				found = entry
				return "", true
			}
		}
		return fmt.Sprint(entries), false
	})
	return found
}

// TestJournal finds an app's events, and its output if it is wanted there, by
// the fields of the journal.
func TestJournal(t *testing.T) {
	t.Parallel()
	talking := demo("--say=to-stdout", "--say-error=to-stderr")
	talking.keys += "logger: {journal: true}\n"
	quiet := app{name: "quiet", port: 8181, flags: []string{"--say=to-file-only"}}
	s := installed(t, talking, quiet)

	event := s.awaitEntry("app serves", "GRACEVISOR_APP=demo")
	for field, want := range map[string]string{
		"GRACEVISOR_INSTANCE": "1", "PRIORITY": "6", "_SYSTEMD_UNIT": daemonUnit, "SYSLOG_IDENTIFIER": "gracevisord",
	} {
		if event[field] != want {
			t.Errorf("%s=%q in %v", field, event[field], event)
		}
	}
	for _, text := range []string{"to-stdout", "to-stderr"} {
		entry := s.awaitEntry(text, "GRACEVISOR_APP=demo")
		if entry["MESSAGE"] != text || entry["GRACEVISOR_INSTANCE"] != "1" {
			t.Errorf("got %v", entry)
		}
	}
	s.awaitEntry("app serves", "GRACEVISOR_APP=quiet")
	for _, entry := range s.Journal("GRACEVISOR_APP=quiet") {
		if strings.Contains(entry["MESSAGE"], "to-file-only") {
			t.Errorf("not wanted in the journal: %v", entry)
		}
	}

	failing := demo("--exit-after=0", "--exit-code=3")
	failing.keys += "max_retries: 1\n"
	s.configure(failing)
	if got := s.Try("gracevisorctl", "restart", "demo"); got.Code == 0 {
		s.Run("gracevisorctl", "kill", "demo") // a restart goes by the configuration in force
	}
	if got := s.Try("gracevisorctl", "update"); got.Code != 1 {
		t.Errorf("%v", got)
	}
	s.awaitEntry("", "GRACEVISOR_APP=demo", "PRIORITY=4")
}
