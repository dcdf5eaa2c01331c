package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"testing"

	"gracevisor/test/harness"
)

// TestAccount runs an app as another user than the daemon, which only root can:
// it gets that user's groups and environment, and none of the daemon's rights.
// The worker has none either.
func TestAccount(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("only root can run an app as another user")
	}
	account := accountWithGroups(t)
	box := harness.New(t)
	app := box.App("demo").With("user.username", account.Username)
	box.Configure(app)
	box.Start()
	box.AwaitServing("demo")
	var info struct {
		UID, GID int
		Groups   []int
		Env      []string
		Status   map[string]string
	}
	if err := json.Unmarshal([]byte(get(t, app, "/info").body), &info); err != nil {
		t.Fatal(err)
	}
	if strconv.Itoa(info.UID) != account.Uid || strconv.Itoa(info.GID) != account.Gid {
		t.Errorf("the app runs as %d:%d, not %s:%s", info.UID, info.GID, account.Uid, account.Gid)
	}
	want, err := account.GroupIds()
	if err != nil {
		t.Fatal(err)
	}
	var groups []string
	for _, gid := range info.Groups {
		groups = append(groups, strconv.Itoa(gid))
	}
	slices.Sort(want)
	slices.Sort(groups)
	if !slices.Equal(groups, want) {
		t.Errorf("groups %q, want %q", groups, want)
	}
	for _, entry := range []string{"HOME=" + account.HomeDir, "USER=" + account.Username, "LOGNAME=" + account.Username} {
		if !slices.Contains(info.Env, entry) {
			t.Errorf("%s is not in %q", entry, info.Env)
		}
	}
	if caps := info.Status["CapEff"]; strings.Trim(caps, "0") != "" {
		t.Errorf("the app has the capabilities %s", caps)
	}
	noRights(t, box.Status().Workers[0].PID)
}

// accountWithGroups is an account of the system that has supplementary groups,
// if there is one, and is not root.
func accountWithGroups(t *testing.T) *user.User {
	t.Helper()
	for _, name := range []string{"postgres", "messagebus", "systemd-network", "daemon", "nobody"} {
		account, err := user.Lookup(name)
		if err != nil {
			continue
		}
		if ids, err := account.GroupIds(); err == nil && len(ids) > 1 || name == "nobody" {
			return account
		}
	}
	t.Skip("there is no unprivileged account")
	return nil
}

// noRights checks that a process is not root's, and can not become so.
func noRights(t *testing.T, pid int) {
	t.Helper()
	status := readFile(t, fmt.Sprintf("/proc/%d/status", pid))
	for line := range strings.Lines(status) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":\t")
		switch {
		case name == "Uid" && strings.Contains("\t"+value+"\t", "\t0\t"),
			name == "CapEff" && strings.Trim(value, "0") != "",
			name == "CapPrm" && strings.Trim(value, "0") != "",
			name == "NoNewPrivs" && value != "1":
			t.Errorf("the worker has %s", line)
		}
	}
	if !strings.Contains(status, "NoNewPrivs:\t1") {
		t.Errorf("the worker's status is %q", status)
	}
}
