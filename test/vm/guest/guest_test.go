package guest

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"gracevisor/internal/control"
	"gracevisor/test/load"
	"gracevisor/test/siege"
)

// guestEnv says that this is the machine, which may be dealt with at will.
const guestEnv = "GRACEVISOR_GUEST"

const (
	daemonUnit = "gracevisor.service"
	appsUnit   = "gracevisor-apps.service"
	// appsGroup is the delegated cgroup.
	appsGroup = "/sys/fs/cgroup/gracevisor.slice/gracevisor-apps.service"
	// deadMan is how long anything is waited for; the processor is emulated.
	deadMan = 3 * time.Minute
	poll    = 50 * time.Millisecond
)

func TestMain(m *testing.M) {
	if os.Getenv(guestEnv) == "" {
		fmt.Println("SKIPPED: these tests are for the machine of make test-vm")
		return
	}
	install := exec.Command("apt-get", "install", "--yes", "-o", "Dpkg::Use-Pty=0", "/root/gracevisor.deb")
	install.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	if out, err := install.CombinedOutput(); err != nil {
		fmt.Printf("install: %v\n%s", err, out)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// run runs a command that has to succeed, and returns what it says.
func run(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command(args[0], args[1:]...).CombinedOutput()
	if err != nil {
		t.Fatalf("%q: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}

// await waits for a state, and fails the test with what it has last seen.
func await(t *testing.T, what string, is func() (seen string, ok bool)) {
	t.Helper()
	for deadline := time.Now().Add(deadMan); ; time.Sleep(poll) {
		seen, ok := is()
		if ok {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("wait for %s: last seen: %s\n%s", what, seen, run(t, "journalctl", "--no-pager", "--lines=60"))
		}
	}
}

// configure makes these the apps, by their lines of YAML after the name.
func configure(t *testing.T, apps map[string]string) {
	t.Helper()
	old, err := filepath.Glob("/etc/gracevisor/apps.d/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range old {
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range apps {
		text = "name: " + name + "\nuser: {username: www-data}\n" + text
		if err := os.WriteFile("/etc/gracevisor/apps.d/"+name+".yaml", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run(t, "gracevisorctl", "update")
}

// demo is an app on port 8080.
const demo = "command: /usr/local/bin/testapp --port={port}\nhealthcheck: /health\nexternal_port: 8080\n"

func status(t *testing.T, name string) (found control.AppStatus) {
	t.Helper()
	var all control.Status
	if err := json.Unmarshal([]byte(run(t, "gracevisorctl", "--json", "status")), &all); err != nil {
		t.Fatal(err)
	}
	for _, a := range all.Apps {
		if a.Name == name {
			return a
		}
	}
	t.Fatalf("no app %s in %+v", name, all.Apps)
	return found
}

// serving waits until an app has one instance, which serves.
func serving(t *testing.T, name string) (one control.InstanceStatus) {
	t.Helper()
	await(t, name+" to serve", func() (string, bool) {
		a := status(t, name)
		if a.State != "serving" || len(a.Instances) != 1 || !a.Instances[0].Active {
			return fmt.Sprintf("%+v", a), false
		}
		one = a.Instances[0]
		return "", true
	})
	return one
}

// leaf is the folder of the cgroup that a process is in.
func leaf(t *testing.T, pid int) string {
	t.Helper()
	path, ok := strings.CutPrefix(read(t, "/proc/"+strconv.Itoa(pid)+"/cgroup"), "0::")
	if !ok || !strings.HasPrefix("/sys/fs/cgroup"+path, appsGroup+"/") {
		t.Fatalf("pid %d is in the cgroup %q", pid, path)
	}
	return "/sys/fs/cgroup" + path
}

func property(t *testing.T, unit, name string) string {
	t.Helper()
	return run(t, "systemctl", "show", "--property="+name, "--value", unit)
}

// journalHas waits for an entry of the journal that has all these words.
func journalHas(t *testing.T, selection string, words ...string) {
	t.Helper()
	await(t, fmt.Sprintf("%q in the journal", words), func() (string, bool) {
		text := run(t, "journalctl", "--quiet", "--no-pager", "--output=cat", selection)
		for line := range strings.Lines(text) {
			missing := false
			for _, word := range words {
				missing = missing || !strings.Contains(line, word)
			}
			if !missing {
				return "", true
			}
		}
		return text, false
	})
}

// underLoad does something while clients of all kinds ask the app on port 8080.
func underLoad(t *testing.T, do func()) {
	t.Helper()
	traffic, err := load.Start(load.Options{Address: "127.0.0.1:8080", Clients: load.Mix(6), Pause: siege.Pause})
	if err != nil {
		t.Fatal(err)
	}
	defer traffic.Stop()
	served := func(n int) error {
		ctx, cancel := context.WithTimeout(t.Context(), deadMan)
		defer cancel()
		return traffic.Await(ctx, n)
	}
	if err := served(1); err != nil {
		t.Fatal(err)
	}
	do()
	if err := served(2); err != nil {
		t.Error(err)
	}
	report := traffic.Stop()
	t.Logf("load:\n%v", report)
	if report.Failures() > 0 {
		t.Errorf("%d of %d requests have failed", report.Failures(), report.Requests())
	}
}
