package systemd

import (
	"path"
	"strconv"
	"strings"
	"testing"
)

// appsGroup is the delegated cgroup.
const appsGroup = "/gracevisor.slice/gracevisor-apps.service"

// cgroup is that of a process.
func (s *service) cgroup(pid int) string {
	s.t.Helper()
	// The host may have hierarchies of the first version beside it.
	return strings.TrimSpace(s.Run("sed", "-n", "s/^0:://p", "/proc/"+strconv.Itoa(pid)+"/cgroup"))
}

// members are the processes of a cgroup, those below it included. A group may go
// while it is looked at.
func (s *service) members(group string) []string {
	s.t.Helper()
	return strings.Fields(s.Shell("cd /sys/fs/cgroup; [ -d ." + group + " ] || exit 0; find ." + group + " -name cgroup.procs -exec cat {} + || :"))
}

// TestLeaves looks where processes are: each instance with all that it has
// started in a leaf of its own, which goes with it.
func TestLeaves(t *testing.T) {
	t.Parallel()
	s := installed(t, demo("--children=1", "--grandchildren=2", "--stubborn"))
	first := s.awaitServing("demo")
	leaf := s.cgroup(first)
	if !strings.HasPrefix(leaf, appsGroup+"/") {
		t.Errorf("the app is in %s", leaf)
	}
	s.awaitMembers(leaf, 4)
	if got := s.cgroup(s.worker()); !strings.HasPrefix(got, appsGroup+"/") || got == leaf {
		t.Errorf("the worker is in %s", got)
	}
	if got := s.members("/gracevisor.slice/" + daemonUnit); len(got) != 1 || got[0] != strconv.Itoa(s.MainPID(daemonUnit)) {
		t.Errorf("besides the daemon in its unit: %q", got)
	}

	s.Run("gracevisorctl", "restart", "--wait=drained", "demo")
	s.awaitGroupGone(leaf)
	next := s.cgroup(s.awaitServing("demo"))
	if next == leaf || path.Dir(next) != path.Dir(leaf) {
		t.Errorf("the next instance is in %s", next)
	}
	s.awaitMembers(next, 4)

	s.Run("gracevisorctl", "kill", "demo")
	s.awaitGroupGone(next)
	next = s.cgroup(s.awaitServing("demo"))
	s.awaitMembers(next, 4)

	s.Run("gracevisorctl", "stop", "demo")
	s.awaitGroupGone(next)
	if left := s.processes("testapp"); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
}

func (s *service) awaitMembers(group string, n int) {
	s.t.Helper()
	s.Await(strconv.Itoa(n)+" processes in "+group, func() (string, bool) {
		members := s.members(group)
		return strings.Join(members, " "), len(members) == n
	})
}

func (s *service) awaitGroupGone(group string) {
	s.t.Helper()
	s.Await(group+" to go", func() (string, bool) {
		return strings.Join(s.members(group), " "), !s.Exists("/sys/fs/cgroup" + group)
	})
}

// TestHolderDies kills the holder's process, and lets systemd start again
// itself: apps stay where they are.
func TestHolderDies(t *testing.T) {
	t.Parallel()
	s := installed(t, demo())
	before := s.awaitServing("demo")
	leaf := s.cgroup(before)
	holder := s.members(appsGroup + "/holder")
	if len(holder) != 1 {
		t.Fatalf("the holder's processes: %q", holder)
	}
	s.underLoad(func() {
		s.Run("kill", "-KILL", holder[0])
		s.Run("systemctl", "daemon-reload")
		s.Run("systemctl", "daemon-reexec")
		s.Run("systemctl", "restart", daemonUnit)
	})
	if after := s.awaitServing("demo"); after != before || s.cgroup(after) != leaf {
		t.Errorf("the app was %d in %s and is %d in %s", before, leaf, after, s.cgroup(after))
	}
	s.Run("gracevisorctl", "restart", "demo")
	if got := s.cgroup(s.awaitServing("demo")); !strings.HasPrefix(got, appsGroup+"/") {
		t.Errorf("the next instance is in %s", got)
	}
}
