package control

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os/user"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// Group is the name of the group whose members may use the Unix door.
const Group = "gracevisor"

// peerKey is where the credentials of a connection stand in its context.
type peerKey struct{}

// withPeer reads the credentials of a Unix connection, once.
func withPeer(ctx context.Context, c net.Conn) context.Context {
	unixConn, ok := c.(*net.UnixConn)
	if !ok {
		return ctx
	}
	cred, err := peerCredentials(unixConn)
	if err != nil {
		// Without credentials in its context the guard lets nobody in.
		return ctx
	}
	return context.WithValue(ctx, peerKey{}, cred)
}

// peerCredentials tells who was at the other end when the connection was made,
// or when it began to listen: SO_PEERCRED, unix(7).
func peerCredentials(c syscall.Conn) (*unix.Ucred, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return nil, err
	}
	var cred *unix.Ucred
	var optErr error
	err = raw.Control(func(fd uintptr) {
		cred, optErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	})
	if err == nil {
		err = optErr
	}
	return cred, err
}

// peerRule says which users may use the Unix door: root, the daemon's own, and
// the members of Group.
type peerRule struct {
	own uint32
	// groupID is the number of Group, if there is one.
	groupID func() (gid uint32, exists bool)
	// groupsOf are the supplementary groups of a user by the group database.
	groupsOf func(uid uint32) ([]string, error)
}

func newPeerRule(own uint32) peerRule {
	return peerRule{
		own:      own,
		groupID:  func() (uint32, bool) { return lookUpGroup(Group) },
		groupsOf: databaseGroups,
	}
}

func (p peerRule) allows(cred *unix.Ucred) bool {
	if cred.Uid == 0 || cred.Uid == p.own {
		return true
	}
	gid, exists := p.groupID()
	if !exists {
		return false
	}
	if cred.Gid == gid {
		return true
	}
	// The database and not the process: who was just added to the group need
	// not log in again, who was removed is out at once.
	groups, err := p.groupsOf(cred.Uid)
	if err != nil {
		return false
	}
	for _, g := range groups {
		if g == strconv.FormatUint(uint64(gid), 10) {
			return true
		}
	}
	return false
}

func lookUpGroup(name string) (gid uint32, exists bool) {
	g, err := user.LookupGroup(name)
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseUint(g.Gid, 10, 32)
	return uint32(n), err == nil
}

func databaseGroups(uid uint32) ([]string, error) {
	u, err := user.LookupId(strconv.FormatUint(uint64(uid), 10))
	if err != nil {
		return nil, err
	}
	return u.GroupIds()
}

// A unixGuard admits by the credentials of the connection.
type unixGuard struct{ rule peerRule }

func (g unixGuard) admit(r *http.Request) (string, *refusal) {
	cred, ok := r.Context().Value(peerKey{}).(*unix.Ucred)
	if !ok {
		return "", refuse(http.StatusForbidden, CodeNotPermitted, "the peer of the connection is unknown")
	}
	caller := fmt.Sprintf("uid %d, pid %d", cred.Uid, cred.Pid)
	if !g.rule.allows(cred) {
		return caller, refuse(http.StatusForbidden, CodeNotPermitted,
			"uid %d may not control gracevisor: only root, the daemon's own user and members of the group %s may", cred.Uid, Group)
	}
	return caller, nil
}
