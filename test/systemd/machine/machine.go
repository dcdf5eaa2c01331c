package machine

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// poll is the time between two questions for the same state.
const poll = 20 * time.Millisecond

// Machine is a booted systemd.
type Machine struct {
	t        testing.TB
	spec     spec
	keeper   *exec.Cmd
	lifeline io.Closer
	console  output
	ended    chan struct{} // closed when the keeper has exited
	err      error         // of the keeper; to be read after ended

	mu     sync.Mutex
	leader int      // systemd's pid in the host's view
	net    *os.File // the machine's network namespace
}

// Boot boots a machine, which is gone when the test ends. It returns once
// systemd says that it is up, and fails the test if any unit has failed.
func Boot(t testing.TB) *Machine {
	t.Helper()
	Require(t)
	m := &Machine{t: t, spec: local.next(), ended: make(chan struct{})}
	if err := m.start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			m.explain()
		}
		if err := m.close(); err != nil {
			t.Error(err)
		}
	})
	m.awaitUp(0)
	return m
}

func (m *Machine) start() error {
	env, err := m.spec.environment(roleKeeper)
	if err != nil {
		return err
	}
	read, write, err := os.Pipe()
	if err != nil {
		return err
	}
	defer read.Close()
	m.keeper = exec.Command("/proc/self/exe")
	m.keeper.Env = env
	m.keeper.Stdin = read
	m.keeper.Stdout, m.keeper.Stderr = &m.console, &m.console
	// What ends the test from a terminal must not end the keeper.
	m.keeper.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := m.keeper.Start(); err != nil {
		return errors.Join(fmt.Errorf("start keeper: %w", err), write.Close())
	}
	m.lifeline = write
	// Ends with the keeper, which ends with the lifeline.
	go func() {
		defer close(m.ended)
		m.err = m.keeper.Wait()
	}()
	return nil
}

// close ends the machine with all that is in it.
func (m *Machine) close() error {
	err := m.lifeline.Close()
	select {
	case <-m.ended:
	case <-time.After(DeadMan):
		return errors.Join(err, errors.New("end machine: its keeper does not exit"))
	}
	if m.err != nil {
		err = errors.Join(err, fmt.Errorf("end machine: %w\n%s", m.err, m.console.String()))
	}
	if m.net != nil {
		err = errors.Join(err, m.net.Close())
	}
	return err
}

// awaitUp waits until a leader other than the one named is up.
func (m *Machine) awaitUp(before int) {
	m.t.Helper()
	m.await("the machine to boot", func() (string, bool) {
		leader, err := m.findLeader()
		if err != nil || leader == before {
			return fmt.Sprint("leader ", leader, ": ", err), false
		}
		m.become(leader)
		// Before systemd listens, systemctl fails.
		result := m.Try("systemctl", "is-system-running")
		state := strings.TrimSpace(result.Stdout)
		return state + result.Stderr, state == "running" || state == "degraded"
	})
	if state := m.Try("systemctl", "is-system-running"); state.Code != 0 {
		m.t.Fatalf("the machine is %s%s", state.Stdout, m.Try("systemctl", "--failed", "--no-legend").Stdout)
	}
}

// findLeader returns the pid of the machine's systemd in the host's view.
func (m *Machine) findLeader() (int, error) {
	text, err := os.ReadFile(filepath.Join(m.spec.Cgroup, "payload/init.scope/cgroup.procs"))
	if err != nil {
		return 0, err
	}
	for _, field := range strings.Fields(string(text)) {
		pid, err := strconv.Atoi(field)
		if err != nil {
			return 0, err
		}
		status, err := os.ReadFile("/proc/" + field + "/status")
		if err != nil {
			continue // it has just ended
		}
		if isLeader(string(status)) {
			return pid, nil
		}
	}
	return 0, errors.New("no systemd yet")
}

// isLeader reports whether a status (proc(5)) is that of a systemd which is
// the first process of its pid namespace.
func isLeader(status string) bool {
	named, first := false, false
	for line := range strings.Lines(status) {
		fields := strings.Fields(line)
		switch {
		case len(fields) < 2:
		case fields[0] == "Name:":
			named = fields[1] == "systemd"
		case fields[0] == "NSpid:":
			first = fields[len(fields)-1] == "1"
		}
	}
	return named && first
}

// become makes a process the leader: commands and connections go there.
func (m *Machine) become(leader int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.leader == leader {
		return
	}
	file, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", leader))
	if err != nil {
		return // it has ended; awaitUp goes on
	}
	if m.net != nil {
		_ = m.net.Close() // nobody dials while the machine boots
	}
	m.leader, m.net = leader, file
}

// Reboot shuts the machine down in order, and boots it again with the files
// that it has then, but those in /run and /tmp.
func (m *Machine) Reboot() {
	m.t.Helper()
	m.RebootWhile(func() {})
}

// RebootWhile is Reboot that does something once the machine was told to shut
// down.
func (m *Machine) RebootWhile(do func()) {
	m.t.Helper()
	before := m.leader
	m.Run("systemctl", "--no-block", "reboot")
	do()
	m.awaitUp(before)
}

// PowerOff shuts the machine down in order, and waits until it is off.
func (m *Machine) PowerOff() {
	m.t.Helper()
	m.Run("systemctl", "--no-block", "poweroff")
	select {
	case <-m.ended:
	case <-time.After(DeadMan):
		m.t.Fatalf("the machine does not power off\n%s", m.console.String())
	}
}
