package packaging

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// machine is a daemon with all its files in a folder, and the init script for
// it.
type machine struct {
	*testing.T
	dir    string
	script string
	env    []string
}

func newMachine(t *testing.T) *machine {
	script, err := filepath.Abs("init.d/gracevisor")
	if err != nil {
		t.Fatal(err)
	}
	// A short path: it has a socket in it.
	dir, err := os.MkdirTemp("", "init")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if out, err := exec.Command("go", "build", "-buildvcs=false", "-o", dir, "gracevisor/cmd/gracevisord", "gracevisor/cmd/gracevisorctl").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	m := &machine{T: t, dir: dir, script: script}
	m.env = append(os.Environ(), "DEFAULTS="+m.path("defaults"))
	write(t, m.path("defaults"), strings.Join([]string{
		"DAEMON=" + m.path("gracevisord"), "CONTROL=" + m.path("gracevisorctl"), "CONF=" + m.path("etc"),
		"PIDFILE=" + m.path("pid"), "RUNTIME_DIRECTORY=" + m.path("run"),
	}, "\n")+"\n")
	m.configure("")
	t.Cleanup(func() {
		if pid := m.pid(); pid > 0 {
			m.do("stop")
		}
	})
	return m
}

func (m *machine) path(name string) string { return filepath.Join(m.dir, name) }

func (m *machine) configure(more string) {
	m.Helper()
	write(m.T, m.path("etc/gracevisor.yaml"), "rpc: {port: 0}\nlogger: {log_dir: "+m.path("log")+"}\n"+more)
}

// pid is that of the daemon, or 0.
func (m *machine) pid() int {
	text, err := os.ReadFile(m.path("pid"))
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		m.Fatal(err)
	}
	return pid
}

// do runs the script and returns its exit status and what it says.
func (m *machine) do(action string) (status int, said string) {
	m.Helper()
	cmd := exec.Command(m.script, action)
	cmd.Env = m.env
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		m.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(out)
}

// want holds that an action has a status, and says something.
func (m *machine) want(action string, status int, says string) {
	m.Helper()
	got, said := m.do(action)
	if got != status || !strings.Contains(said, says) {
		m.Fatalf("%s: status %d, want %d: %q, want %q", action, got, status, said, says)
	}
}

// alive reports whether a process runs; a zombie does not.
func alive(pid int) bool {
	status, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	return err == nil && !strings.Contains(string(status), "State:\tZ")
}

func TestInitScript(t *testing.T) {
	m := newMachine(t)
	m.want("status", 3, "not running")
	m.want("stop", 0, "not running")
	m.want("reload", 7, "not running")
	m.want("try-restart", 0, "")
	if m.pid() != 0 {
		t.Fatal("try-restart has started it")
	}

	m.want("start", 0, "started")
	first := m.pid()
	m.want("status", 0, "running, pid "+strconv.Itoa(first))
	m.want("start", 0, "already running")
	m.want("reload", 0, "")
	m.want("force-reload", 0, "")
	if m.pid() != first || !alive(first) {
		t.Fatalf("pid %d became %d", first, m.pid())
	}

	m.want("restart", 0, "started")
	second := m.pid()
	if second == first || alive(first) || !alive(second) {
		t.Fatalf("restart: pid %d became %d", first, second)
	}
	m.want("try-restart", 0, "started")
	third := m.pid()

	m.configure("aps: []\n")
	m.want("reload", 1, "reload has failed")
	m.want("restart", 6, "unknown key")
	if m.pid() != third || !alive(third) {
		t.Fatal("a broken configuration has ended the daemon")
	}

	m.want("stop", 0, "stopped")
	if alive(third) || m.pid() != 0 {
		t.Fatal("stop leaves something")
	}
	m.want("start", 6, "unknown key")
	m.want("status", 3, "not running")
}

func TestInitScriptAfterACrash(t *testing.T) {
	m := newMachine(t)
	m.want("start", 0, "started")
	if err := syscall.Kill(m.pid(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); alive(m.pid()); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it does not die")
		}
	}
	m.want("status", 1, "not running, but")
	m.want("start", 0, "started")
	m.want("status", 0, "running")
}

func TestInitScriptRefuses(t *testing.T) {
	m := newMachine(t)
	m.want("", 2, "usage")
	m.want("destroy", 2, "usage")
	if err := os.Remove(m.path("etc/gracevisor.yaml")); err != nil {
		t.Fatal(err)
	}
	m.want("start", 6, "there is no")
	if err := os.Remove(m.path("gracevisord")); err != nil {
		t.Fatal(err)
	}
	m.want("start", 5, "not installed")
	m.want("status", 5, "not installed")
	m.want("stop", 0, "")
}
