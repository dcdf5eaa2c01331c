package guest

import (
	"os"
	"path/filepath"
	"testing"
)

// TestLimitsInACgroupThatWasMadeAnew kills everything in the unit of the apps, as
// an out-of-memory daemon may: the limits hold in the cgroup that comes then. The
// daemon is held up until systemd has made it.
func TestLimitsInACgroupThatWasMadeAnew(t *testing.T) {
	configure(t, map[string]string{"demo": demo + "limits: {memory_max: 100, pids_max: 50}\n"})
	before := serving(t, "demo")
	daemon, invocation := property(t, daemonUnit, "MainPID"), property(t, appsUnit, "InvocationID")
	run(t, "kill", "-STOP", daemon)
	if err := os.WriteFile(appsGroup+"/cgroup.kill", []byte("1"), 0); err != nil {
		t.Fatal(err)
	}
	await(t, "the unit of the apps to be started anew", func() (string, bool) {
		now := property(t, appsUnit, "InvocationID")
		return now, now != invocation && property(t, appsUnit, "ActiveState") == "active"
	})
	run(t, "kill", "-CONT", daemon)
	await(t, "another instance", func() (string, bool) {
		one := status(t, "demo")
		return one.State, len(one.Instances) == 1 && one.Instances[0].Active && one.Instances[0].PID != before.PID
	})
	dir := leaf(t, serving(t, "demo").PID)
	if got := read(t, filepath.Join(dir, "memory.max")) + read(t, filepath.Join(dir, "pids.max")); got != "10485760050" {
		t.Errorf("limits are %q", got)
	}
	if now := property(t, daemonUnit, "MainPID"); now != daemon {
		t.Errorf("the daemon was %s and is %s", daemon, now)
	}
}
