package process

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"gracevisor/test/unavailable"
)

// ownCgroups makes a cgroup of the test's own, or skips.
func ownCgroups(t *testing.T) *Cgroups {
	t.Helper()
	needRoot(t)
	mount, err := cgroupMount()
	if err != nil {
		unavailable.Kernel(t, err.Error())
	}
	own, err := ownCgroup()
	if err != nil {
		unavailable.Kernel(t, err.Error())
	}
	root := filepath.Join(mount, own, fmt.Sprintf("gracevisor-test-%d", os.Getpid()))
	if err := os.Mkdir(root, 0o755); err != nil {
		unavailable.Kernel(t, fmt.Sprintf("cannot make a cgroup: %v", err))
	}
	t.Cleanup(func() {
		if err := (&Leaf{root}).Remove(); err != nil {
			t.Error(err)
		}
	})
	c, err := OpenCgroups(root)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func makeLeaf(t *testing.T, c *Cgroups, instance string, limits Limits) *Leaf {
	t.Helper()
	leaf, unset, err := c.MakeLeaf(instance, limits)
	if err != nil {
		t.Fatal(err)
	}
	for _, limit := range unset {
		t.Logf("not set: %s", limit)
	}
	return leaf
}

// TestLeafHoldsEverything: a stop reaches what has left group and session, and
// the leaf goes with the last process.
func TestLeafHoldsEverything(t *testing.T) {
	leaf := makeLeaf(t, ownCgroups(t), "demo/7", Limits{})
	a := run(t, Spec{
		Name: "demo/7", Leaf: leaf,
		Argv: []string{"/bin/sh", "-c", `(setsid sh -c 'trap "" TERM; echo away; while :; do read x </dev/zero; done' &) ; exec sleep 1000`},
	})
	if got := a.line(); got != "away" {
		t.Fatalf("app says %q", got)
	}
	if pids, err := leaf.PIDs(); err != nil || len(pids) < 2 {
		t.Fatalf("the leaf holds %v, %v", pids, err)
	}
	if leaf.Empty() {
		t.Error("the leaf counts as empty")
	}
	for _, pid := range a.members() {
		if !a.Owns(pid) {
			t.Errorf("pid %d is not the instance's", pid)
		}
	}
	if a.Owns(os.Getpid()) {
		t.Error("the test is the instance's")
	}
	if err := a.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	a.exit()
	if a.nothingLeft() {
		t.Fatal("the process in a session of its own is forgotten")
	}
	if err := a.Kill(); err != nil {
		t.Fatal(err)
	}
	a.gone()
	if _, err := os.Stat(leaf.path); !os.IsNotExist(err) {
		t.Errorf("the leaf is still there: %v", err)
	}
}

func TestLeafSignalsEachOnce(t *testing.T) {
	leaf := makeLeaf(t, ownCgroups(t), "demo/8", Limits{})
	a := run(t, Spec{
		Name: "demo/8", Leaf: leaf,
		Argv: []string{"/bin/sh", "-c", `exec 2>/dev/null; trap 'echo main' USR1; (setsid sh -c 'trap "echo away; exit" USR1; echo ready; while :; do sleep 0.05; done') & while :; do sleep 0.05; done`},
	})
	if got := a.line(); got != "ready" {
		t.Fatalf("app says %q", got)
	}
	if err := a.Signal(syscall.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	got := map[string]int{a.line(): 1}
	got[a.line()]++
	if got["main"] != 1 || got["away"] != 1 {
		t.Errorf("signalled: %v", got)
	}
	if err := a.Kill(); err != nil {
		t.Fatal(err)
	}
	a.exit()
	a.gone()
}

// TestEndLeaves: what lives in a leaf that nobody knows is ended, and the leaf goes;
// others stay.
func TestEndLeaves(t *testing.T) {
	c := ownCgroups(t)
	known := makeLeaf(t, c, "known/1", Limits{})
	makeLeaf(t, c, "empty/2", Limits{})
	unknown := makeLeaf(t, c, "unknown/3", Limits{})
	a := run(t, Spec{Argv: []string{"sh", "-c", "setsid sleep 1000 & exec sleep 1000"}, Leaf: unknown})
	ended, err := c.EndLeaves(func(leaf string) bool { return leaf == LeafName("known/1") })
	if err != nil || fmt.Sprint(ended) != "[app-empty-2 app-unknown-3]" {
		t.Errorf("ended %v, %v", ended, err)
	}
	if exit := a.exit(); exit.Signal != unix.SIGKILL {
		t.Errorf("the process in it: %s", exit)
	}
	if _, err := os.Stat(known.path); err != nil {
		t.Error(err)
	}
	for _, leaf := range []string{"empty/2", "unknown/3"} {
		if c.FindLeaf(leaf) != nil {
			t.Errorf("the leaf of %s is still there", leaf)
		}
	}
}

func TestLimitsAsFiles(t *testing.T) {
	l := Limits{MemoryMax: 100 << 20, MemoryHigh: 80 << 20, CPUMax: 1500, PidsMax: 64, IOWeight: 50}
	want := map[string]string{
		"memory.max": "104857600", "memory.high": "83886080",
		"cpu.max": "150000 100000", "pids.max": "64", "io.weight": "default 50",
	}
	got := l.files()
	if len(got) != len(want) {
		t.Errorf("files: %v", got)
	}
	for name, text := range want {
		if got[name] != text {
			t.Errorf("%s = %q, want %q", name, got[name], text)
		}
	}
	if files := (Limits{}).files(); len(files) != 0 {
		t.Errorf("no limits give %v", files)
	}
}

// TestLimitsThatCannotBeSetAreTold, where a controller is missing.
func TestLimitsThatCannotBeSetAreTold(t *testing.T) {
	c := ownCgroups(t)
	leaf, unset, err := c.MakeLeaf("demo/9", Limits{MemoryMax: 64 << 20, PidsMax: 16})
	if err != nil {
		t.Fatal(err)
	}
	set := 0
	for _, name := range []string{"memory.max", "pids.max"} {
		if unix.Access(filepath.Join(leaf.path, name), unix.R_OK) == nil {
			set++
		}
	}
	if set+len(unset) != 2 {
		t.Errorf("%d limits are set, and told as unset: %v", set, unset)
	}
	if err := leaf.Remove(); err != nil {
		t.Error(err)
	}
	if err := leaf.Kill(); err != nil {
		t.Errorf("kill of a leaf that has gone: %v", err)
	}
	if !leaf.Empty() {
		t.Error("a leaf that has gone is not empty")
	}
}

func TestCgroupValue(t *testing.T) {
	const text = "populated 1\nfrozen 0\noom_kill 3\n"
	for key, want := range map[string]int64{"populated": 1, "frozen": 0, "oom_kill": 3, "oom": -1, "": -1} {
		if got := cgroupValue(text, key); got != want {
			t.Errorf("%s = %d, want %d", key, got, want)
		}
	}
}
