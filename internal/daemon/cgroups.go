package daemon

import (
	"log/slog"
	"os"
	"sync"

	"gracevisor/internal/activation"
	"gracevisor/internal/process"
	"gracevisor/internal/supervisor"
)

// delegated is the cgroup for instances and workers. A unit that is not there yet
// may be later: the service manager has just started it anew.
type delegated struct {
	mu      sync.Mutex
	cgroups *process.Cgroups
}

// get is the delegated cgroup, or nil.
func (d *delegated) get() *process.Cgroups {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.cgroups
}

// find looks for the delegated cgroup, if there was none so far.
func (d *delegated) find(log *slog.Logger) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.cgroups != nil {
		return nil
	}
	cgroups, err := process.FindCgroups()
	if err == nil {
		d.cgroups = cgroups
		log.Info("using delegated cgroup", "path", cgroups.Root(), "controllers", cgroups.Controllers())
	}
	return err
}

// findCgroups finds the delegated cgroup for instances and workers. Without one
// process groups do.
func (m *machine) findCgroups() {
	if err := m.delegated.find(m.log); err != nil {
		m.log.Info("no delegated cgroup: process groups are used, and limits are not set", "reason", err)
	}
}

// leafTries is how often a process is started whose cgroup is removed under it.
const leafTries = 3

// inLeaf has a process started in a cgroup of its own, which is nil without
// cgroups.
func (m *machine) inLeaf(owner string, limits process.Limits, start func(*process.Leaf) error) error {
	for try := 1; ; try++ {
		leaf, err := m.makeLeaf(owner, limits)
		if err != nil {
			return err
		}
		err = start(leaf)
		if err == nil || leaf == nil || try == leafTries || m.findLeaf(owner) != nil {
			return err
		}
	}
}

// makeLeaf makes the cgroup of an instance or a worker; it is nil without
// cgroups.
func (m *machine) makeLeaf(owner string, limits process.Limits) (*process.Leaf, error) {
	if err := m.delegated.find(m.log); err != nil {
		if limits != (process.Limits{}) {
			m.log.Warn("limits can not be set without a delegated cgroup", "instance", owner)
		}
		return nil, nil
	}
	leaf, unset, err := m.delegated.get().MakeLeaf(owner, limits)
	for _, limit := range unset {
		m.log.Warn("limit can not be set", "instance", owner, "limit", limit)
	}
	return leaf, err
}

func (m *machine) findLeaf(owner string) *process.Leaf {
	cgroups := m.delegated.get()
	if cgroups == nil {
		return nil
	}
	return cgroups.FindLeaf(owner)
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
