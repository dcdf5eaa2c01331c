package daemon

import (
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"gracevisor/internal/activation"
	"gracevisor/internal/config"
	"gracevisor/internal/logs"
	"gracevisor/internal/process"
)

// How often it is looked whether the new apps serve, how long that may take, and
// how long the old ones get to stop.
const (
	salvageLook  = 100 * time.Millisecond
	salvageLimit = 2 * time.Minute
	salvageStop  = 10 * time.Second
)

// wreck is what a daemon has left of which nothing is known but its files, which
// the keeper has, or, if it had no service manager, its processes.
type wreck struct {
	workers, apps map[string]*os.File
	// wires and names are those of files that are let go of: the conversations
	// with the workers, and in the end all.
	wires, names []string
	// owners are the processes' names in the ledger; opened are pidfds that the
	// keeper has not.
	owners []string
	opened []*os.File
	// lastNumbers are the highest numbers of instances by app, lastGeneration
	// that of the workers: what is started now must not have the same names.
	lastNumbers    map[string]uint64
	lastGeneration uint64
}

func newWreck() *wreck {
	return &wreck{
		workers: make(map[string]*os.File), apps: make(map[string]*os.File), lastNumbers: make(map[string]uint64),
	}
}

// findWreck looks for what an earlier daemon has left and the supervisor can not
// take over: what was kept, and what is in the ledger.
func (d *daemon) findWreck(plan *config.Plan, from *predecessor, kept map[string]*os.File) *wreck {
	if from != nil && from.state != nil {
		return nil
	}
	w := newWreck()
	if from != nil {
		d.takeKept(w, plan, kept)
	}
	for owner, birth := range d.machine.ledger.list() {
		d.lookUp(w, owner, birth)
	}
	d.machine.endLeavesBut(slices.Values(w.allOwners()))
	if len(w.names) == 0 && len(w.owners) == 0 {
		return nil
	}
	return w
}

// allOwners are those of all processes that were found.
func (w *wreck) allOwners() []string {
	var owners []string
	for name := range w.apps {
		owners = append(owners, strings.TrimSuffix(strings.TrimPrefix(name, "app/"), "/pidfd"))
	}
	for name := range w.workers {
		owners = append(owners, "+"+strings.TrimSuffix(name, "/pidfd"))
	}
	return owners
}

// lookUp looks for a process of the ledger.
func (d *daemon) lookUp(w *wreck, owner string, birth process.Birth) {
	name, found := pidfdName(owner), w.apps
	if worker, ok := strings.CutPrefix(owner, "+"); ok {
		name, found = worker+"/pidfd", w.workers
	}
	if found[name] == nil {
		pidfd, err := birth.Open()
		if err != nil {
			if !errors.Is(err, os.ErrProcessDone) {
				d.log.Error("cannot look for process of an earlier daemon", "instance", owner, "pid", birth.PID, "error", err)
			}
			d.machine.strike(owner)
			return
		}
		found[name] = pidfd
		w.opened = append(w.opened, pidfd)
	}
	d.log.Warn("found process of an earlier daemon", "instance", owner, "pid", birth.PID)
	w.owners = append(w.owners, owner)
	w.noteNumber(strings.Split(name, "/"))
}

// takeKept takes all files out of kept, and reads on what comes out of them.
func (d *daemon) takeKept(w *wreck, plan *config.Plan, kept map[string]*os.File) {
	for name, file := range kept {
		words := strings.Split(name, "/")
		if words[0] == "access" { // the app gets a new one of this name
			d.readOn(plan, words, file)
			continue
		}
		d.keeper.Adopt(name, file)
		w.names = append(w.names, name)
		switch last := words[len(words)-1]; {
		case words[0] == "worker" && last == "pidfd":
			w.workers[name] = file
		case words[0] == "worker" && last == "wire":
			w.wires = append(w.wires, name)
		case words[0] == "app" && last == "pidfd":
			w.apps[name] = file
		default:
			if dup, err := activation.Dup(file); err == nil {
				d.readOn(plan, words, dup)
			}
		}
		w.noteNumber(words)
	}
	clear(kept)
}

func (w *wreck) noteNumber(words []string) {
	if len(words) < 3 {
		return
	}
	number, err := strconv.ParseUint(words[len(words)-2], 10, 64)
	switch {
	case err != nil:
	case words[0] == "worker":
		w.lastGeneration = max(w.lastGeneration, number)
	case words[0] == "app":
		w.lastNumbers[words[1]] = max(w.lastNumbers[words[1]], number)
	}
}

// readOn reads a pipe to its end, lest those who write into it are stopped by
// it. What an app of the plan writes goes where it belongs.
func (d *daemon) readOn(plan *config.Plan, words []string, pipe *os.File) {
	switch {
	case words[0] == "worker":
		go relayLog(d.log.With("worker", "old"), pipe) // ends with the worker
		return
	case len(words) > 1 && plan.App(words[1]) != nil:
		app := plan.App(words[1])
		stream := words[len(words)-1]
		number, _ := strconv.ParseUint(words[len(words)-2], 10, 64) // an access log has none
		switch {
		case words[0] == "access":
			d.store.Attach(logs.Source{App: app.Name, Stream: logs.StreamAccess}, pipe, targetOf(app.Traffic.AccessLogFile))
			return
		case stream == logs.StreamStdout:
			d.store.Attach(logs.Source{App: app.Name, Instance: number, Stream: stream}, pipe, targetOf(app.Stdout))
			return
		case stream == logs.StreamStderr:
			d.store.Attach(logs.Source{App: app.Name, Instance: number, Stream: stream}, pipe, targetOf(app.Stderr))
			return
		}
	}
	go func() { // ends with those who write
		defer pipe.Close()
		_, _ = io.Copy(io.Discard, pipe)
	}()
}

// salvage replaces a wreck. The old worker goes on serving the old instances as
// long as its conversation is held open; when the new apps serve, that is closed,
// so that the worker drains and leaves, and then the old instances are stopped.
func (d *daemon) salvage(ctx context.Context, w *wreck) {
	d.awaitSettled(ctx)
	for _, name := range w.wires {
		d.keeper.Drop(name)
	}
	for _, worker := range w.workers {
		awaitPidfd(ctx, worker, salvageLimit)
	}
	for name, app := range w.apps {
		if err := signalPidfd(app, unix.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
			d.log.Error("cannot stop old instance", "name", name, "error", err)
		}
	}
	for name, app := range w.apps {
		if awaitPidfd(ctx, app, salvageStop) {
			continue
		}
		d.log.Warn("killing an old instance that does not stop", "name", name)
		if err := killPidfd(app); err != nil && !errors.Is(err, os.ErrProcessDone) {
			d.log.Error("cannot kill old instance", "name", name, "error", err)
		}
	}
	for _, owner := range w.allOwners() {
		if leaf := d.machine.findLeaf(owner); leaf != nil {
			d.endLeaf(ctx, owner, leaf)
		}
	}
	for _, name := range w.names {
		d.keeper.Drop(name)
	}
	for _, pidfd := range w.opened {
		pidfd.Close()
	}
	for _, owner := range w.owners {
		d.machine.strike(owner)
	}
	d.machine.sockets.SettleUnclaimed()
	d.log.Info("what an earlier daemon has left is stopped", "instances", len(w.apps), "workers", len(w.workers))
}

// endLeaf ends what a process that has ended has left in its cgroup.
func (d *daemon) endLeaf(ctx context.Context, owner string, leaf *process.Leaf) {
	ctx, cancel := context.WithTimeout(ctx, salvageStop)
	defer cancel()
	if err := leaf.End(ctx); err != nil {
		d.log.Error("cannot end what is left in a cgroup", "instance", owner, "error", err)
	}
}

func (d *daemon) awaitSettled(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, salvageLimit)
	defer cancel()
	ticker := time.NewTicker(salvageLook)
	defer ticker.Stop()
	for {
		sum, err := d.supervisor.Summary(ctx)
		if err != nil || sum.Settled {
			return
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}
