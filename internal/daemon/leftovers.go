package daemon

import (
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"gracevisor/internal/control"
	"gracevisor/internal/socketunit"
)

// sweepLeftovers removes what a daemon that was killed while it wrote a file has
// left of it: each is written under another name before it is put into its place.
// Nobody else writes them while the lock of the runtime directory is held.
func sweepLeftovers(log *slog.Logger, runtimeDir, stateDir string) {
	for _, left := range []struct{ dir, pattern string }{
		{runtimeDir, control.TokenDraft},
		{runtimeDir, "*.new"}, // of the ledger, and of who is subscribed on the bus
		{stateDir, lastPlanDraft},
		{stateDir, socketunit.ListDraft},
	} {
		if left.dir == "" {
			continue
		}
		names, err := fs.Glob(os.DirFS(left.dir), left.pattern)
		if err != nil {
			log.Warn("cannot look for half-written files", "directory", left.dir, "error", err)
		}
		for _, name := range names {
			if err := os.Remove(filepath.Join(left.dir, name)); err != nil {
				log.Warn("cannot remove a half-written file", "error", err)
			}
		}
	}
}
