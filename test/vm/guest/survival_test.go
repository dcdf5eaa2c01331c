package guest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestCrashWithControllers kills the daemon again and again under load: with
// controllers enabled and apps left over, systemd could not start it again if
// they were in its own cgroup. Limits stay across whatever systemd does.
func TestCrashWithControllers(t *testing.T) {
	configure(t, map[string]string{"demo": demo + "limits: {memory_max: 100, pids_max: 50}\n"})
	before := serving(t, "demo")
	dir := leaf(t, before.PID)
	enabled := read(t, appsGroup+"/cgroup.subtree_control")
	for _, controller := range []string{"memory", "pids", "cpu"} {
		if !strings.Contains(enabled, controller) {
			t.Fatalf("the apps have only %q: this would mean nothing", enabled)
		}
	}
	underLoad(t, func() {
		for range 3 {
			kill(t)
		}
		run(t, "systemctl", "daemon-reload")
		run(t, "systemctl", "daemon-reexec")
		run(t, "systemctl", "restart", daemonUnit)
		kill(t)
	})
	after := serving(t, "demo")
	if after.PID != before.PID || leaf(t, after.PID) != dir {
		t.Errorf("the app was %d in %s and is %d", before.PID, dir, after.PID)
	}
	if got := read(t, filepath.Join(dir, "memory.max")) + read(t, filepath.Join(dir, "pids.max")); got != "10485760050" {
		t.Errorf("limits are %q", got)
	}
	if got := read(t, appsGroup+"/cgroup.subtree_control"); got != enabled {
		t.Errorf("controllers were %q and are %q", enabled, got)
	}
	if got := property(t, daemonUnit, "NRestarts"); got == "0" {
		t.Error("systemd knows of no crash")
	}
	underLoad(t, func() { run(t, "gracevisorctl", "restart", "demo") })
}

// kill kills the daemon, and waits for the next one.
func kill(t *testing.T) {
	t.Helper()
	daemon := property(t, daemonUnit, "MainPID")
	run(t, "kill", "-KILL", daemon)
	await(t, "another daemon", func() (string, bool) {
		seen := property(t, daemonUnit, "MainPID") + " " + property(t, daemonUnit, "ActiveState")
		return seen, seen != daemon+" active" && seen != "0 active" && strings.HasSuffix(seen, " active")
	})
}

// TestGeneratorTellsTheKernel: what is wrong with the configuration is in the
// kernel's log, in one line. A container has none of its own.
func TestGeneratorTellsTheKernel(t *testing.T) {
	const file = "/etc/gracevisor/gracevisor.yaml"
	good, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte("nonsense: 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, "systemctl", "daemon-reload")
	if err := os.WriteFile(file, good, 0o600); err != nil {
		t.Fatal(err)
	}
	said := 0
	for line := range strings.Lines(run(t, "dmesg")) {
		if strings.Contains(line, "gracevisor-generator[") {
			said++
			if !strings.Contains(line, file+":1:1") || !strings.Contains(line, "last addresses") {
				t.Errorf("it says %q", line)
			}
		}
	}
	if said != 1 {
		t.Errorf("it says %d lines", said)
	}
	run(t, "systemctl", "daemon-reload")
}

// TestStopLeavesNothing is the last one: what apps have started is gone, and
// their cgroups are.
func TestStopLeavesNothing(t *testing.T) {
	configure(t, map[string]string{"demo": "command: /usr/local/bin/testapp --port={port} --children=2 --grandchildren=2 --stubborn\nhealthcheck: /health\nexternal_port: 8080\nlimits: {pids_max: 50}\n"})
	serving(t, "demo")
	run(t, "systemctl", "stop", daemonUnit)
	await(t, "the unit of the apps to end", func() (string, bool) {
		seen := property(t, appsUnit, "ActiveState")
		return seen, seen == "inactive"
	})
	if _, err := os.Stat(appsGroup); err == nil {
		t.Error("the cgroup of the apps is left")
	}
	for line := range strings.Lines(run(t, "ps", "-eo", "args=")) {
		if strings.Contains(line, "testapp") || strings.Contains(line, "gracevisord") {
			t.Error(fmt.Sprint("left: ", line))
		}
	}
}
