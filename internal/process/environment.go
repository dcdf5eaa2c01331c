package process

import (
	"os"
	"path/filepath"
	"strings"
)

// Names of variables that every app is given.
const (
	EnvApp      = "GRACEVISOR_APP"
	EnvInstance = "GRACEVISOR_INSTANCE"
)

// Search paths for a daemon that has none itself.
const (
	rootPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	userPath = "/usr/local/bin:/usr/bin:/bin"
)

// handedOn are the variables of the daemon that a launcher gets, and an app
// through it. Nothing else of the daemon's environment goes further, so
// NOTIFY_SOCKET, LISTEN_FDS, WATCHDOG_USEC and secrets stay where they are.
var handedOn = []string{"PATH", "LANG", "TZ"}

// launcherEnvironment is what a launcher of this process is started with.
func launcherEnvironment() []string {
	env := []string{}
	for _, name := range handedOn {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// environment is what an app gets: the base and then its own, the last of
// equal names winning. It is called in the launcher, whose environment is that
// of launcherEnvironment.
func environment(o *order, who *identity) []string {
	return lastOfEach(append(baseEnvironment(o.Name, who), toStrings(o.Env)...))
}

// baseEnvironment holds PATH, HOME, USER, LOGNAME and SHELL of the user, LANG
// and TZ of the daemon where it has them, GRACEVISOR_APP and
// GRACEVISOR_INSTANCE.
//
// PATH is the daemon's own: systemd gives its services a sane one, which a unit
// can change, and in the foreground it is what finds the tools of the developer
// who typed the command. Elements that are not absolute are left out, because
// they would mean something else in each app's directory.
func baseEnvironment(name string, who *identity) []string {
	app, _, _ := strings.Cut(name, "/")
	env := []string{
		EnvApp + "=" + app,
		EnvInstance + "=" + name,
		"PATH=" + searchPath(os.Getenv("PATH"), who.uid),
		"HOME=" + who.home,
		"USER=" + who.name,
		"LOGNAME=" + who.name,
		"SHELL=" + who.shell,
	}
	for _, name := range []string{"LANG", "TZ"} {
		if value := os.Getenv(name); value != "" {
			env = append(env, name+"="+value)
		}
	}
	return env
}

func searchPath(own string, uid int) string {
	var kept []string
	for _, dir := range filepath.SplitList(own) {
		if filepath.IsAbs(dir) {
			kept = append(kept, dir)
		}
	}
	switch {
	case len(kept) > 0:
		return strings.Join(kept, ":")
	case uid == 0:
		return rootPath
	default:
		return userPath
	}
}

// lastOfEach keeps of each name the last entry, at the place of the first.
func lastOfEach(env []string) []string {
	place := make(map[string]int, len(env))
	kept := env[:0:0]
	for _, entry := range env {
		name, _, _ := strings.Cut(entry, "=")
		if at, ok := place[name]; ok {
			kept[at] = entry
			continue
		}
		place[name] = len(kept)
		kept = append(kept, entry)
	}
	return kept
}

// valueOf returns the value of name in env, or "".
func valueOf(env []string, name string) string {
	for _, entry := range env {
		if value, ok := strings.CutPrefix(entry, name+"="); ok {
			return value
		}
	}
	return ""
}
