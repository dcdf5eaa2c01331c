package worker

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"gracevisor/internal/process"
	"gracevisor/internal/wire"
	"gracevisor/test/unavailable"
)

// roleEnv makes the test binary another program: "worker" is the worker, and
// "confined" one that tells what it can still do without its rights.
const roleEnv = "GRACEVISOR_TEST_ROLE"

func TestMain(m *testing.M) {
	switch os.Getenv(roleEnv) {
	case "worker":
		os.Exit(status(Main()))
	case "confined":
		os.Exit(status(confined()))
	}
	os.Exit(m.Run())
}

func status(err error) int {
	if err != nil {
		os.Stderr.WriteString(err.Error() + "\n")
		return 1
	}
	return 0
}

// role is a command that makes the test binary another program. One that hangs
// is killed.
func role(t *testing.T, name string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe")
	cmd.Env = []string{roleEnv + "=" + name, "GORACE=atexit_sleep_ms=0", "TZ=Europe/Berlin"}
	return cmd
}

// A child is a worker process.
type child struct {
	*supervisor
	pid   int
	ended chan error // takes how it has ended
}

// spawn starts a worker process, in a session of its own as the daemon does.
func spawn(t *testing.T) *child {
	t.Helper()
	ours, theirs, err := wire.Pair()
	if err != nil {
		t.Fatal(err)
	}
	defer theirs.Close()
	cmd := role(t, "worker")
	cmd.ExtraFiles = []*os.File{theirs}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	c := &child{supervisor: talk(t, ours), ended: make(chan error, 1)}
	cmd.Stderr = &c.log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c.pid = cmd.Process.Pid
	gone := make(chan struct{})
	go func() { // ends with the process, which ends with the conversation
		defer close(gone)
		c.ended <- cmd.Wait()
	}()
	t.Cleanup(func() {
		c.conn.Close()
		select {
		case <-gone:
		case <-time.After(deadMan):
			t.Errorf("the worker does not end; its log: %s", c.log.String())
			_ = cmd.Process.Kill()
			<-gone
		}
	})
	return c
}

// end waits for the process to end, with status 0.
func (c *child) end() {
	c.t.Helper()
	select {
	case err := <-c.ended:
		if err != nil {
			c.t.Errorf("the worker ended with %v; its log: %s", err, c.log.String())
		}
	case <-time.After(deadMan):
		c.t.Errorf("the worker does not end; its log: %s", c.log.String())
	}
}

// procStatus reads a field of proc_pid_status(5) of each thread.
func procStatus(t *testing.T, pid int, field string) (values []string) {
	t.Helper()
	files, err := filepath.Glob("/proc/" + strconv.Itoa(pid) + "/task/*/status")
	if err != nil || len(files) == 0 {
		t.Fatalf("there is no process %d: %v", pid, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
			continue // a thread that has ended
		}
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if value, ok := strings.CutPrefix(line, field+":"); ok {
				values = append(values, strings.Join(strings.Fields(value), " "))
			}
		}
	}
	return values
}

// all fails unless the field is the same in all threads.
func (c *child) all(field, want string) {
	c.t.Helper()
	for _, value := range procStatus(c.t, c.pid, field) {
		if value != want {
			c.t.Errorf("%s is %q, not %q", field, value, want)
		}
	}
}

// TestProcess: the process has dropped its rights when it says that it is ready,
// in all threads; and it serves.
func TestProcess(t *testing.T) {
	c := spawn(t)
	if ready := c.greet(); ready.PID != c.pid {
		t.Errorf("got %+v, not pid %d", *ready, c.pid)
	}
	c.all("NoNewPrivs", "1")
	if os.Geteuid() == 0 {
		uid, gid, err := process.ProxyAccount()
		if err != nil {
			t.Fatal(err)
		}
		u, g := strconv.Itoa(uid), strconv.Itoa(gid)
		c.all("Uid", strings.Join([]string{u, u, u, u}, " "))
		c.all("Gid", strings.Join([]string{g, g, g, g}, " "))
		c.all("Groups", g)
		for _, set := range []string{"CapPrm", "CapEff", "CapInh", "CapAmb"} {
			c.all(set, "0000000000000000")
		}
	}
	i := newInstance(t, "a/1")
	l := c.listen("a")
	c.app("a", i.Instance)
	c.apply()
	client := dial(t, l)
	client.served(i)
	client.Close()
	c.conn.Close()
	c.end()
	if log := c.log.String(); !strings.Contains(log, `"msg":"the supervisor has gone; draining"`) {
		t.Errorf("got %q", log)
	}
}

// TestSignals: INT and HUP, which a terminal sends to everybody, do nothing; TERM
// makes the worker leave when its last client has gone.
func TestSignals(t *testing.T) {
	c := spawn(t)
	c.greet()
	i := newInstance(t, "a/1")
	l := c.listen("a")
	c.app("a", i.Instance)
	c.apply()
	client := dial(t, l)
	client.ask()
	<-i.asked
	kill := func(s syscall.Signal) {
		t.Helper()
		if err := syscall.Kill(c.pid, s); err != nil {
			t.Fatal(err)
		}
	}
	kill(syscall.SIGINT)
	kill(syscall.SIGHUP)
	kill(syscall.SIGTERM)
	i.let <- struct{}{}
	if !client.answered() {
		for !client.served(i) { // until the signal has come
		}
	}
	client.Close()
	c.end()
}

// TestStartedByHand: without a supervisor there is nothing to do.
func TestStartedByHand(t *testing.T) {
	out, err := role(t, "worker").CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 1 || !strings.Contains(string(out), "a worker is started by the daemon only") {
		t.Errorf("got %v, %q", err, out)
	}
}

// A finding is what a confined process tells.
type finding struct {
	UID, GID int
	Groups   []int
	// Opened are the files that could be opened nevertheless.
	Opened []string
	Local  string // the name of the local time zone
}

// forbidden are files that no worker has a reason to open.
func forbidden() []string {
	return []string{"/etc/passwd", "/dev/null", "/proc/self/status", "/", os.TempDir(), "."}
}

func confined() error {
	if err := dropRights(); err != nil {
		return err
	}
	f := finding{UID: os.Getuid(), GID: os.Getgid()}
	f.Groups, _ = os.Getgroups()
	f.Local, _ = time.Now().Zone()
	for _, path := range forbidden() {
		if file, err := os.Open(path); err == nil {
			f.Opened = append(f.Opened, path)
			file.Close()
		}
	}
	if file, err := os.CreateTemp("", "worker"); err == nil {
		f.Opened = append(f.Opened, file.Name())
		file.Close()
	}
	if err := json.NewEncoder(os.Stdout).Encode(f); err != nil {
		return err
	}
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}

// landlockABI is that of the kernel, or 0 without landlock
// (landlock_create_ruleset(2)).
func landlockABI() int {
	const version = 1 // LANDLOCK_CREATE_RULESET_VERSION
	abi, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, version)
	if errno != 0 {
		return 0
	}
	return int(abi)
}

// TestConfinement: a worker that somebody has taken over can open no file.
func TestConfinement(t *testing.T) {
	cmd := role(t, "confined")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(stdout).ReadBytes('\n')
	if err != nil {
		t.Fatalf("it said nothing: %v, %v", err, cmd.Wait())
	}
	var f finding
	if err := json.Unmarshal(line, &f); err != nil {
		t.Fatal(err)
	}
	for _, value := range procStatus(t, cmd.Process.Pid, "NoNewPrivs") {
		if value != "1" {
			t.Errorf("a thread can gain privileges: %s", value)
		}
	}
	stdin.Close()
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	if os.Geteuid() == 0 {
		f.isNobody(t)
	}
	if _, err := time.LoadLocation("Europe/Berlin"); err == nil && !strings.HasPrefix(f.Local, "CE") {
		t.Errorf("the local time is that of %q: it must be read before the files are out of reach", f.Local)
	}
	if landlockABI() < 1 {
		unavailable.Kernel(t, "what files a worker can open: this kernel has no landlock")
	}
	if len(f.Opened) > 0 {
		t.Errorf("it could open %q", f.Opened)
	}
}

// isNobody fails unless the process was run by the account of the proxy.
func (f *finding) isNobody(t *testing.T) {
	t.Helper()
	account, err := user.LookupId(strconv.Itoa(f.UID))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains([]string{"gracevisor-proxy", "nobody"}, account.Username) {
		t.Errorf("it is run by %s", account.Username)
	}
	if account.Gid != strconv.Itoa(f.GID) || !slices.Equal(f.Groups, []int{f.GID}) {
		t.Errorf("its group is %d, with %d beside it", f.GID, f.Groups)
	}
}
