package e2e

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"

	"gracevisor/internal/control"
	"gracevisor/test/harness"
	"gracevisor/test/load"
)

// TestReloadUnderLoad applies configurations, right and wrong ones, while all
// apps that stay are under load.
func TestReloadUnderLoad(t *testing.T) {
	t.Parallel()
	box := harness.New(t)
	kept, changed, removed := box.App("kept", "--exit-at-once"), box.App("changed", "--exit-at-once"), box.App("removed")
	tcp := box.TCPApp("tcp", "--exit-at-once")
	box.Configure(kept, changed, removed, tcp)
	daemon := box.Start()
	before := pids(box)
	web := startLoad(t, load.Options{Address: kept.Address(), Clients: load.Mix(12), PerConnection: 20})
	other := startLoad(t, load.Options{Address: changed.Address(), Clients: load.Mix(12), PerConnection: 20})
	lines := startLoad(t, load.Options{Address: tcp.Address(), Clients: map[load.Kind]int{load.TCP: 4}, PerConnection: 20})

	brokenChangesNothing(t, box, daemon)
	for _, l := range []*load.Load{web, other, lines} {
		awaitRequests(t, l, 1)
	}
	if now := pids(box); fmt.Sprint(now) != fmt.Sprint(before) {
		t.Errorf("a broken configuration has changed processes from %v to %v", before, now)
	}

	changed = changed.With("max_retries", 2)
	added := box.App("added")
	box.Configure(kept, changed, tcp, added)
	last := begin(t, box, removed, "/slow?ms=500")
	box.Must("update")
	if a, err := last.end(); err != nil || a.status != 200 {
		t.Errorf("a request to an app that was removed meanwhile: %+v, %v", a, err)
	}
	box.Await("the removed app to be gone", func() bool {
		return !slices.ContainsFunc(box.Status().Apps, func(a control.AppStatus) bool { return a.Name == "removed" })
	})
	now := pids(box)
	if now["kept"] != before["kept"] || now["tcp"] != before["tcp"] {
		t.Errorf("an update has restarted apps that did not change: %v, before %v", now, before)
	}
	if now["changed"] == before["changed"] || now["added"] == 0 || now["removed"] != 0 {
		t.Errorf("an update has not applied what changed: %v, before %v", now, before)
	}
	if a := get(t, added, "/"); a.status != 200 {
		t.Errorf("an app that was added: %+v", a)
	}
	awaitRefusal(t, box, removed)
	awaitAnswers(box, other, now["changed"])

	box.Must("reload")
	again := pids(box)
	for _, name := range []string{"kept", "changed", "tcp", "added"} {
		if again[name] == now[name] || again[name] == 0 {
			t.Errorf("a reload has not restarted %s: %v, before %v", name, again, now)
		}
	}
	box.Must("reload", "kept")
	if one := pids(box); one["kept"] == again["kept"] || one["changed"] != again["changed"] {
		t.Errorf("a reload of one app: %v, before %v", one, again)
	}
	awaitAnswers(box, web, pids(box)["kept"])
	awaitAnswers(box, other, again["changed"])
	awaitAnswers(box, lines, again["tcp"])
	noFailures(t, web)
	noFailures(t, other)
	noFailures(t, lines)
}

// pids are the active processes of all apps, as soon as each has one.
func pids(box *harness.Box) map[string]int {
	all := make(map[string]int)
	for _, app := range box.Status().Apps {
		all[app.Name] = box.AwaitServing(app.Name)[0].PID
	}
	return all
}

// brokenChangesNothing tries a configuration with faults by every door.
func brokenChangesNothing(t *testing.T, box *harness.Box, daemon *harness.Daemon) {
	t.Helper()
	box.WriteConfig("apps:\n    - name: kept\n      comand: /bin/true {port}\n      max_retries: many\n")
	for _, verb := range []string{"reload", "update"} {
		r := box.Want(1, verb)
		for _, fault := range []string{"gracevisor.yaml:3:7", "command", "gracevisor.yaml:4:20"} {
			if !strings.Contains(r.Stderr, fault) {
				t.Errorf("%s of a broken configuration does not tell %q: %s", verb, fault, r)
			}
		}
	}
	daemon.Signal(syscall.SIGHUP)
	box.Await("SIGHUP to be refused", func() bool {
		return strings.Contains(box.DaemonOutput(), "nothing has changed")
	})
	if output := box.DaemonOutput(); !strings.Contains(output, "gracevisor.yaml:4:20") {
		t.Errorf("the daemon's log does not tell the fault of the configuration:\n%s", output)
	}
}

// TestMovedApp gives an app another external address. What was begun on the
// old one is served to its end.
func TestMovedApp(t *testing.T) {
	t.Parallel()
	box := harness.New(t)
	old := box.App("demo", "--exit-at-once")
	box.Configure(old)
	box.Start()
	box.AwaitServing("demo")
	moved := old
	moved.Port = box.Port()
	moved = moved.With("external_port", moved.Port)
	box.Configure(moved)
	last := begin(t, box, old, "/slow?ms=500")
	box.Must("reload")
	if a, err := last.end(); err != nil || a.status != 200 {
		t.Errorf("a request on the old address: %+v, %v", a, err)
	}
	if a := get(t, moved, "/"); a.status != 200 {
		t.Errorf("the new address: %+v", a)
	}
	awaitRefusal(t, box, old)
}

// awaitRefusal waits until nobody listens on an address any more.
func awaitRefusal(t *testing.T, box *harness.Box, app harness.App) {
	t.Helper()
	box.Await("the address of app "+app.Name+" to be closed", func() bool {
		_, err := ask(t.Context(), app, "/", "")
		return err != nil && strings.Contains(err.Error(), "refused")
	})
}

// TestExchangedAddresses lets two apps take each other's external address, under
// load on both. Each address is one of either all the time.
func TestExchangedAddresses(t *testing.T) {
	t.Parallel()
	box := harness.New(t)
	a, b := box.App("a", "--exit-at-once"), box.App("b", "--exit-at-once")
	box.Configure(a, b)
	box.Start()
	box.AwaitServing("a", "b")
	var loads []*load.Load
	for _, app := range []harness.App{a, b} {
		loads = append(loads, startLoad(t, load.Options{Address: app.Address(), Clients: load.Mix(6), PerConnection: 5}))
	}
	for range 4 {
		a.Port, b.Port = b.Port, a.Port
		a, b = a.With("external_port", a.Port), b.With("external_port", b.Port)
		box.Configure(a, b)
		box.Must("update")
		now := pids(box)
		for _, app := range []harness.App{a, b} {
			box.Await("app "+app.Name+" to be served on its new address", func() bool {
				return strings.Contains(get(t, app, "/info").body, fmt.Sprintf(`"pid":%d,`, now[app.Name]))
			})
		}
		for _, l := range loads {
			awaitRequests(t, l, 1)
		}
	}
	for _, l := range loads {
		noFailures(t, l)
	}
}
