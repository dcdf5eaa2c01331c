package config

import (
	"path/filepath"
	"regexp"
	"strings"
)

// checker finds what is wrong between keys and between apps. Keys whose own
// value is at fault are left out: their fault is told already.
type checker struct {
	sys      system
	wd       string
	found    *findings
	warnings findings
}

func (c *checker) check(d *daemonDraft, apps []*appDraft) {
	c.ports(d)
	c.rpc(d)
	c.user(d.user, &d.settings)
	for _, a := range apps {
		c.placeholders(a)
		c.notification(a)
		c.memory(a)
		if a.has("user.username") {
			c.user(a.User, &a.settings)
		}
		c.daemonLog(d, a)
	}
	c.names(apps)
	c.addresses(d, apps)
	c.sockets(apps)
}

func (c *checker) ports(d *daemonDraft) {
	if d.Ports.From > d.Ports.To && !d.faulty["port_range.from"] && !d.faulty["port_range.to"] {
		c.found.add(d.where("port_range.from", "port_range.to"), "port_range: from (%d) is above to (%d)", d.Ports.From, d.Ports.To)
	}
}

func (c *checker) rpc(d *daemonDraft) {
	if d.faulty["rpc.host"] || d.faulty["rpc.port"] || d.faulty["rpc.allow_plaintext"] {
		return
	}
	if d.RPC.Port != 0 && !d.RPC.AllowPlaintext && !d.RPC.Address().Loopback() {
		c.found.add(d.where("rpc.host"),
			"rpc.host: %s is not a loopback address: its clients' tokens can be read on the network; "+
				"set rpc.allow_plaintext to true to allow that", d.RPC.Address())
	}
}

// user reports a user that does not exist. That it cannot be found out is no
// fault of the configuration; the start of the app will tell.
func (c *checker) user(name string, s *settings) {
	if name == "" || s.faulty["user.username"] {
		return
	}
	if exists, err := c.sys.userExists(name); err == nil && !exists {
		c.found.add(s.where("user.username"), "user.username: there is no user %q", name)
	}
}

var placeholder = regexp.MustCompile(`\{[A-Za-z_]{1,20}\}`)

// placeholders makes sure that an instance is told where to listen.
func (c *checker) placeholders(a *appDraft) {
	if a.faulty["command"] || a.faulty["environment"] || !a.has("command") {
		return
	}
	port, socket := containsPlaceholder(&a.App, portPlaceholder), containsPlaceholder(&a.App, socketPlaceholder)
	at := a.where("command")
	switch {
	case port && socket:
		c.found.add(at, "command: {port} and {socket} exclude each other: an instance listens on one of them")
	case !port && !socket:
		c.found.add(at, "command: expected {port} (or {socket}) in it or in environment: "+
			"the app must listen where it is told to%s", misspelt(a))
	}
}

// misspelt looks for a placeholder that is none.
func misspelt(a *appDraft) string {
	text := strings.Join(a.Command, " ") + " " + strings.Join(a.Environment, " ")
	for _, found := range placeholder.FindAllString(text, 10) {
		if meant, ok := nearest(found, []string{portPlaceholder, socketPlaceholder}); ok {
			return "; did you mean " + meant + " by " + found + "?"
		}
	}
	return ""
}

func (c *checker) names(apps []*appDraft) {
	first := make(map[string]place, len(apps))
	for _, a := range apps {
		if a.Name == "" {
			continue
		}
		at := a.where("name")
		if before, taken := first[a.Name]; taken {
			c.found.add(at, "name: duplicate app %q, already defined at %s", a.Name, before)
			continue
		}
		first[a.Name] = at
	}
}

// daemonLog keeps apps from writing into the daemon's log: it is structured,
// and two that rotate one file lose lines.
func (c *checker) daemonLog(d *daemonDraft, a *appDraft) {
	own := d.logPath(c.wd)
	for _, key := range []string{"logger.log_file", "logger.stdout_log_file", "logger.stderr_log_file", "access_log_file"} {
		n := a.values[key]
		if n != nil && !a.faulty[key] && absolute(c.wd, n.text) == own {
			c.found.add(n.at, "%s: %q is the log file of the daemon", key, filepath.Base(own))
		}
	}
}
