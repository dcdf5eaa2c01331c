package siege

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gracevisor/test/load"
)

// TestRows: what several processes record makes one table, and an event that
// happens again replaces what was counted before.
func TestRows(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rows")
	for _, rows := range []Table{
		{{"restart", load.Get, 10, 1, time.Second}, {"restart", load.TCP, 3, 0, time.Minute}},
		{{"kill", load.Get, 7, 0, time.Millisecond}},
		{{"move", "flow", 2, 0, time.Hour}},
		{{"restart", load.Get, 20, 2, 2 * time.Second}},
	} {
		if err := rows.append(path); err != nil {
			t.Fatal(err)
		}
	}
	got, err := ReadTable(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 4 || !strings.Contains(got.String(), "restart  get      20        2         2s") {
		t.Errorf("got\n%s", got)
	}
	if short := got.Short(); !strings.Contains(short, "| restart | 23 | 2 | 2s |") || !strings.Contains(short, "| kill | 7 | 0 | 1ms |") ||
		!strings.Contains(short, "| move | 2 | 0 | 1h0m0s |") {
		t.Errorf("got\n%s", short)
	}
	if wide := got.Wide(); !strings.Contains(wide, "| kill | – | 7, 0, 1 | – |") {
		t.Errorf("got\n%s", wide)
	}
}

// TestVerdicts: a failure and a connection that was made anew are seen.
func TestVerdicts(t *testing.T) {
	report := func(failures, connections int) *load.Report {
		return &load.Report{Kinds: map[load.Kind]load.KindReport{
			load.WebSocket: {Requests: 5, Failures: failures, Connections: connections},
			load.TCP:       {Requests: 5, Connections: Lasting},
		}}
	}
	if err := Unbroken(report(0, Lasting)); err != nil {
		t.Error(err)
	}
	if Unbroken(report(1, Lasting)) == nil || Unbroken(report(0, Lasting+1)) == nil || Unharmed(&load.Report{}) == nil {
		t.Error("something is not seen")
	}
}
