package e2e

import (
	"path/filepath"
	"strings"
	"testing"

	"gracevisor/internal/control"
	"gracevisor/test/harness"
)

// TestDaemonLogFollowsTheConfiguration without a restart of the daemon, and where
// it can not it stays.
func TestDaemonLogFollowsTheConfiguration(t *testing.T) {
	t.Parallel()
	box := harness.New(t)
	app := box.App("demo")
	box.Configure(app)
	daemon := box.Start()
	before := box.AwaitServing("demo")[0]
	first, second := filepath.Join(box.LogDir, "gracevisor.log"), box.WriteFile("second.log", "")
	has := func(path, line string) {
		t.Helper()
		box.Await(line+" in "+path, func() bool { return strings.Contains(readFile(t, path), line) })
	}
	has(first, "msg=starting")
	box.Set("logger.log_file", second)
	box.Configure(app)
	box.Must("update")
	has(first, "moving the log")
	has(second, "the log was moved here")
	box.Set("logger.log_file", filepath.Join(second, "of", "no", "folder.log"))
	box.Configure(app)
	box.Must("update")
	has(second, "cannot move the log")
	box.Must("restart", "demo")
	has(second, "verb=restart")
	if strings.Contains(readFile(t, first), "verb=restart") {
		t.Error("the first log goes on")
	}
	box.AwaitApp("demo", "be restarted", func(a control.AppStatus) bool {
		return len(a.Instances) == 1 && a.Instances[0].PID != before.PID
	})
	daemon.Stop()
}
