package process

import (
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestExitInWords(t *testing.T) {
	tests := []struct {
		exit Exit
		want string
	}{
		{Exit{Known: true}, "exit status 0"},
		{Exit{Known: true, Code: 3}, "exit status 3"},
		{Exit{Known: true, Signal: unix.SIGKILL}, "killed by SIGKILL"},
		{Exit{Known: true, Signal: unix.SIGSEGV, CoreDumped: true}, "killed by SIGSEGV (core dumped)"},
		{Exit{Known: true, Signal: 40}, "killed by signal 40"},
		{Exit{}, "exit status unknown"},
	}
	for _, test := range tests {
		if got := test.exit.String(); got != test.want {
			t.Errorf("%+v: got %q, want %q", test.exit, got, test.want)
		}
	}
	if (Exit{}).Success() || !(Exit{Known: true}).Success() || (Exit{Known: true, Code: 1}).Success() {
		t.Error("success is not exit status 0 alone")
	}
}

func TestExitOfApp(t *testing.T) {
	tests := []struct {
		script string
		want   Exit
	}{
		{"exit 0", Exit{Known: true}},
		{"exit 3", Exit{Known: true, Code: 3}},
		{"exit 255", Exit{Known: true, Code: 255}},
		{"kill -TERM $$", Exit{Known: true, Signal: unix.SIGTERM}},
		{"kill -40 $$", Exit{Known: true, Signal: 40}},
		{"ulimit -c 0; kill -SEGV $$", Exit{Known: true, Signal: unix.SIGSEGV}},
	}
	for _, test := range tests {
		a := shell(t, test.script)
		got := a.exit()
		got.CoreDumped = false // whether a pipe in core_pattern counts is the machine's affair
		if got != test.want {
			t.Errorf("%s: got %+v, want %+v", test.script, got, test.want)
		}
		if err := a.Signal(unix.SIGTERM); err != os.ErrProcessDone {
			t.Errorf("%s: signal after the end: %v", test.script, err)
		}
		if err := a.Kill(); err != os.ErrProcessDone {
			t.Errorf("%s: kill after the end: %v", test.script, err)
		}
		if !a.nothingLeft() {
			t.Errorf("%s: something is left", test.script)
		}
	}
}

func TestExitOfStatus(t *testing.T) {
	tests := map[unix.WaitStatus]Exit{
		0:        {Known: true},
		3 << 8:   {Known: true, Code: 3},
		9:        {Known: true, Signal: unix.SIGKILL},
		11 | 128: {Known: true, Signal: unix.SIGSEGV, CoreDumped: true},
	}
	for status, want := range tests {
		if got := exitOfStatus(status); got != want {
			t.Errorf("%#x: got %+v, want %+v", uint32(status), got, want)
		}
	}
}

// kernelTellsExits: PIDFD_INFO_EXIT is there (Linux 6.15).
func kernelTellsExits(t *testing.T) bool {
	t.Helper()
	fd, err := unix.PidfdOpen(os.Getpid(), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	info := unix.PidfdInfo{Mask: unix.PIDFD_INFO_EXIT}
	return unix.IoctlPidfdInfo(fd, &info) == nil
}

// adoptFrom starts a daemon of its own (role_test.go says what each mode does)
// with script as its app, and adopts that app here, though it is not our child.
// The daemon ends when its standard input does.
func adoptFrom(t *testing.T, mode, script string) (adopted, daemon *app, stdin *os.File) {
	t.Helper()
	in, stdin, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stdin.Close() })
	out, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p, err := reaper.Spawn(Child{
		Name: "daemon", Argv: []string{"daemon", roleDaemon, mode, "/bin/sh", "-c", script},
		Env: os.Environ(), Files: []*os.File{in, w, w},
	})
	in.Close()
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	daemon = attach(t, p, out)
	pid := atoi(daemon.line())
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		t.Fatal(err)
	}
	q, err := reaper.Adopt(pid, os.NewFile(uintptr(fd), "pidfd"), "inner/1", nil)
	if err != nil {
		t.Fatal(err)
	}
	return attach(t, q, nil), daemon, stdin
}

func TestExitOfAdoptedStranger(t *testing.T) {
	t.Run("reaped by its parent", func(t *testing.T) {
		adopted, _, _ := adoptFrom(t, "reap", "sleep 1000; exit 1")
		if err := adopted.Signal(unix.SIGUSR1); err != nil {
			t.Fatal(err)
		}
		want := Exit{}
		if kernelTellsExits(t) {
			want = Exit{Signal: unix.SIGUSR1, Known: true}
		}
		if got := adopted.exit(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		adopted.gone()
	})
	t.Run("left a zombie by its parent", func(t *testing.T) {
		adopted, daemon, stdin := adoptFrom(t, "abandon", "sleep 1000; exit 1")
		if err := adopted.Signal(unix.SIGUSR1); err != nil {
			t.Fatal(err)
		}
		if got := adopted.exit(); got.Known {
			t.Errorf("got %s though nobody has reaped it", got)
		}
		stdin.Close()
		daemon.exit()
		adopted.gone()
	})
}

func TestAdoptedOrphanBecomesOurs(t *testing.T) {
	adopted, daemon, stdin := adoptFrom(t, "abandon", "trap 'exit 6' USR2; while :; do sleep 0.01; done")
	stdin.Close()
	daemon.exit()
	// Now it is a child of this process, and managed: no stray.
	strays, err := reaper.Strays()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range strays {
		if s.PID == adopted.PID {
			t.Errorf("it is taken for a stray: %+v", s)
		}
	}
	eventually(t, "the app to handle the signal", func() bool {
		text, err := os.ReadFile(procPath(adopted.PID, "status"))
		return err == nil && !strings.HasSuffix(statusField(string(text), "SigCgt"), "000")
	})
	if err := adopted.Signal(unix.SIGUSR2); err != nil {
		t.Fatal(err)
	}
	if got := adopted.exit(); got != (Exit{Code: 6, Known: true}) {
		t.Errorf("got %+v", got)
	}
	adopted.gone()
}

func TestAdoptRefusesWhatCannotBePolled(t *testing.T) {
	f, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := reaper.Adopt(1, f, "demo/1", nil); err == nil {
		t.Error("a plain file was taken for a pidfd")
	}
	if err := f.Close(); err == nil {
		t.Error("the file was left open")
	}
}
