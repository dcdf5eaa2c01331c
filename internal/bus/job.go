package bus

import (
	"fmt"

	"gracevisor/internal/control"
)

func jobMembers() *iface {
	return &iface{name: jobInterface,
		methods: []method{{"Cancel", nil, nil, (*call).cancelJob}},
		properties: []property{
			{"Id", "u", constant, false, func(f *facts) any { return f.job.ID }},
			{"JobType", "s", constant, false, func(f *facts) any { return string(f.job.Verb) }},
			{"App", "s", constant, false, func(f *facts) any { return text(f.job.App) }},
			{"State", "s", silent, false, func(f *facts) any { return f.job.State }},
		},
	}
}

// findJob looks for a job that is under way.
func (c *call) findJob(id uint32) (*control.Job, error) {
	jobs, err := c.service.ops.Jobs(c.ctx)
	if err != nil {
		return nil, err
	}
	for _, j := range jobs {
		if j.ID == id {
			return &j, nil
		}
	}
	return nil, &control.Error{Code: control.CodeNoSuchJob, Message: fmt.Sprintf("no job %d is under way", id)}
}

// cancelJob serves Cancel of a job, and CancelJob with its number. Who may begin
// a job may call it off.
func (c *call) cancelJob() ([]any, error) {
	id := c.object.job
	if c.object.kind == manager {
		id = c.args[0].(uint32)
	}
	right := right{action: actions[control.VerbStop], verb: "cancel"}
	if job, err := c.findJob(id); err == nil {
		right.action, right.app = actions[job.Verb], job.App
	}
	who, err := c.permit(right)
	if err != nil {
		return nil, err
	}
	return nil, c.service.ops.CancelJob(c.ctx, id, who.String())
}
