package unavailable

import (
	"fmt"
	"os"
	"os/exec"
	"testing"
)

// listVariable names the file that skips are noted in.
const listVariable = "GV_UNTESTED"

// Program returns the path of a program that test/install-deps installs. Without
// it the test is skipped, or fails where CI=true.
func Program(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		Tool(t, fmt.Sprintf("%s is not installed (`make deps` installs it)", name))
	}
	return path
}

// Tool skips the test for want of something that can be installed; where CI=true
// it fails.
func Tool(t testing.TB, why string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal("NOT TESTED: " + why)
	}
	Kernel(t, why)
}

// Kernel skips the test for want of something that this machine can not give.
func Kernel(t testing.TB, why string) {
	t.Helper()
	line := fmt.Sprintf("NOT TESTED: %s: %s", t.Name(), why)
	fmt.Fprintln(os.Stderr, line)
	if err := note(line); err != nil {
		t.Error(err)
	}
	t.Skip(line)
}

// note appends a line to the list of what was not tested, if there is one.
func note(line string) error {
	path := os.Getenv(listVariable)
	if path == "" {
		return nil
	}
	list, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("note what is not tested: %w", err)
	}
	defer list.Close()
	_, err = fmt.Fprintln(list, line) // one write: others append, too
	return err
}
