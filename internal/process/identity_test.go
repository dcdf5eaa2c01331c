package process

import (
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// identityScript tells who runs it.
const identityScript = `echo $(id -u):$(id -g):$(id -G); grep -E '^(Cap(Inh|Prm|Eff|Amb)|Uid|Gid):' /proc/$$/status | tr -s '\t\n' '  '; echo
	echo "$HOME:$USER:$LOGNAME:$SHELL"`

func TestAppRunsAsUser(t *testing.T) {
	needRoot(t)
	nobody, err := user.Lookup("nobody")
	if err != nil {
		t.Skip("SKIPPED: there is no user nobody")
	}
	groups, err := nobody.GroupIds()
	if err != nil {
		t.Fatal(err)
	}
	// The daemon has supplementary groups that must not reach the app.
	before, err := syscall.Getgroups()
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Setgroups([]int{0, 4242}); err != nil {
		t.Fatal(err)
	}
	defer syscall.Setgroups(before)
	ids := nobody.Uid + ":" + nobody.Gid + ":" + strings.Join(groups, " ")
	names := nobody.HomeDir + ":nobody:nobody:/bin/sh"
	tests := []struct {
		user, ids, names string
	}{
		{"nobody", ids, names},
		{nobody.Uid, ids, names},
		{"54321", "54321:54321:54321", "/:54321:54321:/bin/sh"},
	}
	for _, test := range tests {
		t.Run(test.user, func(t *testing.T) {
			a := run(t, Spec{Argv: []string{"sh", "-c", identityScript}, User: test.user})
			uid, rest, _ := strings.Cut(test.ids, ":")
			gid, _, _ := strings.Cut(rest, ":")
			if got := a.line(); got != test.ids {
				t.Errorf("ids: got %q, want %q", got, test.ids)
			}
			none := " 0000000000000000"
			want := "Uid: " + strings.Join([]string{uid, uid, uid, uid}, " ") + " Gid: " + strings.Join([]string{gid, gid, gid, gid}, " ") +
				" CapInh:" + none + " CapPrm:" + none + " CapEff:" + none + " CapAmb:" + none
			if got := strings.TrimSpace(a.line()); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
			if got := a.line(); got != test.names {
				t.Errorf("environment: got %q, want %q", got, test.names)
			}
			if exit := a.exit(); !exit.Success() {
				t.Error(exit)
			}
		})
	}
	if os.Geteuid() != 0 {
		t.Error("this process has changed its user")
	}
}

func TestRootByNameGetsItsGroups(t *testing.T) {
	needRoot(t)
	before, err := syscall.Getgroups()
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Setgroups([]int{4242}); err != nil {
		t.Fatal(err)
	}
	defer syscall.Setgroups(before)
	for name, want := range map[string]bool{"root": false, "": true} {
		a := run(t, Spec{Argv: []string{"id", "-G"}, User: name})
		if got := slices.Contains(strings.Fields(a.rest()), "4242"); got != want {
			t.Errorf("user %q: the daemon's group is there: %t, want %t", name, got, want)
		}
	}
}

func TestDirectoryIsEnteredAsTheUser(t *testing.T) {
	needRoot(t)
	dir := t.TempDir()
	private := filepath.Join(dir, "private")
	if err := os.Mkdir(private, 0o700); err != nil {
		t.Fatal(err)
	}
	a := prepare(t, Spec{Argv: []string{"true"}, User: "nobody", Dir: private})
	a.release()
	err := a.Launched()
	if err == nil || !strings.Contains(err.Error(), `is not open to user "nobody"`) {
		t.Errorf("got %v", err)
	}
	a.exit()
}

func TestCommandIsJudgedAsTheUser(t *testing.T) {
	needRoot(t)
	tool := filepath.Join(t.TempDir(), "tool")
	if err := os.WriteFile(tool, []byte("#!/bin/sh\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	// The folder above may be closed too, which is an answer as good.
	a := prepare(t, Spec{Argv: []string{tool}, User: "nobody"})
	a.release()
	err := a.Launched()
	if err == nil || !strings.Contains(err.Error(), "permission denied") {
		t.Errorf("got %v", err)
	}
	a.exit()
}

func TestOnlyRootChangesUsers(t *testing.T) {
	// The daemon of this test runs as nobody when the test runs as root.
	argv := []string{"daemon", roleDaemon, "as-user", "root"}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	c := Child{Name: "daemon", Argv: argv, Env: os.Environ(), Files: []*os.File{nil, w, w}}
	p, err := reaper.Spawn(c)
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	a := attach(t, p, r)
	got := a.rest()
	if !strings.Contains(got, `change to user "root": only root may do that, and the daemon runs as "`) {
		t.Errorf("got %q", got)
	}
	// Its own user, by name or number, is no change.
	if !strings.Contains(got, "own user: exit status 0\n") || !strings.Contains(got, "own number: exit status 0\n") {
		t.Errorf("got %q", got)
	}
}

func TestOwnIdentity(t *testing.T) {
	who := ownIdentity()
	if who.uid != os.Geteuid() || who.gid != os.Getegid() || who.groups != nil || who.name == "" || who.home == "" || who.shell == "" {
		t.Errorf("got %+v", who)
	}
}

func TestResolve(t *testing.T) {
	root, err := resolve("root")
	if err != nil {
		t.Fatal(err)
	}
	if root.uid != 0 || root.gid != 0 || root.name != "root" || root.groups == nil {
		t.Errorf("got %+v", root)
	}
	if byNumber, err := resolve("0"); err != nil || byNumber.name != "root" {
		t.Errorf("uid 0: %+v, %v", byNumber, err)
	}
	for _, wrong := range []string{"no such user", "-1", "0x10", "2147483648", "99999999999999999999", "root:root", " 0"} {
		if who, err := resolve(wrong); err == nil || !strings.Contains(err.Error(), strconv.Quote(wrong)) {
			t.Errorf("user %q: %+v, %v", wrong, who, err)
		}
	}
}
