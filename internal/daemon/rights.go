package daemon

import (
	"fmt"
	"log/slog"
	"os"
	"os/user"
	"slices"
	"sort"
	"strconv"
	"strings"

	"gracevisor/internal/activation"
	"gracevisor/internal/config"
)

// tellMissingRights says what of a configuration can not work because the
// daemon does not run as root, and how to go on. Ports of sockets that were passed
// need no right.
func tellMissingRights(log *slog.Logger, plan *config.Plan, passed []*activation.Listener) {
	if os.Geteuid() == 0 {
		return
	}
	own := strconv.Itoa(os.Geteuid())
	if account, err := user.LookupId(own); err == nil {
		own = account.Username
	}
	foreign := make(map[string][]string)
	var low []string
	for _, a := range plan.Apps {
		if a.User != "" && a.User != own && a.User != strconv.Itoa(os.Geteuid()) {
			foreign[a.User] = append(foreign[a.User], a.Name)
		}
		if a.ExternalSocket == "" && a.External.Port < unprivilegedPort() && !isPassed(a, passed) {
			low = append(low, fmt.Sprintf("%s (%d)", a.Name, a.External.Port))
		}
	}
	users := make([]string, 0, len(foreign))
	for name := range foreign {
		users = append(users, name)
	}
	sort.Strings(users)
	for _, name := range users {
		log.Warn("user.username needs root: these apps will not start; run the daemon as root, or remove user.username or set it to "+own,
			"username", name, "apps", strings.Join(foreign[name], ", "), "running_as", own)
	}
	if len(low) > 0 {
		log.Warn("external_port below the first unprivileged port needs root; run the daemon as root, or choose a higher port",
			"apps", strings.Join(low, ", "), "first_unprivileged_port", unprivilegedPort())
	}
}

// isPassed reports whether an app has a socket among those that were passed.
func isPassed(a *config.App, passed []*activation.Listener) bool {
	return slices.ContainsFunc(passed, func(l *activation.Listener) bool {
		return int(l.Address.Port()) == a.External.Port || l.FDName == a.Name
	})
}

// unprivilegedPort is the first port that everybody may bind (ip(7),
// ip_unprivileged_port_start).
func unprivilegedPort() int {
	text, err := os.ReadFile("/proc/sys/net/ipv4/ip_unprivileged_port_start")
	if err == nil {
		if port, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil {
			return port
		}
	}
	return 1024
}
