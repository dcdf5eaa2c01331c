package process

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// imitate makes a folder look like a delegated cgroup, in which no controller is
// enabled yet: for what a machine without controllers can not show.
func imitate(t *testing.T, root string) {
	t.Helper()
	if err := os.Mkdir(root, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"cgroup.controllers": "memory pids\n", "cgroup.subtree_control": "", "cgroup.procs": ""} {
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// goneCgroups are those of a root that is there no more.
func goneCgroups(t *testing.T) (root string, c *Cgroups) {
	t.Helper()
	root = filepath.Join(t.TempDir(), "apps")
	imitate(t, root)
	c, err := OpenCgroups(root)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(root); err != nil {
		t.Fatal(err)
	}
	return root, c
}

// TestLeafInACgroupThatWasMadeAnew: the one that was opened has gone, with all that
// lived in it, and the next one comes later, with no controller enabled.
func TestLeafInACgroupThatWasMadeAnew(t *testing.T) {
	root, c := goneCgroups(t)
	made := make(chan error, 1)
	// Ends with the leaf.
	go func() {
		_, _, err := c.MakeLeaf("demo/7", Limits{})
		made <- err
	}()
	next := root + ".next"
	imitate(t, next)
	select {
	case err := <-made:
		t.Fatalf("a leaf of a cgroup that is not there: %v", err)
	case <-time.After(2 * firstLook): // it has looked, most likely
	}
	if err := os.Rename(next, root); err != nil {
		t.Fatal(err)
	}
	if err := <-made; err != nil {
		t.Fatal(err)
	}
	enabled, err := os.ReadFile(filepath.Join(root, "cgroup.subtree_control"))
	if err != nil || !strings.Contains(string(enabled), "+pids") {
		t.Errorf("enabled is %q: %v", enabled, err)
	}
	if c.FindLeaf("demo/7") == nil {
		t.Error("the leaf is not there")
	}
}

// TestLeafOfARemovedCgroup: the same with what the kernel does.
func TestLeafOfARemovedCgroup(t *testing.T) {
	c := ownCgroups(t)
	if err := (&Leaf{c.Root()}).Remove(); err != nil {
		t.Fatal(err)
	}
	made := make(chan error, 1)
	// Ends with the leaf.
	go func() {
		_, _, err := c.MakeLeaf("demo/8", Limits{})
		made <- err
	}()
	if err := os.Mkdir(c.Root(), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := <-made; err != nil {
		t.Fatal(err)
	}
	a := run(t, Spec{Name: "demo/8", Leaf: c.FindLeaf("demo/8"), Argv: []string{"true"}})
	a.exit()
	a.gone()
}

// TestLeafWhereNoneCanBeMade: what no waiting helps against is told at once.
func TestLeafWhereNoneCanBeMade(t *testing.T) {
	root, c := goneCgroups(t)
	if err := os.WriteFile(root, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.MakeLeaf("demo/9", Limits{}); err == nil || !strings.Contains(err.Error(), "make cgroup of demo/9") {
		t.Error(err)
	}
}
