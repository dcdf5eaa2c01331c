package systemd

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"gracevisor/internal/control"
	"gracevisor/test/load"
	"gracevisor/test/siege"
	"gracevisor/test/systemd/machine"
)

// Units of the package.
const (
	daemonUnit = "gracevisor.service"
	socketUnit = "gracevisor.socket"
	appsUnit   = "gracevisor-apps.service"
	targetUnit = "gracevisor-running.target"
)

// service is the package in a machine.
type service struct {
	*machine.Machine
	t *testing.T
}

// boot boots a machine that has the test app, and not yet the package.
func boot(t *testing.T) *service {
	t.Helper()
	machine.Require(t)
	app, err := built.testapp()
	if err != nil {
		t.Fatal(err)
	}
	s := &service{machine.Boot(t), t}
	t.Cleanup(s.explainHang)
	s.Copy(app, "/usr/local/bin/testapp")
	return s
}

// explainHang lets a daemon that does not come to an end tell what its goroutines
// do, for the journal that a failed test prints.
func (s *service) explainHang() {
	if !s.t.Failed() || !strings.HasPrefix(s.Property(daemonUnit, "ActiveState"), "deactivating") {
		return
	}
	s.Kill("QUIT", s.MainPID(daemonUnit))
	s.AwaitProperty(daemonUnit, "ActiveState", "failed")
}

// app is an app's file in apps.d.
type app struct {
	name    string
	port    int    // external; on all loopback addresses
	command string // default: the test app on {port}
	flags   []string
	keys    string // further lines of YAML
	// asDaemon: the app runs as the daemon's user.
	asDaemon bool
}

func (a app) yaml() string {
	command := a.command
	if command == "" {
		command = "/usr/local/bin/testapp --port={port}"
	}
	text := fmt.Sprintf("name: %s\ncommand: %s\n", a.name, strings.Join(append([]string{command}, a.flags...), " "))
	if !a.asDaemon {
		text += "user: {username: www-data}\n"
	}
	if a.port != 0 {
		text += fmt.Sprintf("external_port: %d\n", a.port)
	}
	return text + a.keys
}

// demo is an app with a health check on port 8080.
func demo(flags ...string) app {
	return app{name: "demo", port: 8080, flags: flags, keys: "healthcheck: /health\n"}
}

// configure writes apps' files. It tells nobody.
func (s *service) configure(apps ...app) {
	s.t.Helper()
	for _, a := range apps {
		s.Write("/etc/gracevisor/apps.d/"+a.name+".yaml", a.yaml())
	}
}

// installed boots a machine, configures apps, installs the package, and waits
// until the apps serve.
func installed(t *testing.T, apps ...app) *service {
	t.Helper()
	s := boot(t)
	s.configure(apps...)
	s.install(firstVersion)
	s.awaitDaemon()
	for _, a := range apps {
		s.awaitServing(a.name)
	}
	return s
}

// install installs a version of the package, or changes to it, as an
// administrator would, and returns what apt has said.
func (s *service) install(version string) string {
	s.t.Helper()
	said, err := s.tryInstall(version)
	if err != nil {
		s.t.Fatal(err)
	}
	return said
}

// tryInstall may be called from any goroutine.
func (s *service) tryInstall(version string) (string, error) {
	there, err := s.putDeb(version)
	if err != nil {
		return "", err
	}
	result := s.Try("apt-get", "install", "--yes", "--allow-downgrades", "-o", "Dpkg::Use-Pty=0", there)
	if result.Code != 0 {
		return "", fmt.Errorf("%v", result)
	}
	return result.Stdout + result.Stderr, nil
}

// putDeb copies the package of a version into the machine, and returns its path
// there.
func (s *service) putDeb(version string) (string, error) {
	path, err := built.deb(version)
	if err != nil {
		return "", err
	}
	deb, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	there := "/root/" + filepath.Base(path)
	if result := s.TryInput(string(deb), "dd", "status=none", "of="+there); result.Code != 0 {
		return "", fmt.Errorf("%v", result)
	}
	return there, nil
}

// awaitDaemon waits until the daemon is up, and fails the test once it has failed
// to start again and again.
func (s *service) awaitDaemon() {
	s.t.Helper()
	s.Await("the daemon to be up", func() (string, bool) {
		seen := s.Run("systemctl", "show", "--property=ActiveState,SubState,NRestarts,Result", daemonUnit)
		if n, err := strconv.Atoi(s.Property(daemonUnit, "NRestarts")); err == nil && n >= 20 {
			s.t.Fatalf("the daemon does not start: %s", seen)
		}
		return seen, strings.Contains(seen, "ActiveState=active\n")
	})
}

// status asks the daemon.
func (s *service) status() (*control.Status, error) {
	result := s.Try("gracevisorctl", "--json", "status")
	if result.Code != 0 {
		return nil, fmt.Errorf("%v", result)
	}
	var status control.Status
	if err := json.Unmarshal([]byte(result.Stdout), &status); err != nil {
		return nil, fmt.Errorf("read status: %w", err)
	}
	return &status, nil
}

// awaitApp waits until an app is as it should be.
func (s *service) awaitApp(name, what string, so func(control.AppStatus) bool) control.AppStatus {
	s.t.Helper()
	var found control.AppStatus
	s.Await(name+" "+what, func() (string, bool) {
		status, err := s.status()
		if err != nil {
			return err.Error(), false
		}
		for _, a := range status.Apps {
			if a.Name == name {
				found = a
				return fmt.Sprintf("%+v", a), so(a)
			}
		}
		return fmt.Sprintf("no such app: %+v", status.Apps), false
	})
	return found
}

// awaitServing waits until an app has one instance, which serves, and returns
// its pid.
func (s *service) awaitServing(name string) int {
	s.t.Helper()
	a := s.awaitApp(name, "to serve", func(a control.AppStatus) bool {
		return a.State == "serving" && len(a.Instances) == 1 && a.Instances[0].Active
	})
	return a.Instances[0].PID
}

// worker waits until there is one worker, and returns its pid.
func (s *service) worker() int {
	s.t.Helper()
	pid := 0
	s.Await("one worker", func() (string, bool) {
		status, err := s.status()
		if err != nil {
			return err.Error(), false
		}
		if len(status.Workers) == 1 {
			pid = status.Workers[0].PID
		}
		return fmt.Sprintf("%+v", status.Workers), len(status.Workers) == 1
	})
	return pid
}

// answer is an answer of the test app.
type answer struct {
	status, pid int
	body        string
}

// get makes one request from outside, on a connection of its own.
func (s *service) get(port int, path string) (answer, error) {
	return s.getFrom("127.0.0.1", port, path)
}

func (s *service) getFrom(host string, port int, path string) (answer, error) {
	ctx, cancel := context.WithTimeout(s.t.Context(), machine.DeadMan)
	defer cancel()
	address := net.JoinHostPort(host, strconv.Itoa(port))
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+path, nil)
	if err != nil {
		return answer{}, err
	}
	transport := &http.Transport{DisableKeepAlives: true, DialContext: s.Dial}
	defer transport.CloseIdleConnections()
	response, err := transport.RoundTrip(request)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return answer{}, err
	}
	pid, _ := strconv.Atoi(response.Header.Get("X-Pid")) // 0: the app was not asked
	return answer{response.StatusCode, pid, string(body)}, nil
}

// mustGet makes a request that the app has to answer, and returns its pid.
func (s *service) mustGet(port int, path string) int {
	s.t.Helper()
	got, err := s.get(port, path)
	if err != nil {
		s.t.Fatal(err)
	}
	if got.status != http.StatusOK || got.pid == 0 {
		s.t.Fatalf("GET %s: %+v", path, got)
	}
	return got.pid
}

// dropIn changes the daemon's unit, from its next start on.
func (s *service) dropIn(lines string) {
	s.t.Helper()
	s.Write("/etc/systemd/system/"+daemonUnit+".d/test.conf", "[Service]\n"+lines)
}

// underLoad does something while clients of all kinds ask the app on port 8080,
// and fails the test if any of their requests has failed. What is done begins
// when each client has been served, and the load goes on after it until each
// has been served again.
func (s *service) underLoad(do func()) {
	s.t.Helper()
	traffic, err := load.Start(load.Options{
		Address: "127.0.0.1:8080", Dial: s.Dial, Clients: load.Mix(12), Pause: siege.Pause,
	})
	if err != nil {
		s.t.Fatal(err)
	}
	defer traffic.Stop()
	served := func(n int) error {
		ctx, cancel := context.WithTimeout(s.t.Context(), machine.DeadMan)
		defer cancel()
		return traffic.Await(ctx, n)
	}
	if err := served(1); err != nil {
		s.t.Fatal(err)
	}
	do()
	if err := served(2); err != nil {
		s.t.Error(err)
	}
	report := traffic.Stop()
	s.t.Logf("load:\n%v", report)
	if report.Failures() > 0 {
		s.t.Errorf("%d of %d requests have failed", report.Failures(), report.Requests())
	}
}

// processes returns the command lines of processes of the machine that have a
// word in them, but for the commands of the test.
func (s *service) processes(word string) []string {
	s.t.Helper()
	var found []string
	for _, line := range strings.Split(s.Run("ps", "-eo", "pid=,args="), "\n") {
		if strings.Contains(line, word) {
			found = append(found, strings.TrimSpace(line))
		}
	}
	return found
}

func lines(text string) []string { return strings.Split(strings.TrimSpace(text), "\n") }
