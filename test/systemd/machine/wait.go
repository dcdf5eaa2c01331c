package machine

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Await asks again and again until is returns true, and fails the test with
// what it has last seen if that does not come, or the machine ends.
func (m *Machine) Await(what string, is func() (seen string, ok bool)) {
	m.t.Helper()
	m.await(what, is)
}

func (m *Machine) await(what string, is func() (seen string, ok bool)) {
	m.t.Helper()
	deadline := time.After(DeadMan)
	again := time.NewTicker(poll)
	defer again.Stop()
	for {
		seen, ok := is()
		if ok {
			return
		}
		select {
		case <-again.C:
		case <-m.ended:
			m.t.Fatalf("wait for %s: the machine has ended: %v\n%s", what, m.err, m.console.String())
		case <-deadline:
			m.t.Fatalf("wait for %s: last seen: %s", what, seen)
		}
	}
}

// Property is a property of a unit, as `systemctl show` has it.
func (m *Machine) Property(unit, property string) string {
	m.t.Helper()
	return strings.TrimSuffix(m.Run("systemctl", "show", "--property="+property, "--value", unit), "\n")
}

// AwaitProperty waits until a property has a value.
func (m *Machine) AwaitProperty(unit, property, value string) {
	m.t.Helper()
	m.await(fmt.Sprintf("%s of %s to be %q", property, unit, value), func() (string, bool) {
		seen := m.Property(unit, property)
		return seen, seen == value
	})
}

// AwaitActive waits until a unit is active.
func (m *Machine) AwaitActive(unit string) {
	m.t.Helper()
	m.AwaitProperty(unit, "ActiveState", "active")
}

// MainPID is that of a service, in the machine's view; 0: it has none.
func (m *Machine) MainPID(unit string) int {
	m.t.Helper()
	text := m.Property(unit, "MainPID")
	pid, err := strconv.Atoi(text)
	if err != nil {
		m.t.Fatalf("MainPID of %s: %v", unit, err)
	}
	return pid
}

// Kill sends a signal to a process of the machine.
func (m *Machine) Kill(signal string, pid int) {
	m.t.Helper()
	if pid <= 1 {
		m.t.Fatalf("not a process to send a signal to: %d", pid)
	}
	m.Run("kill", "-s", signal, strconv.Itoa(pid))
}
