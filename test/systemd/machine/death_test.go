package machine

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// victimEnv makes TestVictim boot a machine, for another test to kill it.
const victimEnv = "GV_TEST_VICTIM"

func TestVictim(t *testing.T) {
	if os.Getenv(victimEnv) == "" {
		t.Skip("it is run by TestDeath")
	}
	m := Boot(t)
	if _, err := os.Stdout.WriteString("cgroup " + m.spec.Cgroup + "\n"); err != nil {
		t.Fatal(err)
	}
	<-m.ended // it is killed before
}

// TestDeath kills a test process, or its machine's keeper, and looks for what
// is left.
func TestDeath(t *testing.T) {
	Require(t)
	for _, whom := range []string{"test", "keeper"} {
		t.Run(whom, func(t *testing.T) {
			victim, group := startVictim(t)
			pid := victim.Process.Pid
			if whom == "keeper" {
				pid = childOf(t, pid)
			}
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			_ = victim.Wait() // killed, or failed by the end of its machine
			awaitProcessesGone(t, filepath.Base(group))
			if whom == "keeper" {
				if err := sweepCgroups(filepath.Dir(group)); err != nil {
					t.Error(err)
				}
			}
			awaitGone(t, group)
			assertGone(t, group)
		})
	}
}

// startVictim starts a test process that boots a machine, and returns the
// machine's cgroup.
func startVictim(t *testing.T) (*exec.Cmd, string) {
	t.Helper()
	cmd := exec.Command("/proc/self/exe", "-test.run=^TestVictim$")
	cmd.Env = append(os.Environ(), victimEnv+"=1")
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() }) // it usually has been
	reader := bufio.NewReader(stdout)
	for {
		line, err := reader.ReadString('\n')
		if err != nil {
			t.Fatalf("the victim says %q: %v", line, err)
		}
		if group, ok := strings.CutPrefix(strings.TrimSpace(line), "cgroup "); ok {
			return cmd, group
		}
	}
}

// childOf returns the only child of a process: a test process's keeper.
func childOf(t *testing.T, parent int) int {
	t.Helper()
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", parent))
	if err != nil {
		t.Fatal(err)
	}
	var all string
	for _, task := range tasks {
		children, err := os.ReadFile(task)
		if err != nil {
			t.Fatal(err)
		}
		all += string(children)
	}
	child, err := strconv.Atoi(strings.TrimSpace(all))
	if err != nil {
		t.Fatalf("children of the victim: %q", all)
	}
	return child
}

func awaitProcessesGone(t *testing.T, name string) {
	t.Helper()
	deadline := time.Now().Add(DeadMan)
	for len(processesOf(t, name)) > 0 {
		if time.Now().After(deadline) {
			t.Fatalf("processes are left: %v", processesOf(t, name))
		}
		time.Sleep(poll)
	}
}

func awaitGone(t *testing.T, path string) {
	t.Helper()
	deadline := time.Now().Add(DeadMan)
	for {
		if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("still there: %s", path)
		}
		time.Sleep(poll)
	}
}
