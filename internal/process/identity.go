package process

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"runtime"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// identity is who an app runs as.
type identity struct {
	name     string
	uid, gid int
	// groups are the supplementary groups, nil where they stay as they are.
	groups []uint32
	home   string
	shell  string
}

// passwdFile is where shells are looked up; os/user does not tell them.
const passwdFile = "/etc/passwd"

// resolve finds the user that is called wanted, by name and else by number, as
// chown(1) does. The answer is made anew for each start: a user may have been
// added or changed meanwhile. A number without an account is allowed: its group
// has the same number, and it has no others.
func resolve(wanted string) (*identity, error) {
	if wanted == "" {
		return ownIdentity(), nil
	}
	account, err := user.Lookup(wanted)
	var unknown user.UnknownUserError
	if errors.As(err, &unknown) {
		return resolveNumber(wanted)
	}
	if err != nil {
		return nil, fmt.Errorf("look up user %q: %w", wanted, err)
	}
	return fromAccount(account)
}

func resolveNumber(wanted string) (*identity, error) {
	// All ones means "leave it" to setresuid(2), hence 31 bits.
	uid, err := strconv.ParseUint(wanted, 10, 31)
	if err != nil {
		return nil, fmt.Errorf("user %q does not exist", wanted)
	}
	account, err := user.LookupId(strconv.FormatUint(uid, 10))
	var unknown user.UnknownUserIdError
	if errors.As(err, &unknown) {
		return &identity{
			name: wanted, uid: int(uid), gid: int(uid),
			groups: []uint32{}, home: "/", shell: shellOf(wanted),
		}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look up user %q: %w", wanted, err)
	}
	return fromAccount(account)
}

func fromAccount(account *user.User) (*identity, error) {
	uid, err := strconv.Atoi(account.Uid)
	if err != nil {
		return nil, fmt.Errorf("look up user %q: uid %q is not a number", account.Username, account.Uid)
	}
	gid, err := strconv.Atoi(account.Gid)
	if err != nil {
		return nil, fmt.Errorf("look up user %q: gid %q is not a number", account.Username, account.Gid)
	}
	groups, err := groupsOf(account)
	if err != nil {
		return nil, err
	}
	who := &identity{
		name: account.Username, uid: uid, gid: gid,
		groups: groups, home: account.HomeDir, shell: shellOf(account.Username),
	}
	if who.home == "" {
		who.home = "/"
	}
	return who, nil
}

func groupsOf(account *user.User) ([]uint32, error) {
	ids, err := account.GroupIds()
	if err != nil {
		return nil, fmt.Errorf("look up groups of user %q: %w", account.Username, err)
	}
	groups := make([]uint32, 0, len(ids))
	for _, id := range ids {
		gid, err := strconv.ParseUint(id, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("look up groups of user %q: gid %q is not a number", account.Username, id)
		}
		groups = append(groups, uint32(gid))
	}
	return groups, nil
}

// ownIdentity is that of this process. One without an account (a container
// often has none) is called by its number.
func ownIdentity() *identity {
	who := &identity{uid: os.Geteuid(), gid: os.Getegid(), home: "/"}
	who.name = strconv.Itoa(who.uid)
	if account, err := user.LookupId(who.name); err == nil {
		who.name = account.Username
		if account.HomeDir != "" {
			who.home = account.HomeDir
		}
	}
	who.shell = shellOf(who.name)
	return who
}

// shellOf returns the login shell of the user called name. Accounts that are
// not for people have one that only refuses; programs that run $SHELL are given
// /bin/sh instead, as systemd does.
func shellOf(name string) string {
	const fallback = "/bin/sh"
	f, err := os.Open(passwdFile)
	if err != nil {
		return fallback
	}
	defer f.Close()
	lines := bufio.NewScanner(io.LimitReader(f, 16<<20))
	for lines.Scan() {
		fields := strings.Split(lines.Text(), ":")
		if len(fields) < 7 || fields[0] != name {
			continue
		}
		shell := fields[6]
		if shell == "" || strings.HasSuffix(shell, "/nologin") || strings.HasSuffix(shell, "/false") {
			return fallback
		}
		return shell
	}
	return fallback
}

// become changes the calling thread to who; the thread must be locked and be
// the one that execs, since execve(2) gives its credentials to the whole
// process. That spares stopping all threads as syscall.Setuid does.
func become(who *identity) error {
	own := os.Geteuid()
	if who.uid == own && (own != 0 || who.groups == nil) {
		return dropAmbient()
	}
	if err := setGroups(who.groups); err != nil {
		return cannotBecome(who, "set groups", err)
	}
	id := uintptr(who.gid)
	if _, _, errno := unix.RawSyscall(unix.SYS_SETRESGID, id, id, id); errno != 0 {
		return cannotBecome(who, "set group", errno)
	}
	id = uintptr(who.uid)
	if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, id, id, id); errno != 0 {
		return cannotBecome(who, "set user", errno)
	}
	return dropAmbient()
}

func setGroups(groups []uint32) error {
	list := unsafe.Pointer(unsafe.SliceData(groups))
	_, _, errno := unix.RawSyscall(unix.SYS_SETGROUPS, uintptr(len(groups)), uintptr(list), 0)
	runtime.KeepAlive(groups)
	if errno != 0 {
		return errno
	}
	return nil
}

// dropAmbient takes from the app what an unprivileged daemon was given as
// ambient capabilities (capabilities(7)): they are for changing users and
// binding low ports, which apps do not do.
func dropAmbient() error {
	err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
	if err != nil && !errors.Is(err, unix.EINVAL) {
		return fmt.Errorf("clear ambient capabilities: %w", err)
	}
	return nil
}

func cannotBecome(who *identity, what string, err error) error {
	if own := os.Geteuid(); errors.Is(err, unix.EPERM) && own != 0 {
		return fmt.Errorf("change to user %q: only root may do that, and the daemon runs as %q",
			who.name, ownIdentity().name)
	}
	return fmt.Errorf("change to user %q: %s: %w", who.name, what, err)
}
