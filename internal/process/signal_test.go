package process

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestSignalArrivesOnce(t *testing.T) {
	a := run(t, Spec{Argv: []string{self(t), roleApp, "count"}})
	if got := a.line(); got != "ready" {
		t.Fatal(got)
	}
	for range 3 {
		if err := a.Signal(countedSignal); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.Signal(endSignal); err != nil {
		t.Fatal(err)
	}
	if got, want := a.rest(), "counted\ncounted\ncounted\nend\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestSignalReachesTheGroup(t *testing.T) {
	a := shell(t, `trap 'wait; echo main; exit 5' TERM
		sh -c 'trap "echo child; exit" TERM; echo up; `+waiting+`' & wait`)
	a.line()
	if err := a.Signal(unix.SIGTERM); err != nil {
		t.Fatal(err)
	}
	got := strings.Split(strings.TrimSpace(a.rest()), "\n")
	if !slices.Contains(got, "child") || !slices.Contains(got, "main") {
		t.Errorf("got %q", got)
	}
	if exit := a.exit(); exit.Code != 5 {
		t.Error(exit)
	}
}

func TestLeftoversAreFoundAndKilled(t *testing.T) {
	needTool(t, "setsid")
	sh := func(script string) []string { return []string{"sh", "-c", script} }
	// Each tells the pid of a process that outlives the main process.
	leavers := map[string][]string{
		"in its group":               sh(`sleep 1000 & echo $!`),
		"in its group, env cleared":  sh(`env -i sleep 1000 & echo $!`),
		"in another group":           {self(t), roleApp, "leave-group"},
		"in another session":         sh(`setsid sh -c 'echo $$; exec sleep 1000' &`),
		"in another session, forked": sh(`sh -c 'setsid sh -c "sh -c \"echo \\\$\\\$; exec sleep 1000\" &"'`),
	}
	for name, argv := range leavers {
		t.Run(name, func(t *testing.T) {
			a := run(t, Spec{Argv: argv})
			pid := atoi(a.line())
			if exit := a.exit(); !exit.Success() {
				t.Fatal(exit)
			}
			if a.nothingLeft() {
				t.Error("nothing is said to be left")
			}
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			if err := a.Leftovers(ctx); !errors.Is(err, context.Canceled) {
				t.Errorf("leftovers with an ended context: %v", err)
			}
			if err := a.Kill(); err != nil {
				t.Fatal(err)
			}
			a.gone()
			if exists(pid) {
				t.Errorf("pid %d lives", pid)
			}
			if !a.nothingLeft() {
				t.Error("something is said to be left")
			}
			if err := a.Signal(0); !errors.Is(err, os.ErrProcessDone) {
				t.Errorf("signal: %v", err)
			}
		})
	}
}

func TestSignalReachesStrays(t *testing.T) {
	needTool(t, "setsid")
	a := shell(t, untilUSR1+`setsid sh -c 'trap "echo stray; exit" USR1; echo $$; `+waiting+`' & `+waiting)
	a.line()
	a.exitAlone()
	if err := a.Signal(unix.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	if got := a.line(); got != "stray" {
		t.Errorf("got %q", got)
	}
	a.gone()
}

func TestKillReachesSessionsWithinSessions(t *testing.T) {
	needTool(t, "setsid")
	// Each is the child of the one before, in a session of its own and
	// therefore out of reach until that one is dead.
	a := shell(t, `setsid sh -c 'setsid sh -c "setsid sh -c \"echo \\\$\\\$; exec sleep 1000\" & wait" & wait' & wait`)
	pid := atoi(a.line())
	if err := a.Kill(); err != nil {
		t.Fatal(err)
	}
	if exit := a.exit(); exit.Signal != unix.SIGKILL {
		t.Error(exit)
	}
	a.gone()
	if exists(pid) {
		t.Errorf("pid %d lives", pid)
	}
}

// Before Linux 6.9 groups are signalled by number; the rule is the same here.
func TestGroupByNumber(t *testing.T) {
	byNumber := func(a *app, sig unix.Signal) error {
		reaper.mu.Lock()
		defer reaper.mu.Unlock()
		return a.signalNumber(sig, !a.reaped)
	}
	a := shell(t, `sleep 1000 & echo $!; read x < /dev/null`)
	a.line()
	a.exit()
	if err := byNumber(a, 0); err != nil {
		t.Errorf("a group with a member: %v", err)
	}
	if err := byNumber(a, unix.SIGKILL); err != nil {
		t.Errorf("kill it: %v", err)
	}
	a.gone()
	if err := byNumber(a, 0); !errors.Is(err, unix.ESRCH) {
		t.Errorf("an empty group: %v", err)
	}

	t.Run("number of another", func(t *testing.T) {
		// As if the number of a had come round: it is b's now.
		b := shell(t, `echo up; exec sleep 1000`)
		b.line()
		reaper.mu.Lock()
		defer reaper.mu.Unlock()
		old := &Process{PID: b.PID, Name: "old/1", reaper: reaper, reaped: true}
		if err := old.signalNumber(unix.SIGKILL, false); !errors.Is(err, unix.ESRCH) {
			t.Errorf("got %v", err)
		}
		if stat, err := readStat(b.PID); err != nil || stat.zombie() {
			t.Errorf("it killed another's group: %v", err)
		}
	})
}
