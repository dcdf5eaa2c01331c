package harness

import (
	"slices"

	"gracevisor/internal/control"
)

// AwaitApp waits until the app's status is as wanted, and returns it. The text
// completes "waited in vain for app NAME to".
func (b *Box) AwaitApp(name, what string, so func(control.AppStatus) bool) control.AppStatus {
	b.t.Helper()
	var last control.AppStatus
	defer func() {
		if b.t.Failed() {
			b.t.Logf("the last status of %s was %+v", name, last)
		}
	}()
	b.Await("app "+name+" to "+what, func() bool {
		status := b.Status(name)
		if len(status.Apps) != 1 {
			b.t.Fatalf("status of %s: %d apps", name, len(status.Apps))
		}
		last = status.Apps[0]
		return so(last)
	})
	return last
}

// AwaitServing waits until each of the named apps has an active instance and
// nothing else under way, and returns the active instances' statuses.
func (b *Box) AwaitServing(names ...string) []control.InstanceStatus {
	b.t.Helper()
	var serving []control.InstanceStatus
	for _, name := range names {
		app := b.AwaitApp(name, "serve", func(a control.AppStatus) bool {
			return a.State == "serving" && slices.ContainsFunc(a.Instances, isActive)
		})
		serving = append(serving, Active(app))
	}
	return serving
}

func isActive(i control.InstanceStatus) bool { return i.Active }

// Active is the app's active instance, or a zero value if it has none.
func Active(app control.AppStatus) control.InstanceStatus {
	i := slices.IndexFunc(app.Instances, isActive)
	if i < 0 {
		return control.InstanceStatus{}
	}
	return app.Instances[i]
}
