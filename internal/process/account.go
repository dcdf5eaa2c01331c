package process

import (
	"errors"
	"fmt"
	"os/user"
	"strconv"
)

// proxyAccounts are the users that the proxy becomes when root starts it: the
// first that exists.
var proxyAccounts = []string{"gracevisor-proxy", "nobody"}

// ProxyAccount is the unprivileged user, and its group, that the proxy runs as
// when the daemon is root's.
func ProxyAccount() (uid, gid int, err error) {
	for _, name := range proxyAccounts {
		account, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, uidErr := strconv.Atoi(account.Uid)
		gid, gidErr := strconv.Atoi(account.Gid)
		return uid, gid, errors.Join(uidErr, gidErr)
	}
	return -1, -1, fmt.Errorf("find an unprivileged user: there is none called any of %q", proxyAccounts)
}
