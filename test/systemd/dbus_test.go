package systemd

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"gracevisor/test/systemd/machine"
)

const (
	busName     = "org.gracevisor1"
	busRoot     = "/org/gracevisor1"
	busManager  = "org.gracevisor1.Manager"
	busApp      = "org.gracevisor1.App"
	busJob      = "org.gracevisor1.Job"
	busDemo     = "/org/gracevisor1/app/demo"
	busProperty = "get-property"
)

// bus calls a method with busctl, as root, and returns what it printed.
func (s *service) bus(path, iface, method string, args ...string) string {
	s.t.Helper()
	return strings.TrimSpace(s.Run(busCall(path, iface, method, args...)...))
}

func busCall(path, iface, method string, args ...string) []string {
	return append([]string{"busctl", "call", "--", busName, path, iface, method}, args...)
}

// as makes a command one of another user.
func as(user string, command []string) []string {
	return append([]string{"runuser", "-u", user, "--"}, command...)
}

// property is a property as busctl prints it: its type and its value.
func (s *service) property(path, iface, name string) string {
	s.t.Helper()
	return strings.TrimSpace(s.Run("busctl", busProperty, busName, path, iface, name))
}

// refused runs a command that has to fail and say so.
func (s *service) refused(says string, command ...string) {
	s.t.Helper()
	if got := s.Try(command...); got.Code == 0 || !strings.Contains(got.Stdout+got.Stderr, says) {
		s.t.Errorf("it does not say %q: %v", says, got)
	}
}

// awaitJobs waits until no job is under way. A daemon that executes itself again
// leaves the bus for a moment, and a call that comes just before is not answered.
func (s *service) awaitJobs() {
	s.t.Helper()
	s.Await("the jobs to end", func() (string, bool) {
		got := s.Try(busCall(busRoot, busManager, "ListJobs")...)
		return got.String(), strings.TrimSpace(got.Stdout) == "a(ussso) 0"
	})
}

// busMonitor prints what goes over the bus from and to the daemon, which it has
// sent as long as a client listens: subscribe.
func (s *service) busMonitor() *machine.Background {
	s.t.Helper()
	monitor := s.Start("busctl", "--json=short", "monitor", busName)
	s.Await("busctl to monitor", func() (string, bool) {
		s.Try(busCall(busRoot, "org.freedesktop.DBus.Peer", "Ping")...)
		got := monitor.Output()
		return got, strings.Contains(got, `"Ping"`)
	})
	return monitor
}

// subscribe has a client listen to the daemon over the bus, and print what it
// hears.
func (s *service) subscribe() *machine.Background {
	s.t.Helper()
	monitor := s.Start("gracevisorctl", "--bus", "--json", "monitor")
	s.Await("the monitor to listen", func() (string, bool) {
		got := s.Try("cat", "/run/gracevisor/bus-subscribers.json")
		return got.String(), strings.Contains(got.Stdout, ":1.")
	})
	return monitor
}

// awaitSignal waits for a signal whose line has these words.
func (s *service) awaitSignal(monitor *machine.Background, member string, words ...string) {
	s.t.Helper()
	words = append(words, `"signal"`, fmt.Sprintf(`"member":%q`, member))
	s.Await(fmt.Sprintf("a signal with %q", words), func() (string, bool) {
		got := monitor.Output()
		for line := range strings.Lines(got) {
			if !slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(line, word) }) {
				return "", true
			}
		}
		return got, false
	})
}

// awaitName waits until the daemon has the name.
func (s *service) awaitName() {
	s.t.Helper()
	s.Await("the name on the bus", func() (string, bool) {
		got := s.Try("busctl", "--no-pager", "status", busName)
		return got.String(), got.Code == 0
	})
}

// onBus installs the package with an app, and waits until it is on the bus.
func onBus(t *testing.T, apps ...app) *service {
	t.Helper()
	s := installed(t, apps...)
	s.awaitName()
	return s
}

// TestBusOnceInstalled: the bus knows the policy when the daemon is started first,
// also one that does not notice new files by itself. dpkg runs the trigger of dbus
// after the script of the package, where apt may run it before.
func TestBusOnceInstalled(t *testing.T) {
	t.Parallel()
	s := boot(t)
	for _, watched := range []string{"system.d", "system-services"} { // it watches what is below
		s.Run("cp", "-a", "/usr/share/dbus-1/"+watched, "/root/"+watched)
		s.Run("mount", "--bind", "/root/"+watched, "/usr/share/dbus-1/"+watched)
	}
	deb, err := s.putDeb(firstVersion)
	if err != nil {
		t.Fatal(err)
	}
	s.Run("dpkg", "--install", deb)
	s.awaitName()
	for _, entry := range s.Journal("--unit=" + daemonUnit) {
		if strings.Contains(entry["MESSAGE"], "not on D-Bus") {
			t.Errorf("the daemon says: %s", entry["MESSAGE"])
		}
	}
}

// TestBusReads asks for all that can be asked for.
func TestBusReads(t *testing.T) {
	t.Parallel()
	s := onBus(t, demo(), app{name: "my-app.2", port: 8181})
	pid, worker := s.awaitServing("demo"), s.worker()
	if got := s.bus(busRoot, busManager, "ListApps"); !strings.Contains(got, `"demo" "serving" "localhost:8080" 1 0 "/org/gracevisor1/app/demo"`) ||
		!strings.HasPrefix(got, "a(sssuuo) 2 ") || !strings.Contains(got, `"/org/gracevisor1/app/my_2dapp_2e2"`) {
		t.Errorf("ListApps: %s", got)
	}
	if got := s.bus(busRoot, busManager, "GetApp", "s", "my-app.2"); got != `o "/org/gracevisor1/app/my_2dapp_2e2"` {
		t.Errorf("GetApp: %s", got)
	}
	for name, want := range map[string]string{
		"Version": `s "1.0.0`, "NApps": "u 2", "NFailedApps": "u 0", "ConfigPath": `s "/etc/gracevisor/gracevisor.yaml"`,
		"Worker": fmt.Sprintf("(tu) 1 %d", worker),
	} {
		if got := s.property(busRoot, busManager, name); !strings.HasPrefix(got, want) {
			t.Errorf("%s: %s", name, got)
		}
	}
	for name, want := range map[string]string{
		"Name": `s "demo"`, "State": `s "serving"`, "ActiveState": `s "active"`, "SubState": `s "running"`,
		"StateChangeTimestamp": "t 1", "StateChangeTimestampMonotonic": "t ", "ExternalAddress": `s "localhost:8080"`, "ListenError": `s ""`,
		"Instances": fmt.Sprintf(`a(tsusstuts) 1 1 "serving" %d `, pid), "InFlight": "u 0", "Requests": "t ", "Restarts": "t 0", "LastError": `s ""`,
		"Command": `as 2 "/usr/local/bin/testapp" "--port={port}"`, "Environment": "as 0",
	} {
		if got := s.property(busDemo, busApp, name); !strings.HasPrefix(got, want) {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	if got := s.Run("busctl", "--no-pager", "tree", "--list", busName); !strings.Contains(got, "/org/gracevisor1/app/my_2dapp_2e2\n") {
		t.Errorf("tree:\n%s", got)
	}
	if got := s.bus(busRoot, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects"); !strings.Contains(got, busDemo) || strings.Contains(got, "testapp") {
		t.Errorf("GetManagedObjects: %s", got)
	}
	properties := "org.freedesktop.DBus.Properties"
	if got := s.bus(busDemo, properties, "GetAll", "s", busApp); !strings.HasPrefix(got, "a{sv} ") || !strings.Contains(got, `"State" s "serving"`) {
		t.Errorf("GetAll: %s", got)
	}
	s.refused("properties are not set", busCall(busDemo, properties, "Set", "ssv", busApp, "State", "s", "failed")...)
	s.Run(busCall(busRoot, "org.freedesktop.DBus.Peer", "Ping")...)
	if got, want := s.bus(busRoot, "org.freedesktop.DBus.Peer", "GetMachineId"), strings.TrimSpace(s.Read("/etc/machine-id")); got != `s "`+want+`"` {
		t.Errorf("GetMachineId: %s", got)
	}
	s.describesItself(busRoot, busManager)
	s.describesItself(busDemo, busApp)
}

// describesItself fails the test unless what is installed is what an object says
// of itself.
func (s *service) describesItself(path, iface string) {
	s.t.Helper()
	_, kept, _ := strings.Cut(s.Read("/usr/share/dbus-1/interfaces/"+iface+".xml"), "<node>\n")
	if said := s.Run("busctl", "--xml-interface", "introspect", busName, path); !strings.Contains(said, strings.TrimSuffix(kept, "</node>\n")) {
		s.t.Errorf("%s describes itself as\n%s", path, said)
	}
	s.Run("busctl", "--no-pager", "introspect", busName, path)
}

// TestBusOperations has each method do what it says.
func TestBusOperations(t *testing.T) {
	t.Parallel()
	s := onBus(t, demo())
	before := s.awaitServing("demo")
	replaced := func(path, iface, method string, args ...string) {
		t.Helper()
		if got := s.bus(path, iface, method, args...); !strings.HasPrefix(got, `o "/org/gracevisor1/job/`) {
			t.Errorf("%s: %s", method, got)
		}
		s.awaitJobs()
		after := s.awaitServing("demo")
		if after == before {
			t.Errorf("%s has not replaced the app", method)
		}
		before = after
	}
	replaced(busRoot, busManager, "RestartApp", "s", "demo")
	replaced(busRoot, busManager, "ReloadApp", "s", "demo")
	replaced(busRoot, busManager, "Reload")
	replaced(busDemo, busApp, "Restart")
	replaced(busDemo, busApp, "Reload")
	for _, m := range [][2][]string{
		{busCall(busRoot, busManager, "StopApp", "s", "demo"), busCall(busRoot, busManager, "StartApp", "s", "demo")},
		{busCall(busDemo, busApp, "Stop"), busCall(busDemo, busApp, "Start")},
	} {
		s.Run(m[0]...)
		s.Await("the app to be stopped", func() (string, bool) {
			got := s.property(busDemo, busApp, "ActiveState") + s.property(busDemo, busApp, "SubState")
			return got, got == `s "inactive"s "dead"`
		})
		s.Run(m[1]...)
		s.awaitJobs()
		s.awaitServing("demo")
	}
	before = s.awaitServing("demo")
	for _, kill := range [][]string{busCall(busRoot, busManager, "KillApp", "si", "demo", "9"), busCall(busDemo, busApp, "Kill", "i", "0")} {
		s.Run(kill...)
		s.Await("another instance", func() (string, bool) {
			got := s.property(busDemo, busApp, "Instances")
			return got, strings.Contains(got, `"crash"`) && strings.Contains(got, `"serving"`) && !strings.Contains(got, fmt.Sprintf(" %d ", before))
		})
		before = s.awaitServing("demo")
	}
	s.configure(app{name: "second", port: 8181})
	s.bus(busRoot, busManager, "Update")
	s.awaitServing("second")
	if after := s.awaitServing("demo"); after != before {
		t.Error("Update has touched the app that was not changed")
	}
	daemon := s.MainPID(daemonUnit)
	s.subscribe()
	monitor := s.busMonitor()
	job := strings.TrimPrefix(s.bus(busRoot, busManager, "Reexec"), "o ")
	s.awaitSignal(monitor, "JobRemoved", job, `"done"`)
	s.sameDaemon(daemon)
	s.awaitMessage("taking over")
	for _, verb := range []string{"restart", "reload", "stop", "start", "kill", "update", "reexec"} {
		s.awaitMessage("operation", "verb="+verb, "uid 0, pid ", "on D-Bus")
	}
}

// TestBusSignals has each signal sent.
func TestBusSignals(t *testing.T) {
	t.Parallel()
	s := onBus(t, demo())
	s.awaitServing("demo")
	s.subscribe()
	monitor := s.busMonitor()
	const second = "/org/gracevisor1/app/second"
	update := func() {
		t.Helper()
		job := strings.TrimPrefix(s.bus(busRoot, busManager, "Update"), "o ")
		s.awaitSignal(monitor, "JobNew", job)
		s.awaitSignal(monitor, "InterfacesAdded", job, busJob)
		s.awaitSignal(monitor, "JobRemoved", job, `"done"`)
		s.awaitSignal(monitor, "InterfacesRemoved", job, busJob)
	}
	s.configure(app{name: "second", port: 8181})
	update()
	s.awaitSignal(monitor, "Reloading", "[true]")
	s.awaitSignal(monitor, "Reloading", "[false]")
	s.awaitSignal(monitor, "AppNew", `"second"`, second)
	s.awaitSignal(monitor, "InterfacesAdded", second, busApp)
	s.awaitSignal(monitor, "PropertiesChanged", second, `"ActiveState"`, `"active"`, `"Instances"`)
	s.awaitSignal(monitor, "PropertiesChanged", busManager, `"NApps"`)
	s.Run("rm", "/etc/gracevisor/apps.d/second.yaml")
	update()
	s.awaitSignal(monitor, "AppRemoved", `"second"`, second)
	s.awaitSignal(monitor, "InterfacesRemoved", second, busApp)
	// A client that leaves is forgotten, as busctl after each call.
	s.bus(busRoot, busManager, "Subscribe")
	s.bus(busRoot, busManager, "Unsubscribe")
}

// TestBusReloadUnderLoad reloads over D-Bus, which no client notices.
func TestBusReloadUnderLoad(t *testing.T) {
	t.Parallel()
	s := onBus(t, demo())
	before, daemon := s.awaitServing("demo"), s.MainPID(daemonUnit)
	s.underLoad(func() {
		for range 3 {
			s.bus(busRoot, busManager, "Reload")
			s.awaitJobs()
		}
		// Two hundred at once, each of which is answered.
		got := s.Run("/bin/sh", "-c", `for i in $(seq 200); do busctl call `+strings.Join([]string{busName, busRoot, busManager}, " ")+
			` ListApps & done | grep -c '"demo"'; wait`)
		if strings.TrimSpace(got) != "200" {
			t.Errorf("%s of 200 calls were answered", strings.TrimSpace(got))
		}
	})
	if after := s.awaitServing("demo"); after == before {
		t.Error("the app was not restarted")
	}
	s.sameDaemon(daemon)
}

// TestBusRestarts kills the bus under load, again and again: nobody notices, and
// the name comes back.
func TestBusRestarts(t *testing.T) {
	t.Parallel()
	s := onBus(t, demo())
	before, daemon := s.awaitServing("demo"), s.MainPID(daemonUnit)
	s.underLoad(func() {
		for range 3 {
			s.Kill("KILL", s.MainPID("dbus.service"))
			s.AwaitProperty("dbus.service", "ActiveState", "active")
			s.awaitName()
			s.bus(busRoot, busManager, "RestartApp", "s", "demo")
			s.awaitJobs()
		}
	})
	if after := s.awaitServing("demo"); after == before {
		t.Error("the app was not restarted")
	}
	s.sameDaemon(daemon)
}

// TestBusHostileArguments are refused by name, and disturb nothing.
func TestBusHostileArguments(t *testing.T) {
	t.Parallel()
	s := onBus(t, demo())
	before, daemon := s.awaitServing("demo"), s.MainPID(daemonUnit)
	// As long as an argument of a command can be.
	huge := strings.Repeat("x", 100_000)
	s.refused("no app", busCall(busRoot, busManager, "RestartApp", "s", "../../etc/passwd")...)
	s.refused("no app", busCall(busRoot, busManager, "RestartApp", "s", huge)...)
	s.refused("empty", busCall(busRoot, busManager, "GetApp", "s", "")...)
	s.refused("types (s)", busCall(busRoot, busManager, "GetApp", "i", "7")...)
	s.refused("types ()", busCall(busRoot, busManager, "Reload", "s", "demo")...)
	s.refused("no signal", busCall(busRoot, busManager, "KillApp", "si", "demo", "-9")...)
	s.refused("no job", busCall(busRoot, busManager, "CancelJob", "u", "4294967295")...)
	s.refused("No such object", busCall("/org/gracevisor1/app/a_zz", busApp, "Restart")...)
	s.refused("no app", busCall("/org/gracevisor1/app/a_2fb", busApp, "Restart")...)
	s.awaitMessage("operation refused", "verb=restart", "no app is called", "uid 0, pid ", "on D-Bus")
	s.Write("/etc/gracevisor/apps.d/broken.yaml", "name: broken\ncommand: sleep {port}\nexternal_prot: 8181\n")
	s.refused("/etc/gracevisor/apps.d/broken.yaml:3:1", busCall(busRoot, busManager, "Reload")...)
	s.awaitMessage("operation refused", "verb=reload", "broken.yaml:3:1", "uid 0, pid ", "on D-Bus")
	if after := s.awaitServing("demo"); after != before {
		t.Errorf("the app was %d and is %d", before, after)
	}
	s.sameDaemon(daemon)
}

// tries is a command and what has to come of it.
type tries struct {
	permitted bool
	command   []string
}

func (s *service) try(all ...tries) {
	s.t.Helper()
	for _, one := range all {
		got := s.Try(one.command...)
		if (got.Code == 0) != one.permitted || !one.permitted && !strings.Contains(got.Stdout+got.Stderr, " may not ") {
			s.t.Errorf("permitted: %v; %v", one.permitted, got)
		}
		if one.permitted {
			s.awaitJobs()
		}
	}
}

// TestPolkit: who may do what polkit says, for one app, and without it nobody
// but root.
func TestPolkit(t *testing.T) {
	t.Parallel()
	s := onBus(t, demo(), app{name: "second", port: 8181})
	s.Shell("groupadd deploy && useradd -G deploy alice && useradd bob && useradd carol")
	s.Write("/etc/polkit-1/rules.d/50-deploy.rules", `polkit.addRule(function(action, subject) {
    if (action.id == "org.gracevisor1.reload" && action.lookup("app") == "demo" && subject.isInGroup("deploy"))
        return polkit.Result.YES;
    if (action.id == "org.gracevisor1.manage-apps" && action.lookup("verb") != "kill" && subject.user == "carol")
        return polkit.Result.YES;
});
`)
	s.Run("systemctl", "restart", "polkit") // lest it has yet to see the rule
	reload := busCall(busRoot, busManager, "ReloadApp", "s", "demo")
	restart := busCall(busRoot, busManager, "RestartApp", "s", "demo")
	command := []string{"busctl", busProperty, busName, busDemo, busApp, "Command"}
	state := []string{"busctl", busProperty, busName, busDemo, busApp, "ActiveState"}
	s.try(
		tries{true, as("alice", reload)},
		tries{true, as("alice", busCall(busDemo, busApp, "Reload"))},
		tries{false, as("alice", busCall(busRoot, busManager, "ReloadApp", "s", "second"))},
		tries{false, as("alice", busCall(busRoot, busManager, "Reload"))},
		tries{false, as("alice", busCall(busRoot, busManager, "Update"))},
		tries{false, as("alice", restart)},
		tries{false, as("alice", busCall(busRoot, busManager, "Reexec"))},
		tries{false, as("alice", command)},
		tries{true, as("alice", state)},
		tries{false, as("bob", reload)},
		tries{false, as("bob", restart)},
		tries{true, as("bob", state)},
		tries{true, as("carol", restart)},
		tries{true, as("carol", command)},
		tries{false, as("carol", busCall(busRoot, busManager, "KillApp", "si", "demo", "9"))},
		tries{false, as("carol", reload)},
		tries{true, reload},
		tries{true, command},
	)
	s.awaitMessage("control request refused", "may not")
	// gracevisorctl goes there by itself.
	for _, one := range []struct {
		code int
		args []string
	}{
		{0, []string{"status"}}, {0, []string{"version"}}, {0, []string{"list-jobs"}}, {0, []string{"reload", "demo"}},
		{4, []string{"reload", "second"}}, {4, []string{"restart", "demo"}}, {4, []string{"kill", "demo"}}, {4, []string{"reexec"}},
		{4, []string{"sockets"}}, {4, []string{"logs", "demo"}}, {1, []string{"status", "none"}},
	} {
		if got := s.Try(as("alice", append([]string{"gracevisorctl"}, one.args...))...); got.Code != one.code {
			t.Errorf("want exit status %d: %v", one.code, got)
		}
	}
	s.Run("systemctl", "mask", "--now", "--runtime", "polkit")
	s.try(tries{false, as("alice", reload)}, tries{true, as("alice", state)}, tries{true, reload})
}

// TestBusActivation: a call starts a service that is enabled, and no other.
func TestBusActivation(t *testing.T) {
	t.Parallel()
	s := onBus(t, demo())
	stop := func() {
		t.Helper()
		s.Run("systemctl", "stop", socketUnit, daemonUnit)
		s.AwaitProperty(daemonUnit, "ActiveState", "inactive")
	}
	stop()
	if got := s.property(busRoot, busManager, "NApps"); got != "u 1" {
		t.Errorf("NApps: %s", got)
	}
	s.awaitServing("demo")
	s.Run("systemctl", "disable", "gracevisor")
	stop()
	s.refused("dbus-org.gracevisor1.service", "busctl", busProperty, busName, busRoot, busManager, "NApps")
	if got := s.Property(daemonUnit, "ActiveState"); got != "inactive" {
		t.Errorf("a call has started the disabled service: it is %s", got)
	}
	s.Run("systemctl", "enable", "gracevisor")
	if got := s.property(busRoot, busManager, "NApps"); got != "u 1" {
		t.Errorf("NApps: %s", got)
	}
	s.Run("apt-get", "remove", "--yes", "gracevisor")
	if left := s.Glob("/etc/systemd/system/dbus-org.gracevisor1*"); len(left) != 0 {
		t.Errorf("left: %q", left)
	}
}
