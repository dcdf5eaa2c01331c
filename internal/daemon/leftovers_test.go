package daemon

import (
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gracevisor/internal/control"
	"gracevisor/internal/socketunit"
)

// TestLeftovers: a file that was half written goes, and what it was to replace
// stays.
func TestLeftovers(t *testing.T) {
	run, state := t.TempDir(), t.TempDir()
	create := func(dir, name string) string {
		path := filepath.Join(dir, strings.ReplaceAll(name, "*", "123"))
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	var kept, gone []string
	for _, name := range []string{control.TokenFile, "bus-subscribers.json", "processes"} {
		kept = append(kept, create(run, name))
	}
	kept = append(kept, create(state, lastPlanFile), create(state, socketunit.ListFile))
	for _, name := range []string{control.TokenDraft, "bus-subscribers.json.new", "processes.new"} {
		gone = append(gone, create(run, name))
	}
	gone = append(gone, create(state, lastPlanDraft), create(state, socketunit.ListDraft))

	sweepLeftovers(slog.New(slog.DiscardHandler), run, state)
	sweepLeftovers(slog.New(slog.DiscardHandler), run, "") // there may be no state directory
	for _, path := range kept {
		if _, err := os.Stat(path); err != nil {
			t.Error(err)
		}
	}
	for _, path := range gone {
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is there still (%v)", path, err)
		}
	}
}
