package harness

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"gracevisor/test/events"
)

// family starts a test app under a guardian, with children and a grandchild
// that is an orphan in a session of its own; all of them ignore signals.
// It returns the pids of all.
func family(t *testing.T, k *keeper, dir string) []int {
	t.Helper()
	path, err := Binary("testapp")
	if err != nil {
		t.Fatal(err)
	}
	receiver, err := events.Listen(filepath.Join(dir, "events"))
	if err != nil {
		t.Fatal(err)
	}
	defer receiver.Close()
	pid, err := k.start(startOrder{
		Args: []string{path, "--children=2", "--grandchildren=1", "--stubborn", "--ignore-stop", "--say=hello"},
		Env:  []string{events.Env + "=" + filepath.Join(dir, "events")},
		Dir:  dir, Output: filepath.Join(dir, "out"), UID: os.Getuid(),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), DeadMan)
	defer cancel()
	if _, _, err := receiver.Wait(ctx, 0, func(e events.Event) bool { return e.Kind == events.Up }); err != nil {
		t.Fatal(err)
	}
	pids := []int{pid}
	for _, e := range receiver.All() {
		if e.Kind == events.Forked {
			pids = append(pids, e.PID)
		}
	}
	return pids
}

func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := makeDir("gv-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func keep(t *testing.T) *keeper {
	t.Helper()
	k, err := startKeeper()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func alive(pid int) bool { return syscall.Kill(pid, 0) == nil }

func TestGuardianLeavesNothing(t *testing.T) {
	t.Parallel()
	dir := shortDir(t)
	k := keep(t)
	pids := family(t, k, dir)
	all, err := descendants(k.pid())
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 4 || len(pids) != 4 {
		t.Errorf("descendants %v, want %v", all, pids)
	}
	orphan := slices.IndexFunc(all, func(p Process) bool { return p.PID == pids[3] })
	if orphan < 0 || all[orphan].Parent != k.pid() {
		t.Errorf("the grandchild %d is no child of the guardian %d: %v", pids[3], k.pid(), all)
	}
	if err := k.close(); err != nil {
		t.Errorf("close: %v", err)
	}
	for _, pid := range pids {
		if alive(pid) {
			t.Errorf("pid %d lives", pid)
		}
	}
	if text, err := os.ReadFile(filepath.Join(dir, "out")); string(text) != "hello\n" {
		t.Errorf("output %q (%v)", text, err)
	}
}

func TestGuardianTellsExits(t *testing.T) {
	t.Parallel()
	dir := shortDir(t)
	k := keep(t)
	defer k.close()
	run := func(script string) (int, error) {
		return k.start(startOrder{
			Args: []string{"/bin/sh", "-c", script}, Env: []string{"WORD=3"}, Dir: dir,
			Output: filepath.Join(dir, "out"), UID: os.Getuid(),
		})
	}
	ctx, cancel := context.WithTimeout(t.Context(), DeadMan)
	defer cancel()
	pid, err := run("pwd; echo wrong >&2; exit $WORD")
	if err != nil {
		t.Fatal(err)
	}
	if status, err := k.wait(ctx, pid); err != nil || status.ExitStatus() != 3 {
		t.Errorf("exit: %v, %v", status, err)
	}
	if text, err := os.ReadFile(filepath.Join(dir, "out")); string(text) != dir+"\nwrong\n" {
		t.Errorf("output %q (%v)", text, err)
	}
	if err := k.signal(pid, syscall.SIGTERM); err == nil {
		t.Error("a process that has gone can be signalled")
	}
	if err := k.signal(os.Getpid(), 0); err == nil {
		t.Error("a process that the guardian has not started can be signalled")
	}
	if pid, err = run("read forever < /proc/self/fd/1; kill -STOP $$"); err != nil {
		t.Fatal(err)
	}
	if err := k.signal(pid, syscall.SIGKILL); err != nil {
		t.Error(err)
	}
	if status, err := k.wait(ctx, pid); err != nil || status.Signal() != syscall.SIGKILL {
		t.Errorf("kill: %v, %v", status, err)
	}
	// Orphans that end become no zombies.
	if pid, err = run("(true &); exit 0"); err != nil {
		t.Fatal(err)
	}
	if _, err := k.wait(ctx, pid); err != nil {
		t.Error(err)
	}
	for {
		all, err := descendants(k.pid())
		if err != nil {
			t.Fatal(err)
		}
		if len(all) == 0 {
			break
		}
		if ctx.Err() != nil {
			t.Fatalf("left: %v", all)
		}
	}
	if _, err := k.start(startOrder{Args: []string{"/nonexistent"}, Output: filepath.Join(dir, "out"), UID: os.Getuid()}); err == nil {
		t.Error("a program that does not exist was started")
	}
	waiting, stop := context.WithCancel(ctx)
	stop()
	if _, err := k.wait(waiting, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("wait without an exit: %v", err)
	}
}

// victimEnv makes TestVictim one that dies; it holds the folder to use.
const victimEnv = "GV_TEST_VICTIM"

// TestVictim is the test that TestGuardianOutlivesTest kills.
func TestVictim(t *testing.T) {
	dir := os.Getenv(victimEnv)
	if dir == "" {
		t.Skip("only as a process of its own, of another test")
	}
	if _, err := Binary("testapp"); err != nil {
		t.Fatal(err)
	}
	k := keep(t)
	if err := k.removeAtEnd(filepath.Join(dir, "goes")); err != nil {
		t.Fatal(err)
	}
	fmt.Println("pids", family(t, k, dir))
	<-t.Context().Done() // until it is killed
}

// TestGuardianOutlivesTest kills a test process in the middle of its test.
func TestGuardianOutlivesTest(t *testing.T) {
	t.Parallel()
	dir := shortDir(t)
	if err := os.MkdirAll(filepath.Join(dir, "goes", "too"), 0o755); err != nil {
		t.Fatal(err)
	}
	victim := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestVictim$", "-test.count=1", "-test.timeout=5m")
	victim.Env = append(os.Environ(), victimEnv+"="+dir)
	out, err := victim.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := victim.Start(); err != nil {
		t.Fatal(err)
	}
	var pids [4]int
	line, err := bufio.NewReader(out).ReadString('\n')
	if _, scanErr := fmt.Sscanf(line, "pids [%d %d %d %d]", &pids[0], &pids[1], &pids[2], &pids[3]); scanErr != nil {
		t.Errorf("the victim says %q (%v)", line, errors.Join(err, scanErr))
	}
	if err := victim.Process.Kill(); err != nil {
		t.Error(err)
	}
	_ = victim.Wait() // it was killed
	deadline := time.Now().Add(DeadMan)
	for _, pid := range pids {
		for alive(pid) && pid != 0 {
			if time.Now().After(deadline) {
				t.Fatalf("pid %d of %v lives", pid, pids)
			}
			again := time.NewTimer(5 * time.Millisecond)
			<-again.C
		}
	}
	for {
		_, err := os.Stat(filepath.Join(dir, "goes"))
		if errors.Is(err, os.ErrNotExist) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the victim's folder stays (%v)", err)
		}
	}
}

func TestProcessNames(t *testing.T) {
	t.Parallel()
	dir := shortDir(t)
	program, err := os.ReadFile("/bin/sleep")
	if err != nil {
		t.Fatal(err)
	}
	odd := filepath.Join(dir, ") Z 1 (x")
	if err := os.WriteFile(odd, program, 0o755); err != nil {
		t.Fatal(err)
	}
	k := keep(t)
	defer k.close()
	pid, err := k.start(startOrder{Args: []string{odd, "600"}, Dir: dir, Output: filepath.Join(dir, "out"), UID: os.Getuid()})
	if err != nil {
		t.Fatal(err)
	}
	p, err := readProcess(pid)
	if err != nil || p.Name != ") Z 1 (x" || p.Parent != k.pid() || p.State == 'Z' || !strings.Contains(p.String(), "600") {
		t.Errorf("%+v %v", p, err)
	}
	if u, err := UsageOf(pid); err != nil || u.FDs < 3 || u.Threads != 1 || u.Resident == 0 {
		t.Errorf("usage %+v, %v", u, err)
	}
	if _, err := UsageOf(1 << 30); err == nil {
		t.Error("a process that does not exist uses something")
	}
	// Only descendants are killed, whatever they are called.
	if err := killAll([]Process{{PID: os.Getppid()}, p}, k.pid()); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), DeadMan)
	defer cancel()
	if _, err := k.wait(ctx, pid); err != nil {
		t.Error(err)
	}
}
