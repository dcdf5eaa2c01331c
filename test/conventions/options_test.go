package conventions

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gracevisor/internal/config"
)

// TestOptionsOfTheREADME compares the README's tables of options with those
// that the parser makes of the keys that it knows.
func TestOptionsOfTheREADME(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join(root(), "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, scope := range []config.Scope{config.ScopeDaemon, config.ScopeApp} {
		var table strings.Builder
		if err := config.WriteKeys(&table, scope); err != nil {
			t.Fatal(err)
		}
		rows := 0
		for row := range strings.Lines(table.String()) {
			rows++
			if !strings.Contains(string(readme), row) {
				t.Errorf("the README lacks this row of the %s's options: %s", scope, row)
			}
		}
		if rows < 10 {
			t.Errorf("the %s has only %d options", scope, rows)
		}
		if !strings.Contains(string(readme), table.String()) {
			t.Errorf("the README's table of the %s's options has another order, or other rows, too", scope)
		}
	}
}
