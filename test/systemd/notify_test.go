package systemd

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"gracevisor/internal/control"
)

// notifier is an app that tells of itself with systemd-notify(1), from child
// processes, and with BARRIER=1 after each message: it is ready once the file
// /run/ready exists, and gives signs of life until there is one that names its
// pid.
const notifier = `#!/bin/sh
/usr/local/bin/testapp --port="$1" &
trap 'kill $!; wait $!; exit 0' TERM
until [ -e /run/ready ]; do sleep 0.05; done
systemd-notify --ready --status="has warmed up"
until [ -e "/run/silent.$$" ]; do
	systemd-notify WATCHDOG=1
	sleep 0.2
done
wait $!
`

func notifying(keys string) app {
	return app{name: "demo", port: 8080, command: "/usr/local/bin/notifier {port}", keys: "ready: notify\n" + keys}
}

// TestNotify installs an app that says itself when it is ready. The daemon is
// ready for systemd when its app is.
func TestNotify(t *testing.T) {
	t.Parallel()
	s := boot(t)
	s.Write("/usr/local/bin/notifier", notifier)
	s.Run("chmod", "755", "/usr/local/bin/notifier")
	s.configure(notifying(""))
	begun := make(chan error, 1)
	// Ends when the package is installed.
	go func() {
		_, err := s.tryInstall(firstVersion)
		begun <- err
	}()
	s.awaitApp("demo", "to have started", func(a control.AppStatus) bool {
		return len(a.Instances) == 1 && a.Instances[0].PID != 0
	})
	s.AwaitProperty(daemonUnit, "StatusText", "0 apps serving, 1 starting")
	if got := s.Property(daemonUnit, "ActiveState"); got != "activating" {
		t.Errorf("before its app is ready the unit is %s", got)
	}
	s.Write("/run/ready", "")
	if err := <-begun; err != nil {
		t.Fatal(err)
	}
	s.awaitServing("demo")
	s.AwaitProperty(daemonUnit, "StatusText", "1 app serving")
	if got := s.Property(daemonUnit, "ActiveState"); got != "active" {
		t.Errorf("the unit is %s", got)
	}
	s.privateVariables()
}

// privateVariables looks into the environment of the test app: what systemd
// has told the daemon is not for the app, which has a socket of its own.
func (s *service) privateVariables() {
	s.t.Helper()
	pid := s.mustGet(8080, "/info")
	environment := s.Shell("tr '\\0' '\\n' </proc/" + strconv.Itoa(pid) + "/environ")
	notify := ""
	for line := range strings.Lines(environment) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		switch name {
		case "NOTIFY_SOCKET":
			notify = value
		case "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "MAINPID", "INVOCATION_ID", "JOURNAL_STREAM", "WATCHDOG_PID":
			s.t.Errorf("the app has %s", strings.TrimSpace(line))
		}
	}
	if strings.Contains(environment, "WATCHDOG_USEC=") || strings.Contains(environment, "GRACEVISOR_FDS=") {
		s.t.Errorf("the app's environment is %s", environment)
	}
	if notify == "" || strings.Contains(notify, "systemd") {
		s.t.Errorf("the app's NOTIFY_SOCKET is %q", notify)
	}
}

// TestAppWatchdog replaces an instance that gives no signs of life, and no other:
// neither one of another app, nor the one that comes after it.
func TestAppWatchdog(t *testing.T) {
	t.Parallel()
	s := boot(t)
	s.Write("/usr/local/bin/notifier", notifier)
	s.Run("chmod", "755", "/usr/local/bin/notifier")
	s.Write("/run/ready", "")
	other := notifying("watchdog: 8s\n")
	other.name, other.port = "other", 8081
	s.configure(notifying("watchdog: 8s\n"), other)
	s.install(firstVersion)
	s.awaitDaemon()
	before, others := s.awaitServing("demo"), s.awaitServing("other")
	s.underLoad(func() {
		s.Write("/run/silent."+strconv.Itoa(before), "")
		// The old one may go on with connections that it has.
		s.awaitApp("demo", "to be replaced", func(a control.AppStatus) bool {
			return slices.ContainsFunc(a.Instances, func(i control.InstanceStatus) bool {
				return i.Active && i.PID != before
			})
		})
	})
	s.awaitMessage("demo", "WATCHDOG=1")
	s.awaitServing("demo")
	a := s.awaitApp("demo", "to have been replaced", func(a control.AppStatus) bool { return a.Restarts > 0 })
	if now := s.awaitServing("other"); now != others {
		t.Errorf("the other app was %d and is %d", others, now)
	}
	if a.Restarts != 1 || a.Instances[0].Number != 2 {
		t.Errorf("it was replaced %d times, by %+v", a.Restarts, a.Instances)
	}
}

// TestAppMayNotSpeakForTheDaemon lets an app say what is the daemon's to say.
func TestAppMayNotSpeakForTheDaemon(t *testing.T) {
	t.Parallel()
	s := boot(t)
	s.Write("/usr/local/bin/notifier", strings.Replace(notifier, "systemd-notify --ready",
		"systemd-notify MAINPID=1 STOPPING=1 FDSTORE=1 FDNAME=mine\nsystemd-notify --ready", 1))
	s.Run("chmod", "755", "/usr/local/bin/notifier")
	s.Write("/run/ready", "")
	s.configure(notifying(""))
	s.install(firstVersion)
	s.awaitDaemon()
	daemon := s.MainPID(daemonUnit)
	s.awaitServing("demo")
	s.mustGet(8080, "/info")
	s.sameDaemon(daemon)
	s.awaitMessage("demo", "MAINPID")
}
