package machine

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestSideBySide boots two machines at once, with the same files and ports.
func TestSideBySide(t *testing.T) {
	Require(t)
	for i := range 2 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			begin := time.Now()
			m := Boot(t)
			t.Logf("up after %v", time.Since(begin))
			if got := strings.TrimSpace(m.Run("ps", "-o", "comm=", "-p", "1")); got != "systemd" {
				t.Errorf("pid 1 is %q", got)
			}
			m.Write("/etc/gvtest/name", m.spec.Name)
			if got := m.Read("/etc/gvtest/name"); got != m.spec.Name {
				t.Errorf("the file of another machine: %q", got)
			}
			if m.Exists("/etc/gvtest/none") {
				t.Error("a file exists that was never made")
			}
		})
	}
}

func TestCommands(t *testing.T) {
	t.Parallel()
	m := Boot(t)
	got := m.TryInput("in", "sh", "-c", "cat; echo out; echo err >&2; exit 3")
	if got.Stdout != "inout\n" || got.Stderr != "err\n" || got.Code != 3 {
		t.Errorf("got %q", got)
	}
	if got := m.Try("/no/such/program"); got.Code != 127 {
		t.Errorf("got %v", got)
	}
	background := m.Start("sh", "-c", "echo begun; read line </dev/tty; exit 1")
	if background.Code() == 0 || !strings.Contains(background.Output(), "begun") {
		t.Errorf("exit status %d: %s", background.Code(), background.Output())
	}
}

func TestUnitsAndJournal(t *testing.T) {
	t.Parallel()
	m := Boot(t)
	m.Write("/etc/systemd/system/words.service", "[Service]\nExecStart=/bin/sh -c 'echo some words; sleep infinity'\n")
	m.Run("systemctl", "daemon-reload")
	m.Run("systemctl", "start", "words")
	m.AwaitActive("words.service")
	pid := m.MainPID("words.service")
	m.Await("the words", func() (string, bool) {
		entries := m.Journal("--unit=words", fmt.Sprintf("_PID=%d", pid))
		return fmt.Sprint(entries), len(entries) == 1 && entries[0]["MESSAGE"] == "some words"
	})
	m.Kill("KILL", pid)
	m.AwaitProperty("words.service", "Result", "signal")
}

func TestReboot(t *testing.T) {
	t.Parallel()
	m := Boot(t)
	m.Write("/etc/kept", "kept")
	m.Write("/run/lost", "lost")
	before := m.Read("/proc/sys/kernel/random/boot_id") + m.Run("stat", "-c", "%Y", "/proc/1")
	leader := m.leader
	m.Reboot()
	if m.leader == leader {
		t.Errorf("the same systemd: %s", before)
	}
	if m.Read("/etc/kept") != "kept" || m.Exists("/run/lost") {
		t.Error("files are not as after a boot")
	}
	m.PowerOff()
}

// TestDial connects from outside, and finds that the host has no such listener.
func TestDial(t *testing.T) {
	t.Parallel()
	m := Boot(t)
	m.Write("/etc/systemd/system/echo.socket", "[Socket]\nListenStream=127.0.0.1:7\nListenStream=[::1]:7\nAccept=yes\n")
	m.Write("/etc/systemd/system/echo@.service", "[Service]\nExecStart=cat\nStandardInput=socket\n")
	m.Run("systemctl", "daemon-reload")
	m.Run("systemctl", "start", "echo.socket")
	for _, address := range []string{"127.0.0.1:7", "[::1]:7"} {
		conn, err := m.Dial(t.Context(), "tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		if err := conn.SetDeadline(time.Now().Add(DeadMan)); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Write([]byte("words")); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, 5)
		if _, err := conn.Read(got); err != nil || string(got) != "words" {
			t.Errorf("got %q, %v", got, err)
		}
		conn.Close()
	}
	if conn, err := m.Dial(t.Context(), "tcp", "127.0.0.1:9"); err == nil {
		conn.Close()
		t.Error("a port on which nothing listens has answered")
	}
	if _, err := m.Dial(t.Context(), "tcp", "localhost:7"); err == nil {
		t.Error("a name was looked up")
	}
}

// TestNothingLeft ends a machine, and looks for its cgroup and mounts.
func TestNothingLeft(t *testing.T) {
	Require(t)
	var group string
	t.Run("machine", func(t *testing.T) {
		m := Boot(t)
		group = m.spec.Cgroup
		m.Start("sleep", "infinity")
		m.Run("systemd-run", "--quiet", "sleep", "infinity")
		m.Run("setsid", "--fork", "sleep", "infinity")
	})
	assertGone(t, group)
}

func assertGone(t *testing.T, group string) {
	t.Helper()
	if _, err := os.Stat(group); !os.IsNotExist(err) {
		t.Errorf("the cgroup is left: %v", err)
	}
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(mounts), filepath.Join(cacheDir, mountPoint)) {
		t.Errorf("a mount is left:\n%s", mounts)
	}
	if left := processesOf(t, filepath.Base(group)); len(left) > 0 {
		t.Errorf("processes are left: %v", left)
	}
}

// processesOf lists the processes that are in a machine's cgroup, or carry its
// name on their command line.
func processesOf(t *testing.T, name string) (found []string) {
	t.Helper()
	paths, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		group, _ := os.ReadFile(path + "/cgroup") // gone: not left
		line, _ := os.ReadFile(path + "/cmdline")
		if strings.Contains(string(group)+string(line), name) {
			found = append(found, path+" "+string(line))
		}
	}
	return found
}
