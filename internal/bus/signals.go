package bus

import (
	"fmt"

	"github.com/godbus/dbus/v5"

	"gracevisor/internal/control"
)

// tell sends what happens to those who are subscribed, until the connection
// ends.
func (t *session) tell(watch *control.Watch) error {
	for {
		notices, err := watch.Next(t.life)
		if t.life.Err() != nil {
			return errLost
		}
		if err != nil { // the bus has not taken what was sent
			return fmt.Errorf("%w: %w", errLost, err)
		}
		if !t.any() {
			continue
		}
		for n := range notices {
			if err := t.emit(&notices[n]); err != nil {
				return fmt.Errorf("%w: %w", errLost, err)
			}
		}
	}
}

// emit sends the signals that tell of a notice.
func (t *session) emit(n *control.Notice) error {
	switch n.Kind {
	case control.NoticeJobNew:
		return first(
			t.send(root, managerInterface+".JobNew", n.Job.ID, jobPath(n.Job.ID), text(n.Job.App)),
			t.send(root, objectManager+".InterfacesAdded", jobPath(n.Job.ID), describeJob(n.Job)))
	case control.NoticeJobRemoved:
		return first(
			t.send(root, managerInterface+".JobRemoved", n.Job.ID, jobPath(n.Job.ID), text(n.Job.App), string(n.Result)),
			t.send(root, objectManager+".InterfacesRemoved", jobPath(n.Job.ID), []string{jobInterface}))
	case control.NoticeAppNew:
		err := t.send(root, managerInterface+".AppNew", text(n.App), AppPath(n.App))
		if err == nil && n.State != nil {
			err = t.send(root, objectManager+".InterfacesAdded", AppPath(n.App), describeApp(n.State))
		}
		return err
	case control.NoticeAppRemoved:
		return first(
			t.send(root, managerInterface+".AppRemoved", text(n.App), AppPath(n.App)),
			t.send(root, objectManager+".InterfacesRemoved", AppPath(n.App), []string{appInterface}))
	case control.NoticeAppChanged:
		return t.sendChange(AppPath(n.App), own[appObject], &facts{app: n.State})
	case control.NoticeDaemonChanged:
		return t.sendChange(root, own[manager], &facts{daemon: *n.Daemon})
	case control.NoticeReloading:
		return t.send(root, managerInterface+".Reloading", *n.Reloading)
	}
	return nil
}

// sendChange sends PropertiesChanged with all properties that are announced.
func (t *session) sendChange(path dbus.ObjectPath, i *iface, f *facts) error {
	stale := []string{}
	for _, p := range i.properties {
		if p.emits == invalidated {
			stale = append(stale, p.name)
		}
	}
	values := i.values(f, func(p *property) bool { return p.emits == announced })
	return t.send(path, propertiesChange, i.name, values, stale)
}

// send sends a signal.
func (t *session) send(path dbus.ObjectPath, name string, values ...any) error {
	return t.conn.Emit(path, name, values...)
}

// first is the first error.
func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
