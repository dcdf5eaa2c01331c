package bus

import (
	"fmt"

	"github.com/godbus/dbus/v5"

	"gracevisor/internal/control"
)

// facts gathers what the properties of the object are made of.
func (c *call) facts(withSecrets bool) (*facts, error) {
	ops := c.service.ops
	f := &facts{version: ops.Version()}
	switch c.object.kind {
	case manager:
		status, err := ops.Overview(c.ctx, nil)
		if err != nil {
			return nil, err
		}
		f.daemon, f.file = status.Daemon(), status.ConfigFile
	case appObject:
		status, err := ops.Overview(c.ctx, []string{c.object.app})
		if err != nil {
			return nil, err
		}
		f.app = &status.Apps[0]
		if withSecrets {
			if f.settings, err = ops.Settings(c.ctx, c.object.app); err != nil {
				return nil, err
			}
		}
	case jobObject:
		job, err := c.findJob(c.object.job)
		if err != nil {
			return nil, err
		}
		f.job = job
	}
	return f, nil
}

// values are the properties of an interface. Secret ones are left out if their
// facts are not known.
func (i *iface) values(f *facts, include func(*property) bool) map[string]dbus.Variant {
	all := make(map[string]dbus.Variant)
	for n := range i.properties {
		p := &i.properties[n]
		if include(p) && (!p.secret || f.settings != nil) {
			all[p.name] = p.variant(f)
		}
	}
	return all
}

func (p *property) variant(f *facts) dbus.Variant {
	return dbus.MakeVariantWithSignature(p.value(f), dbus.ParseSignatureMust(p.signature))
}

func anyProperty(*property) bool { return true }

// interfaceOf finds the interface that an argument names; an empty name stands
// for our own.
func (c *call) interfaceOf(name string) (*iface, error) {
	for _, i := range c.object.interfaces() {
		if i.name == name || name == "" {
			return i, nil
		}
	}
	return nil, dbus.Error{Name: "org.freedesktop.DBus.Error.UnknownInterface", Body: []any{
		fmt.Sprintf("%s has no interface %q", c.object.path, text(short(name)))}}
}

func (c *call) propertyOf(ifaceName, name string) (*property, error) {
	i, err := c.interfaceOf(ifaceName)
	if err != nil {
		return nil, err
	}
	p := i.property(name)
	if p == nil {
		return nil, dbus.Error{Name: "org.freedesktop.DBus.Error.UnknownProperty", Body: []any{
			fmt.Sprintf("%s has no property %q", i.name, text(short(name)))}}
	}
	return p, nil
}

func (c *call) get() ([]any, error) {
	p, err := c.propertyOf(c.args[0].(string), c.args[1].(string))
	if err != nil {
		return nil, err
	}
	if p.secret {
		if _, err := c.permit(c.reading()); err != nil {
			return nil, err
		}
	}
	f, err := c.facts(p.secret)
	if err != nil {
		return nil, err
	}
	return []any{p.variant(f)}, nil
}

// getAll leaves out what the caller may not see.
func (c *call) getAll() ([]any, error) {
	i, err := c.interfaceOf(c.args[0].(string))
	if err != nil {
		return nil, err
	}
	if len(i.properties) == 0 {
		return []any{map[string]dbus.Variant{}}, nil
	}
	f, err := c.facts(c.object.kind == appObject && c.mayRead())
	if err != nil {
		return nil, err
	}
	return []any{i.values(f, anyProperty)}, nil
}

func (c *call) set() ([]any, error) {
	if _, err := c.propertyOf(c.args[0].(string), c.args[1].(string)); err != nil {
		return nil, err
	}
	return nil, dbus.Error{Name: "org.freedesktop.DBus.Error.PropertyReadOnly", Body: []any{
		"properties are not set: the configuration decides, and methods act"}}
}

// managedObjects serves GetManagedObjects, without anything secret.
func (c *call) managedObjects() ([]any, error) {
	status, err := c.service.ops.Overview(c.ctx, nil)
	if err != nil {
		return nil, err
	}
	jobs, err := c.service.ops.Jobs(c.ctx)
	if err != nil {
		return nil, err
	}
	all := make(map[dbus.ObjectPath]map[string]map[string]dbus.Variant)
	for n := range status.Apps {
		all[AppPath(status.Apps[n].Name)] = describeApp(&status.Apps[n])
	}
	for n := range jobs {
		all[jobPath(jobs[n].ID)] = describeJob(&jobs[n])
	}
	return []any{all}, nil
}

// describeApp and describeJob are the interfaces of an object with their
// properties, as ObjectManager tells them.
func describeApp(a *control.AppStatus) map[string]map[string]dbus.Variant {
	return map[string]map[string]dbus.Variant{appInterface: own[appObject].values(&facts{app: a}, anyProperty)}
}

func describeJob(j *control.Job) map[string]map[string]dbus.Variant {
	return map[string]map[string]dbus.Variant{jobInterface: own[jobObject].values(&facts{job: j}, anyProperty)}
}
