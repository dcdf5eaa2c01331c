package process

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func TestExitsAreNotStolen(t *testing.T) {
	// Each app dies at once and leaves an orphan that dies at once; SIGCHLDs of
	// both kinds are mixed.
	var all sync.WaitGroup
	for i := range 40 {
		all.Go(func() {
			p, err := reaper.Spawn(Child{
				Name: fmt.Sprintf("storm/%d", i), Path: "/bin/sh",
				Argv: []string{"sh", "-c", fmt.Sprintf("sh -c 'sh -c : &' & exit %d", i)},
			})
			if err != nil {
				t.Error(err)
				return
			}
			if exit := p.Wait(); exit != (Exit{Code: i, Known: true}) {
				t.Errorf("%s: %s", p.Name, exit)
			}
			if err := p.Leftovers(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	eventually(t, "all children to be reaped", func() bool { return len(children(t)) == 0 })
}

// children are all of this process, whoever's.
func children(t *testing.T) []int {
	t.Helper()
	pids, err := childrenOf(selfPID)
	if err != nil {
		t.Fatal(err)
	}
	return pids
}

func TestReaperGoesOnBehindAManagedZombie(t *testing.T) {
	// A dead process whose Wait nobody has called keeps its exit.
	p, err := reaper.Spawn(Child{Name: "late/1", Path: "/bin/sh", Argv: []string{"sh", "-c", "sh -c 'sh -c : &'; exit 9"}})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "it to die", func() bool {
		stat, err := readStat(p.PID)
		return err == nil && stat.zombie()
	})
	if !executing(p.PID) || executing(os.Getpid()) {
		t.Error("what has no arguments is not told from what has")
	}
	reaper.sweep()
	if exit := p.Wait(); exit.Code != 9 {
		t.Errorf("got %s", exit)
	}
	eventually(t, "orphans to be reaped", func() bool { return len(children(t)) == 0 })
}

// A script between untilUSR1 and waiting ends at exitAlone.
const (
	untilUSR1 = `trap 'exit 0' USR1; `
	waiting   = `while :; do sleep 0.01; done`
)

// exitAlone ends the main process, and nothing else of its group.
func (a *app) exitAlone() {
	a.t.Helper()
	if err := unix.Kill(a.PID, unix.SIGUSR1); err != nil {
		a.t.Fatal(err)
	}
	if exit := a.exit(); !exit.Success() {
		a.t.Fatal(exit)
	}
}

func TestStraysAreAttributed(t *testing.T) {
	needTool(t, "setsid")
	// The main process ends when both have settled: what was seen in its group
	// once stays attributed.
	a := shell(t, untilUSR1+`setsid sh -c 'echo $$; exec sleep 1000' &
		setsid env -i /bin/sh -c 'echo $$; exec sleep 1001' & `+waiting)
	pids := []int{atoi(a.line()), atoi(a.line())}
	a.exitAlone()
	find := func(pid int) (Stray, bool) {
		strays, err := reaper.Strays()
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(strays, func(s Stray) bool { return s.PID == pid })
		if i < 0 {
			return Stray{}, false
		}
		return strays[i], true
	}
	var lost int
	for _, pid := range pids {
		stray, ok := find(pid)
		switch {
		case !ok || stray.Comm != "sleep" && stray.Comm != "sh":
			t.Errorf("stray %d: %+v, %t", pid, stray, ok)
		case stray.Instance == "":
			lost++
			if stray.Why != "its environment names no instance" {
				t.Errorf("got why %q", stray.Why)
			}
			// What no stop reaches is the test's to end.
			defer eventually(t, "the lost one to be reaped", func() bool { return !exists(pid) })
			defer unix.Kill(pid, unix.SIGKILL)
		case stray.Instance != a.Name || stray.Why != "":
			t.Errorf("got %+v, want it to be of %s", stray, a.Name)
		}
	}
	if lost != 1 {
		t.Errorf("%d strays are of no instance, want the one without environment", lost)
	}
}

func TestStrayKeepsItsInstance(t *testing.T) {
	needTool(t, "setsid")
	// It is seen with its environment first, and then changes it.
	a := shell(t, untilUSR1+`setsid sh -c 'trap "exec env -i /bin/sh -c \"echo changed; sleep 1000\"" USR1
		echo $$; while :; do sleep 0.01; done' & `+waiting)
	a.line()
	a.exitAlone()
	if err := a.Signal(unix.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	if got := a.line(); got != "changed" {
		t.Fatal(got)
	}
	if a.nothingLeft() {
		t.Error("nothing is said to be left")
	}
	// And so does its child, which has had no environment from the beginning.
	if err := a.Kill(); err != nil {
		t.Fatal(err)
	}
	a.gone()
	eventually(t, "the child of the stray to be reaped", func() bool { return len(children(t)) == 0 })
}

func TestStrayOfAnInstanceThatHasGone(t *testing.T) {
	needTool(t, "setsid")
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	// Not an instance of this reaper, but its environment says one.
	p, err := reaper.Spawn(Child{
		Name: "outer/1", Path: "/bin/sh", Env: []string{EnvInstance + "=gone/1"},
		Argv:  []string{"sh", "-c", untilUSR1 + `setsid sh -c 'echo $$; exec sleep 1000' & ` + waiting},
		Files: []*os.File{nil, w},
	})
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	a := attach(t, p, r)
	pid := atoi(a.line())
	defer eventually(t, "the stray to be reaped", func() bool { return !exists(pid) })
	defer unix.Kill(pid, unix.SIGKILL)
	a.exitAlone()
	strays, err := reaper.Strays()
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(strays, func(s Stray) bool { return s.PID == pid })
	if i < 0 || strays[i].Instance != "" || !strings.Contains(strays[i].Why, "gone/1 has gone") {
		t.Errorf("got %+v", strays)
	}
}

func TestFirstProcessReapsEverybody(t *testing.T) {
	needRoot(t)
	needTool(t, "setsid")
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	reaper.mu.Lock()
	pidfd := -1
	pid, err := syscall.ForkExec(self(t), []string{"init", roleDaemon, "first"}, &syscall.ProcAttr{
		Env:   os.Environ(),
		Files: []uintptr{0, w.Fd(), w.Fd()},
		Sys: &syscall.SysProcAttr{
			Setsid: true, PidFD: &pidfd,
			Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS, Unshareflags: syscall.CLONE_NEWNS,
		},
	})
	w.Close()
	if err != nil {
		reaper.mu.Unlock()
		r.Close()
		t.Skipf("SKIPPED: no namespace of processes to be had: %v", err)
	}
	file, err := pollable(pidfd)
	if err != nil {
		t.Fatal(err)
	}
	p := reaper.register(pid, file, "init")
	reaper.mu.Unlock()
	a := attach(t, p, r)
	if got := a.rest(); got != "exit status 5\n" {
		t.Errorf("got %q", got)
	}
	if exit := a.exit(); !exit.Success() {
		t.Error(exit)
	}
}
