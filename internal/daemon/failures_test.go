package daemon

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gracevisor/internal/control"
)

// TestFailedOperationsAreLogged with who has asked for them, within bounds.
func TestFailedOperationsAreLogged(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "gracevisor.yaml"), []byte("app: 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	ops := tellFailures(&operations{confDir: dir}, slog.New(slog.NewTextHandler(&log, nil)))
	if _, err := ops.Start(t.Context(), control.Request{Verb: control.VerbReload, Caller: "uid 7, pid 8"}); err == nil {
		t.Fatal("a broken configuration is reloaded")
	}
	for _, want := range []string{"level=WARN", "operation refused", "verb=reload", `caller="uid 7, pid 8"`, "is not valid", "gracevisor.yaml:1:1"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %q:\n%s", want, log.String())
		}
	}
	for range 3 * failuresAtOnce {
		_, _ = ops.Start(t.Context(), control.Request{Verb: control.VerbUpdate, Apps: []string{strings.Repeat("x", 1<<20)}})
	}
	if n := strings.Count(log.String(), "\n"); n != failuresAtOnce || log.Len() > 2*maxTold*failuresAtOnce {
		t.Errorf("%d lines of %d bytes", n, log.Len())
	}
}
