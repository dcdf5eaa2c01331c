package machine

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"testing"
	"time"
)

// DeadMan is how long anything is waited for before it counts as hanging. It
// is no expectation of speed.
const DeadMan = time.Minute

// roleEnv makes the test binary a keeper, or the first process of a machine's
// namespaces; its value is a spec as JSON.
const roleEnv = "GV_TEST_MACHINE"

// spec is what the processes of a machine know of it.
type spec struct {
	Role string // keeper or inside
	Name string
	// Cache holds the root file system Root (a name in it), and an empty
	// folder "mnt" over which the machine's own file systems are mounted.
	Cache, Root string
	// Cgroup is the path of the machine's cgroup, in the host's view.
	Cgroup string
}

const (
	roleKeeper = "keeper"
	roleInside = "inside"
)

func init() {
	if os.Getenv(roleEnv) != "" {
		// The parent-death signal comes when the thread that cloned dies.
		runtime.LockOSThread()
	}
}

// mainCalled says that the test binary can be started in another role. Without
// Main that would run all tests again.
var mainCalled bool

// Main runs the tests of a package that boots machines; it is to be called from
// TestMain, and its value is the exit status. In the processes that belong to a
// machine it does their work instead.
func Main(m *testing.M) int {
	mainCalled = true
	role := os.Getenv(roleEnv)
	if role == "" {
		return m.Run()
	}
	if err := play(role); err != nil {
		fmt.Fprintln(os.Stderr, "machine:", err)
		return 1
	}
	return 0
}

func play(role string) error {
	var s spec
	if err := json.Unmarshal([]byte(role), &s); err != nil {
		return fmt.Errorf("read role: %w", err)
	}
	if err := os.Unsetenv(roleEnv); err != nil {
		return err
	}
	switch s.Role {
	case roleKeeper:
		return s.keep()
	case roleInside:
		return s.enter()
	default:
		return fmt.Errorf("unknown role %q", s.Role)
	}
}

// environment is that of a process which plays a role.
func (s spec) environment(role string) ([]string, error) {
	s.Role = role
	text, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("write role: %w", err)
	}
	return append(os.Environ(), roleEnv+"="+string(text)), nil
}
