package bus

import (
	"github.com/godbus/dbus/v5"

	"gracevisor/internal/control"
)

// listedApp and listedJob are the structures of ListApps and ListJobs.
type listedApp struct {
	Name, State, External string
	Instances, InFlight   uint32
	Path                  dbus.ObjectPath
}

type listedJob struct {
	ID               uint32
	Type, App, State string
	Path             dbus.ObjectPath
}

// workerValue is the structure of the property Worker.
type workerValue struct {
	Generation uint64
	PID        uint32
}

func managerMembers() *iface {
	app, job := one("name", "s"), one("job", "o")
	return &iface{name: managerInterface,
		methods: []method{
			{"ListApps", nil, one("apps", "a(sssuuo)"), (*call).listApps},
			{"GetApp", app, one("app", "o"), (*call).getApp},
			{"Reload", nil, job, operation(control.VerbReload)},
			{"Update", nil, job, operation(control.VerbUpdate)},
			{"StartApp", app, job, operation(control.VerbStart)},
			{"RestartApp", app, job, operation(control.VerbRestart)},
			{"ReloadApp", app, job, operation(control.VerbReload)},
			{"StopApp", app, job, operation(control.VerbStop)},
			{"KillApp", []argument{{"name", "s"}, {"signal", "i"}}, nil, (*call).kill},
			{"Reexec", nil, job, operation(control.VerbReexec)},
			{"ListJobs", nil, one("jobs", "a(ussso)"), (*call).listJobs},
			{"GetJob", one("id", "u"), job, (*call).getJob},
			{"CancelJob", one("id", "u"), nil, (*call).cancelJob},
			{"Subscribe", nil, nil, (*call).subscribe},
			{"Unsubscribe", nil, nil, (*call).unsubscribe},
		},
		signals: []signal{
			{"JobNew", []argument{{"id", "u"}, {"job", "o"}, {"app", "s"}}},
			{"JobRemoved", []argument{{"id", "u"}, {"job", "o"}, {"app", "s"}, {"result", "s"}}},
			{"AppNew", []argument{{"name", "s"}, {"app", "o"}}},
			{"AppRemoved", []argument{{"name", "s"}, {"app", "o"}}},
			{"Reloading", one("active", "b")},
		},
		properties: []property{
			{"Version", "s", constant, false, func(f *facts) any { return f.version.Version }},
			{"Worker", "(tu)", announced, false, func(f *facts) any {
				return workerValue{f.daemon.Worker, uint32(f.daemon.WorkerPID)}
			}},
			{"NApps", "u", announced, false, func(f *facts) any { return uint32(f.daemon.Apps) }},
			{"NFailedApps", "u", announced, false, func(f *facts) any { return uint32(f.daemon.Failed) }},
			{"ConfigPath", "s", constant, false, func(f *facts) any { return text(f.file) }},
		},
	}
}

func (c *call) listApps() ([]any, error) {
	status, err := c.service.ops.Overview(c.ctx, nil)
	if err != nil {
		return nil, err
	}
	list := make([]listedApp, 0, len(status.Apps))
	for _, a := range status.Apps {
		list = append(list, listedApp{
			text(a.Name), a.State, text(a.External), uint32(len(a.Instances)), uint32(a.InFlight), AppPath(a.Name),
		})
	}
	return []any{list}, nil
}

func (c *call) getApp() ([]any, error) {
	name, err := c.appName()
	if err != nil {
		return nil, err
	}
	if _, err := c.service.ops.Overview(c.ctx, []string{name}); err != nil {
		return nil, err
	}
	return []any{AppPath(name)}, nil
}

func (c *call) listJobs() ([]any, error) {
	jobs, err := c.service.ops.Jobs(c.ctx)
	if err != nil {
		return nil, err
	}
	list := make([]listedJob, 0, len(jobs))
	for _, j := range jobs {
		list = append(list, listedJob{j.ID, string(j.Verb), text(j.App), j.State, jobPath(j.ID)})
	}
	return []any{list}, nil
}

func (c *call) getJob() ([]any, error) {
	job, err := c.findJob(c.args[0].(uint32))
	if err != nil {
		return nil, err
	}
	return []any{jobPath(job.ID)}, nil
}
