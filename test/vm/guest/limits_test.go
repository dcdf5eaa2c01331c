package guest

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestVersions is for the record.
func TestVersions(t *testing.T) {
	t.Logf("Linux %s", read(t, "/proc/sys/kernel/osrelease"))
	version, _, _ := strings.Cut(run(t, "systemctl", "--version"), "\n")
	t.Log(version)
	t.Logf("controllers of the apps: %s", read(t, appsGroup+"/cgroup.subtree_control"))
}

// TestLimits looks for each limit where the kernel keeps it, and for what an
// instance uses in the status.
func TestLimits(t *testing.T) {
	configure(t, map[string]string{"demo": demo + `limits:
    memory_max: 100
    memory_high: 80
    cpu_max: 150%
    pids_max: 50
    io_weight: 300
`})
	one := serving(t, "demo")
	dir := leaf(t, one.PID)
	for file, want := range map[string]string{
		"memory.max": strconv.Itoa(100 << 20), "memory.high": strconv.Itoa(80 << 20),
		"cpu.max": "150000 100000", "pids.max": "50",
	} {
		if got := read(t, filepath.Join(dir, file)); got != want {
			t.Errorf("%s is %q, want %q", file, got, want)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "io.weight")); err != nil {
		// Not each kernel has what is behind it. Then that is told.
		journalHas(t, "GRACEVISOR_INSTANCE=demo/"+fmt.Sprint(one.Number), "limit can not be set", "io.weight")
	} else if got := read(t, filepath.Join(dir, "io.weight")); got != "default 300" {
		t.Errorf("io.weight is %q", got)
	}
	if one.Memory <= 0 || one.CPU <= 0 {
		t.Errorf("the instance uses %+v", one)
	}
}

// TestTooMuchCPU keeps a busy app at its share.
func TestTooMuchCPU(t *testing.T) {
	configure(t, map[string]string{"demo": demo, "busy": `command: ["/bin/sh", "-c", "while :; do :; done & exec /usr/local/bin/testapp --port={port}"]
external_port: 8181
limits: {cpu_max: 20%}
`})
	dir := leaf(t, serving(t, "busy").PID)
	await(t, "it to be slowed down", func() (string, bool) {
		stat := read(t, filepath.Join(dir, "cpu.stat"))
		return stat, value(stat, "nr_throttled") > 10
	})
}

// TestTooManyProcesses: what an app may not start it can not.
func TestTooManyProcesses(t *testing.T) {
	configure(t, map[string]string{"demo": demo, "many": `command: ["/bin/sh", "-c", "/usr/local/bin/testapp --port={port} & while :; do sleep 600 & sleep 1; done"]
external_port: 8181
limits: {pids_max: 30}
`})
	dir := leaf(t, serving(t, "many").PID)
	await(t, "a process to be refused", func() (string, bool) {
		if _, err := os.Stat(dir); err != nil {
			dir = leaf(t, serving(t, "many").PID) // it has given up, and was started again
		}
		events := read(t, filepath.Join(dir, "pids.events"))
		return events, value(events, "max") > 0
	})
	serving(t, "demo")
}

// TestOutOfMemory lets an app use more than it may: it is killed, which is told
// as such, and started again; nothing else suffers.
func TestOutOfMemory(t *testing.T) {
	configure(t, map[string]string{"demo": demo, "hungry": `command: ["/bin/sh", "-c", "/usr/local/bin/testapp --port={port} & until [ -e /run/eat.$$ ]; do sleep 0.2; done; exec tail /dev/zero"]
external_port: 8181
limits: {memory_max: 60}
`})
	before, other, daemon := serving(t, "hungry"), serving(t, "demo"), property(t, daemonUnit, "MainPID")
	underLoad(t, func() {
		if err := os.WriteFile(fmt.Sprint("/run/eat.", before.PID), nil, 0o644); err != nil {
			t.Fatal(err)
		}
		await(t, "the hungry app to be replaced", func() (string, bool) {
			a := status(t, "hungry")
			return fmt.Sprintf("%+v", a), a.State == "serving" && len(a.Instances) == 1 && a.Instances[0].PID != before.PID
		})
	})
	journalHas(t, "GRACEVISOR_APP=hungry", "out of memory")
	if a := serving(t, "demo"); a.PID != other.PID {
		t.Errorf("the other app was %d and is %d", other.PID, a.PID)
	}
	if got := property(t, daemonUnit, "MainPID"); got != daemon {
		t.Errorf("the daemon was %s and is %s", daemon, got)
	}
	if got := property(t, appsUnit, "Result"); got != "success" {
		t.Errorf("the unit of the apps says %q", got)
	}
}

// value is the number behind a key of a flat keyed file, or -1.
func value(text, key string) int64 {
	for line := range strings.Lines(text) {
		name, number, _ := strings.Cut(strings.TrimSpace(line), " ")
		if n, err := strconv.ParseInt(number, 10, 64); name == key && err == nil {
			return n
		}
	}
	return -1
}
