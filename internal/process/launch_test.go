package process

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestAppGetsStandardDescriptorsOnly(t *testing.T) {
	// What the daemon was started with by a careless parent has no CLOEXEC.
	leaked, err := unix.Dup(2)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(leaked)
	// ls is a child and looks at the waiting shell, which is the app.
	a := shell(t, `ls /proc/$$/fd; readlink /proc/$$/fd/0; exit 0`)
	if got := a.rest(); got != "0\n1\n2\n/dev/null\n" {
		t.Errorf("got %q (%d was leaked to the daemon)", got, leaked)
	}
}

func TestDescriptorsAreMarkedWithoutCloseRange(t *testing.T) {
	const first = 700
	var fds []int
	for range 3 {
		fd, err := unix.FcntlInt(2, unix.F_DUPFD, first-1)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(fd)
		fds = append(fds, fd)
	}
	if err := closeEachOnExec(first); err != nil {
		t.Fatal(err)
	}
	for _, fd := range fds {
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
		if err != nil || (flags&unix.FD_CLOEXEC != 0) != (fd >= first) {
			t.Errorf("descriptor %d has flags %d, %v", fd, flags, err)
		}
	}
}

func TestAppGetsBlockingOutput(t *testing.T) {
	a := shell(t, `cat /proc/$$/fdinfo/1`)
	for _, line := range strings.Split(a.rest(), "\n") {
		if text, ok := strings.CutPrefix(line, "flags:"); ok {
			flags, err := strconv.ParseUint(strings.TrimSpace(text), 8, 64)
			if err != nil || flags&unix.O_NONBLOCK != 0 {
				t.Errorf("standard output has flags %s", text)
			}
			return
		}
	}
	t.Error("no flags seen")
}

func TestAppLeadsASession(t *testing.T) {
	a := shell(t, `cat /proc/$$/stat`)
	stat, err := parseStat(a.line())
	if err != nil {
		t.Fatal(err)
	}
	if stat.pid != a.PID || stat.session != a.PID || stat.group != a.PID || stat.parent != os.Getpid() {
		t.Errorf("got %+v, want pid, group and session %d below %d", stat, a.PID, os.Getpid())
	}
}

func TestAppGetsWhatTheSpecSays(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	a := run(t, Spec{
		Argv:  []string{"sh", "-c", `umask; pwd; printf '%s\n' "$0" "$@"; printf '%s\n' "$OWN"`, "zero", "", "a b", "\xff"},
		Env:   []string{"OWN=\xe4", "OWN=last"},
		Dir:   dir,
		Umask: 0o027,
	})
	want := "0027\n" + dir + "\nzero\n\na b\n\xff\nlast\n"
	if got := a.rest(); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if exit := a.exit(); !exit.Success() {
		t.Error(exit)
	}
}

func TestEnvironmentOfApp(t *testing.T) {
	for _, name := range []string{"NOTIFY_SOCKET", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "WATCHDOG_USEC", "WATCHDOG_PID", "RPC_TOKEN", "HOME"} {
		t.Setenv(name, "must not arrive")
	}
	t.Setenv("LANG", "de_DE.UTF-8")
	t.Setenv("TZ", "Europe/Berlin")
	t.Setenv("PATH", "relative:/usr/bin:/bin")
	own, err := user.LookupId(strconv.Itoa(os.Geteuid()))
	if err != nil {
		t.Skipf("SKIPPED: this user has no account: %v", err)
	}
	a := run(t, Spec{Name: "demo/7", Argv: []string{"env"}, Env: []string{"TZ=UTC", "KEY=a=b", "EMPTY="}})
	got := strings.Split(strings.TrimSpace(a.rest()), "\n")
	want := []string{
		"GRACEVISOR_APP=demo", "GRACEVISOR_INSTANCE=demo/7", "PATH=/usr/bin:/bin",
		"HOME=" + own.HomeDir, "USER=" + own.Username, "LOGNAME=" + own.Username, "SHELL=" + shellOf(own.Username),
		"LANG=de_DE.UTF-8", "TZ=UTC", "KEY=a=b", "EMPTY=",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestNoLauncherTellsTheEnvironment(t *testing.T) {
	a := prepare(t, Spec{Argv: []string{"env", "secret-word"}, Env: []string{"KEY=secret-value"}})
	for _, file := range []string{"cmdline", "environ"} {
		var text []byte
		// ForkExec returns in the midst of execve(2), when descriptors are
		// closed and arguments not yet there.
		eventually(t, file, func() (there bool) {
			var err error
			if text, err = os.ReadFile(procPath(a.PID, file)); err != nil {
				t.Fatal(err)
			}
			return len(text) > 0
		})
		if bytes.Contains(text, []byte("secret")) {
			t.Errorf("%s of the launcher is %q", file, text)
		}
	}
}

func TestSignalStateIsReset(t *testing.T) {
	check := func(t *testing.T, status string) {
		t.Helper()
		for _, field := range []string{"SigBlk", "SigIgn", "SigPnd"} {
			if got := statusField(status, field); got != "0000000000000000" {
				t.Errorf("%s is %s", field, got)
			}
		}
	}
	t.Run("ignored by the daemon", func(t *testing.T) {
		out, err := tool(t, self(t), roleDaemon, "ignore", "/bin/cat", "/proc/self/status")
		if err != nil {
			t.Fatal(err, out)
		}
		check(t, out)
	})
	t.Run("ignored when the daemon was started", func(t *testing.T) {
		script := `trap '' HUP INT QUIT PIPE TERM USR1 USR2 TSTP TTIN TTOU; exec "$0" "$@"`
		out, err := tool(t, "/bin/sh", "-c", script, self(t), roleDaemon, "start", "/bin/cat", "/proc/self/status")
		if err != nil {
			t.Fatal(err, out)
		}
		check(t, out)
	})
}

func TestSoftFileLimitIsThatOfTheDaemon(t *testing.T) {
	// Go's runtime raises the limit in the daemon and again in the launcher.
	out, err := tool(t, "/bin/sh", "-c", `ulimit -Sn 777; exec "$0" "$@"`,
		self(t), roleDaemon, "start", "/bin/sh", "-c", "ulimit -Sn; ulimit -Hn")
	if err != nil {
		t.Fatal(err, out)
	}
	var hard unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &hard); err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("777\n%d\n", hard.Max); out != want {
		t.Errorf("got %q, want %q", out, want)
	}
}

func TestProtectionFromOOMKillerIsDropped(t *testing.T) {
	needRoot(t)
	script := `echo -500 > /proc/self/oom_score_adj || exit 9; exec "$0" "$@"`
	out, err := tool(t, "/bin/sh", "-c", script, self(t), roleDaemon, "start", "/bin/cat", "/proc/self/oom_score_adj")
	if err != nil {
		t.Skipf("SKIPPED: oom_score_adj may not be lowered here: %v %s", err, out)
	}
	if out != "0\n" {
		t.Errorf("got %q", out)
	}
}

// tool runs a program that is no app to its end, as a child that the reaper
// knows, and returns its output.
func tool(t *testing.T, argv ...string) (string, error) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p, err := reaper.Spawn(Child{Name: "tool", Path: argv[0], Argv: argv, Env: os.Environ(), Files: []*os.File{nil, w, w}})
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	a := attach(t, p, r)
	out := a.rest()
	if exit := a.exit(); !exit.Success() {
		return out, fmt.Errorf("%s: %s", argv[0], exit)
	}
	return out, nil
}

func TestLaunchFailures(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string, mode fs.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	plain := write("plain", "#!/bin/sh\n", 0o644)
	noHeader := write("noheader", "echo hello\n", 0o755)
	badHeader := write("badheader", "#!/no/such/interpreter\n", 0o755)
	command := func(argv ...string) Spec { return Spec{Argv: argv} }
	tests := []struct {
		name string
		spec Spec
		want string
	}{
		{"unknown user", Spec{Argv: []string{"true"}, User: "no-such-user"}, `user "no-such-user" does not exist`},
		{"number that is none", Spec{Argv: []string{"true"}, User: "4294967295"}, `user "4294967295" does not exist`},
		{"missing directory", Spec{Argv: []string{"true"}, Dir: dir + "/none"}, "none\" does not exist"},
		{"directory that is a file", Spec{Argv: []string{"true"}, Dir: plain}, "not a directory"},
		{"command not in PATH", command("no-such-command"), `command "no-such-command" not found in PATH "`},
		{"empty PATH", Spec{Argv: []string{"true"}, Env: []string{"PATH="}}, `not found in PATH ""`},
		{"command does not exist", command(dir + "/none"), "does not exist"},
		{"command is not executable", command(plain), "is not executable"},
		{"found but not executable", Spec{Argv: []string{"plain"}, Env: []string{"PATH=/none:" + dir}}, "is not executable"},
		{"command is a directory", command(dir), "is a directory"},
		{"no #! line", command(noHeader), `no "#!" line`},
		{"interpreter missing", command(badHeader), `interpreter of its "#!" line`},
		{"too long", Spec{Argv: []string{"true", strings.Repeat("x", 1<<20)}}, "argument list too long"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			a := prepare(t, test.spec)
			a.release()
			err := a.Launched()
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), a.Name) {
				t.Errorf("got %v, want something with %q", err, test.want)
			}
			if exit := a.exit(); exit.Code != exitFailed {
				t.Errorf("launcher: %s", exit)
			}
			if out := a.rest(); out != "" {
				t.Errorf("the app's output has %q", out)
			}
			if again := a.Launched(); err != nil && (again == nil || again.Error() != err.Error()) {
				t.Errorf("asked again: %v", again)
			}
		})
	}
}

func TestCommandIsFoundAsTheAppWould(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	script := "#!/bin/sh\necho \"$0 $1\"\n"
	if err := os.WriteFile(filepath.Join(dir, "bin", "tool"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	tests := []struct{ path, word, want string }{
		{"PATH=/usr/bin:/bin:" + dir + "/bin", "tool", dir + "/bin/tool x\n"},
		{"PATH=bin", "tool", "bin/tool x\n"},
		{"PATH=/none", "bin/tool", "bin/tool x\n"},
	}
	for _, test := range tests {
		a := run(t, Spec{Argv: []string{test.word, "x"}, Env: []string{test.path}, Dir: dir})
		if got := a.rest(); got != test.want {
			t.Errorf("%s with %s: got %q, want %q", test.word, test.path, got, test.want)
		}
	}
}

func TestNothingRunsBeforeGo(t *testing.T) {
	mark := filepath.Join(t.TempDir(), "ran")
	a := prepare(t, Spec{Argv: []string{"touch", mark}})
	if err := a.Kill(); err != nil {
		t.Fatal(err)
	}
	if exit := a.exit(); exit.Signal != unix.SIGKILL {
		t.Errorf("launcher: %s", exit)
	}
	if err := a.Launched(); err == nil || !strings.Contains(err.Error(), "killed by SIGKILL") {
		t.Errorf("launched: %v", err)
	}
	if err := a.Go(); err == nil {
		t.Error("a dead launcher was let go")
	}
	if _, err := os.Stat(mark); err == nil {
		t.Error("the app ran")
	}
}

func TestLauncherEndsWithItsDaemon(t *testing.T) {
	mark := filepath.Join(t.TempDir(), "ran")
	in, stdin, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p, err := reaper.Spawn(Child{
		Name: "daemon", Argv: []string{"daemon", roleDaemon, "hold", "touch", mark},
		Env: os.Environ(), Files: []*os.File{in, w, w},
	})
	in.Close()
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	daemon := attach(t, p, r)
	launcher, err := unix.PidfdOpen(atoi(daemon.line()), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(launcher)
	// The daemon alone: not its launcher, which has a session of its own.
	if err := unix.Kill(daemon.PID, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	daemon.exit()
	eventually(t, "the launcher to end", func() bool { return readable(launcher) })
	if _, err := os.Stat(mark); err == nil {
		t.Error("the app ran")
	}
}

func TestLaunchRoleByHand(t *testing.T) {
	out, err := tool(t, self(t), LaunchRole, "demo/1")
	if err == nil || !strings.Contains(out, "by itself") {
		t.Errorf("got %q, %v", out, err)
	}
}

func TestSpawn(t *testing.T) {
	t.Run("missing binary", func(t *testing.T) {
		_, err := reaper.Spawn(Child{Name: "worker", Path: "/no/such/binary", Argv: []string{"x"}})
		if err == nil || !strings.Contains(err.Error(), "/no/such/binary") || !strings.Contains(err.Error(), "worker") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("replaced binary", func(t *testing.T) {
		p, err := reaper.Spawn(Child{Name: "worker", Path: "/bin/sh (deleted)", Argv: []string{"sh", "-c", "exit 4"}})
		if err != nil {
			t.Fatal(err)
		}
		if exit := p.Wait(); exit.Code != 4 {
			t.Error(exit)
		}
		if p.Go() != nil || p.Launched() != nil {
			t.Error("a process without launcher has one")
		}
	})
	t.Run("closed file", func(t *testing.T) {
		f, err := os.Open(os.DevNull)
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
		if _, err := reaper.Spawn(Child{Name: "worker", Path: "/bin/true", Argv: []string{"x"}, Files: []*os.File{f}}); err == nil {
			t.Error("it was started")
		}
	})
}
