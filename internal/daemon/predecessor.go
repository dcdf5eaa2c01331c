package daemon

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"maps"
	"os"

	"gracevisor/internal/activation"
	"gracevisor/internal/config"
	"gracevisor/internal/process"
	"gracevisor/internal/supervisor"
)

// stateName is the name that the snapshot is kept by.
const stateName = "state"

// predecessor is the daemon before this one, whose files this one was given: by
// an exec, or by the service manager after a crash or for a restart.
type predecessor struct {
	snapshot *activation.Snapshot
	// state is nil if it could not be read, for the reason err.
	state *supervisor.State
	err   error
}

// predecessorOrPlan reads the state of the daemon before this one, which holds
// its plan: the configuration's files are not looked at then, because a file
// that is just being changed must not change anything. Without one the
// configuration is read, or what was good of it last.
func predecessorOrPlan(log *slog.Logger, kept map[string]*os.File, confDir, stateDir string) (*predecessor, *config.Plan, error) {
	var from *predecessor
	if file := kept[stateName]; file != nil {
		from = readPredecessor(file)
		if from.err == nil {
			return from, from.state.Plan, nil
		}
	} else if len(kept) > 0 {
		from = &predecessor{err: errNoSnapshot}
	}
	plan, err := planToStartWith(log, confDir, stateDir)
	return from, plan, err
}

// errNoSnapshot: files were kept, and among them is no snapshot.
var errNoSnapshot = errors.New("there is no snapshot")

func readPredecessor(file *os.File) *predecessor {
	from := &predecessor{snapshot: activation.OpenSnapshot(file)}
	data, err := from.snapshot.Read()
	if err == nil {
		from.state, err = supervisor.ReadState(data)
	}
	from.err = err
	return from
}

// openSnapshot goes on with the snapshot of the predecessor, or makes one and
// keeps it.
func (d *daemon) openSnapshot(from *predecessor, kept map[string]*os.File) (*activation.Snapshot, error) {
	if from != nil && from.err == nil {
		d.keeper.Adopt(stateName, kept[stateName])
		delete(kept, stateName)
		return from.snapshot, nil
	}
	if from != nil {
		d.log.Error("cannot read the state of the daemon before this one; starting all apps anew beside what runs", "error", from.err)
		if file := kept[stateName]; file != nil {
			file.Close()
			delete(kept, stateName)
		}
	}
	snapshot, err := activation.NewSnapshot()
	if err != nil {
		return nil, err
	}
	if err := d.keeper.Keep(stateName, snapshot.File(), nil); err != nil {
		return nil, err
	}
	return snapshot, nil
}

// inheritance is what the supervisor takes over, or nil.
func (d *daemon) inheritance(ctx context.Context, from *predecessor) *supervisor.Inheritance {
	if from == nil || from.state == nil {
		return nil
	}
	m := d.machine
	return &supervisor.Inheritance{
		State:   from.state,
		Process: m.adoptInstance,
		Output:  m.adoptOutput,
		SocketDir: func(instance, username string) supervisor.SocketDir {
			dir, err := process.FindSocketDir(m.socketBase, instance, username, workerGroup())
			if err != nil {
				d.log.Error("cannot take over socket folder", "instance", instance, "error", err)
				return nil
			}
			return dir
		},
		Worker: m.adoptWorker,
		Done: func() {
			go m.reaper.Run(ctx)
			m.endUnclaimed()
		},
		Claim:     m.sockets.Claim,
		Listening: m.sockets.SettleUnclaimed,
	}
}

// endUnclaimed ends what was kept and that the state does not know: an instance
// that was cloned but not yet noted. It has not become the app's program.
func (m *machine) endUnclaimed() {
	for name, file := range m.kept {
		m.log.Warn("nobody knows a file that was kept", "name", name)
		if isPidfd(name) {
			if err := killPidfd(file); err != nil && !errors.Is(err, os.ErrProcessDone) {
				m.log.Error("cannot end unknown process", "name", name, "error", err)
			}
		}
		m.keeper.Adopt(name, file)
		m.keeper.Drop(name)
	}
	clear(m.kept)
	for owner, birth := range m.ledger.list() {
		if !m.claimed[owner] {
			m.endUnknown(owner, birth)
		}
	}
	m.endLeaves()
}

// endLeaves ends what is left in cgroups of which the state knows nothing, or
// whose process has gone.
func (m *machine) endLeaves() { m.endLeavesBut(maps.Keys(m.claimed)) }

// endLeavesBut ends what is in cgroups of others than these owners.
func (m *machine) endLeavesBut(owners iter.Seq[string]) {
	cgroups := m.delegated.get()
	if cgroups == nil {
		return
	}
	known := make(map[string]bool)
	for owner := range owners {
		known[process.LeafName(owner)] = true
	}
	ended, err := cgroups.EndLeaves(func(leaf string) bool { return known[leaf] })
	if err != nil {
		m.log.Error("cannot end what is left in cgroups", "cgroups", ended, "error", err)
	} else if len(ended) > 0 {
		m.log.Warn("ended what was left in cgroups that nobody knows", "cgroups", ended)
	}
}

// endLeft ends what is left when the daemon ends, which is nothing unless an
// earlier daemon's was still being replaced.
func (m *machine) endLeft() {
	for owner, birth := range m.ledger.list() {
		m.endUnknown(owner, birth)
	}
}

// endUnknown ends a process of the ledger that the state does not know, if it is
// still there.
func (m *machine) endUnknown(owner string, birth process.Birth) {
	pidfd, err := birth.Open()
	if err == nil {
		m.log.Warn("ending a process that nobody knows", "instance", owner, "pid", birth.PID)
		err = errors.Join(killPidfd(pidfd), pidfd.Close())
	}
	if err != nil && !errors.Is(err, os.ErrProcessDone) {
		m.log.Error("cannot end unknown process", "instance", owner, "pid", birth.PID, "error", err)
	}
	m.strike(owner)
}

// stateReads bounds how often CheckState tries again.
const stateReads = 10

// CheckState reads a snapshot as a successor would: what a re-execution asks of
// a binary before it relies on it.
func CheckState(file *os.File) error {
	from := readPredecessor(file)
	for range stateReads { // the daemon may just be writing both slots in turn
		if !errors.Is(from.err, activation.ErrNoSnapshot) {
			break
		}
		from = readPredecessor(file)
	}
	if from.err != nil {
		return fmt.Errorf("this build can not take over: %w", from.err)
	}
	return nil
}
