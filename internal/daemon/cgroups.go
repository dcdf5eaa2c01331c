package daemon

import (
	"os"

	"gracevisor/internal/activation"
	"gracevisor/internal/process"
	"gracevisor/internal/supervisor"
)

// findCgroups finds the delegated cgroup for instances and workers. Without one
// process groups do.
func (m *machine) findCgroups() {
	cgroups, err := process.FindCgroups()
	if err != nil {
		m.log.Info("no delegated cgroup: process groups are used, and limits are not set", "reason", err)
		return
	}
	m.cgroups = cgroups
	m.log.Info("using delegated cgroup", "path", cgroups.Root(), "controllers", cgroups.Controllers())
}

// makeLeaf makes the cgroup of an instance or a worker; it is nil without
// cgroups.
func (m *machine) makeLeaf(owner string, limits process.Limits) (*process.Leaf, error) {
	if m.cgroups == nil {
		if limits != (process.Limits{}) {
			m.log.Warn("limits can not be set without a delegated cgroup", "instance", owner)
		}
		return nil, nil
	}
	leaf, unset, err := m.cgroups.MakeLeaf(owner, limits)
	for _, limit := range unset {
		m.log.Warn("limit can not be set", "instance", owner, "limit", limit)
	}
	return leaf, err
}

func (m *machine) findLeaf(owner string) *process.Leaf {
	if m.cgroups == nil {
		return nil
	}
	return m.cgroups.FindLeaf(owner)
}

// usage tells what an instance uses.
func (m *machine) usage(instance string) (memory, cpu int64) {
	leaf := m.findLeaf(instance)
	if leaf == nil {
		return -1, -1
	}
	u := leaf.Usage()
	return u.Memory, u.CPU
}

// notifySocket is an activation.AppNotify as the supervisor sees it.
type notifySocket struct{ *activation.AppNotify }

// Run implements supervisor.Notify.
func (n notifySocket) Run(p supervisor.Process, deliver func(activation.AppEvent)) {
	owns := func(int) bool { return false }
	if p, ok := p.(*instanceProcess); ok {
		owns = p.Owns
	}
	n.AppNotify.Run(owns, deliver)
}

// makeNotify makes the notify socket of an instance.
func (m *machine) makeNotify(instance, username string) (supervisor.Notify, error) {
	uid, gid, err := process.LookUp(username)
	if err != nil {
		return nil, err
	}
	if os.Geteuid() != 0 {
		uid, gid = os.Geteuid(), os.Getegid()
	}
	n, err := activation.NewAppNotify(m.notifyBase, instance, uid, gid, m.log)
	if err != nil {
		return nil, err
	}
	return notifySocket{n}, nil
}
