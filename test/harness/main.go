package harness

import (
	"fmt"
	"os"
	"testing"
	"time"
)

// DeadMan is how long anything is waited for before it counts as hanging. It
// is no expectation of speed.
const DeadMan = time.Minute

// mainCalled says that the test binary can be started as a guardian. Without
// Main that would run all tests again.
var mainCalled bool

// Main runs the tests of a package that uses a Box; it is to be called from
// TestMain, and its value is the exit status. In the guardian's process it
// does the guardian's work instead.
func Main(m *testing.M) int {
	mainCalled = true
	if os.Getenv(guardianEnv) != "" {
		if err := guard(); err != nil {
			fmt.Fprintln(os.Stderr, "guardian:", err)
			return 1
		}
		return 0
	}
	status := m.Run()
	if err := binaries.end(); err != nil {
		fmt.Fprintln(os.Stderr, "harness:", err)
		return 1
	}
	return status
}
