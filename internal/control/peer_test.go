package control

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func TestPeerRule(t *testing.T) {
	rule := func(exists bool, groups ...string) peerRule {
		return peerRule{
			own:      1000,
			groupID:  func() (uint32, bool) { return 70, exists },
			groupsOf: func(uint32) ([]string, error) { return groups, nil },
		}
	}
	unknownUser := rule(true)
	unknownUser.groupsOf = func(uint32) ([]string, error) { return nil, errors.New("no such user") }
	for _, c := range []struct {
		name     string
		rule     peerRule
		uid, gid uint32
		want     bool
	}{
		{"root", rule(false), 0, 0, true},
		{"the daemon's own user", rule(false), 1000, 5, true},
		{"primary group", rule(true), 1001, 70, true},
		{"primary group of an unknown user", unknownUser, 1001, 70, true},
		{"supplementary group", rule(true, "5", "70"), 1001, 5, true},
		{"no member", rule(true, "5", "7", "700"), 1001, 5, false},
		{"unknown user", unknownUser, 1001, 5, false},
		{"no such group", rule(false, "70"), 1001, 70, false},
		{"root's group is not root", rule(true), 1001, 0, false},
	} {
		if got := c.rule.allows(&unix.Ucred{Uid: c.uid, Gid: c.gid}); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

func TestDatabaseGroups(t *testing.T) {
	groups, err := databaseGroups(uint32(os.Geteuid()))
	if _, unknown := errors.AsType[user.UnknownUserIdError](err); unknown {
		t.Skip("this user is in no database")
	}
	if err != nil || len(groups) == 0 {
		t.Errorf("got %q, %v", groups, err)
	}
	if _, err := databaseGroups(1<<32 - 2); err == nil {
		t.Error("a user that does not exist has groups")
	}
	if _, exists := lookUpGroup("no-such-group-here"); exists {
		t.Error("a group that does not exist was found")
	}
}

// nobody is a user and a group that exist on every Linux, if without a name.
const nobody = 65534

// askAsNobody asks for the status from a process of another user, and returns
// the code of the answer and its text.
func askAsNobody(t *testing.T, socket string, gid uint32) (code, text string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root, to become another user")
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Dir = "/"
	cmd.Env = []string{"CONTROL_TEST_ASK=" + socket}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: gid}}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("ask: %v\n%s", err, out)
	}
	code, text, _ = strings.Cut(strings.TrimSpace(string(out)), "|")
	return code, text
}

// openToAll lets every user come as far as the socket itself.
func openToAll(t *testing.T, d *doors) {
	t.Helper()
	for dir := filepath.Dir(d.socket); dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

func TestOtherUserIsTurnedAway(t *testing.T) {
	var asked atomic.Bool
	d := openDoors(t, &fakeOps{status: func([]string) (*Status, error) {
		asked.Store(true)
		return wholeStatus(), nil
	}}, func(s *Server) { s.peers.groupID = func() (uint32, bool) { return 4242, true } })
	openToAll(t, d)
	code, text := askAsNobody(t, d.socket, nobody)
	if code != string(CodeNotPermitted) || !strings.Contains(text, "permission denied") {
		t.Errorf("by the socket's mode: %s, %s", code, text)
	}
	if err := os.Chmod(d.socket, 0o666); err != nil {
		t.Fatal(err)
	}
	code, text = askAsNobody(t, d.socket, nobody)
	if code != string(CodeNotPermitted) || !strings.Contains(text, "uid 65534 may not control gracevisor") {
		t.Errorf("by its credentials: %s, %s", code, text)
	}
	if asked.Load() {
		t.Error("the status was asked for all the same")
	}
	if !strings.Contains(d.log.String(), "control request refused") {
		t.Error("nothing was logged")
	}
	if code, text = askAsNobody(t, d.socket, 4242); code != "none" || !asked.Load() {
		t.Errorf("member of the group: %s, %s", code, text)
	}
}

func TestConnectionsWithoutCredentialsAreRefused(t *testing.T) {
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	ctx := withPeer(t.Context(), &slotConn{Conn: a, free: func() {}})
	if ctx != t.Context() {
		t.Error("a pipe has credentials")
	}
}
