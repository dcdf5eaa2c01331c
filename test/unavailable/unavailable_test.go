package unavailable

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// reasonVariable makes the test binary skip for a reason.
const reasonVariable = "GV_TEST_REASON"

// TestEnds: what can be installed fails where it has to be there, what can not is
// skipped; either is noted when it is skipped.
func TestEnds(t *testing.T) {
	switch os.Getenv(reasonVariable) {
	case "tool":
		Program(t, "no-such-program")
		t.Fatal("it goes on")
	case "kernel":
		Kernel(t, "no such kernel")
		t.Fatal("it goes on")
	}
	for _, c := range []struct {
		reason, ci string
		result     string
		noted      bool
	}{
		{"tool", "true", "--- FAIL", false},
		{"tool", "", "--- SKIP", true},
		{"kernel", "true", "--- SKIP", true},
		{"kernel", "", "--- SKIP", true},
	} {
		list := filepath.Join(t.TempDir(), "untested")
		cmd := exec.Command("/proc/self/exe", "-test.run=^TestEnds$", "-test.v")
		cmd.Env = append(os.Environ(), reasonVariable+"="+c.reason, "CI="+c.ci, listVariable+"="+list)
		out, _ := cmd.CombinedOutput() // the status is in it
		said, err := os.ReadFile(list)
		if !strings.Contains(string(out), c.result) || (err == nil) != c.noted || c.noted != strings.HasPrefix(string(said), "NOT TESTED: TestEnds: no") {
			t.Errorf("%s, CI=%q: noted %q in %q (%v):\n%s", c.reason, c.ci, said, list, err, out)
		}
	}
}
