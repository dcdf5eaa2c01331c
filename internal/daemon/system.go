package daemon

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync"

	"gracevisor/internal/activation"
	"gracevisor/internal/config"
	"gracevisor/internal/logs"
	"gracevisor/internal/process"
	"gracevisor/internal/supervisor"
	"gracevisor/internal/wire"
)

// machine is what the supervisor's seam is made of. What must outlive the
// daemon is given to the keeper before it is used.
type machine struct {
	log        *slog.Logger
	store      *logs.Store
	reaper     *process.Reaper
	sockets    *activation.Table
	keeper     *activation.Keeper
	snapshot   *activation.Snapshot
	ledger     *ledger
	socketBase string
	notifyBase string
	delegated  delegated
	opening    opening
	// kept is what an earlier daemon has kept and nobody has claimed yet. It
	// belongs to the goroutine of the supervisor.
	kept map[string]*os.File
	// claimed are the owners of processes that the state knows.
	claimed map[string]bool
}

// system gives the supervisor the real machine.
func (m *machine) system() supervisor.System {
	return supervisor.System{
		Start:           m.startInstance,
		ProbePort:       process.ProbePort,
		MakeSocketDir:   m.makeSocketDir,
		MakeNotify:      m.makeNotify,
		Usage:           m.usage,
		OpenOutput:      m.openOutput,
		OpenAccessLog:   m.openAccessLog,
		SettleOutput:    m.settleOutput,
		LastLines:       m.store.LastLines,
		ForgetOutput:    m.store.Forget,
		StartWorker:     m.startWorker,
		Listen:          m.listen,
		ResolveInternal: resolveInternal,
		Save:            m.snapshot.Write,
		Strays:          func() []string { return unreachable(m.log, m.reaper) },
	}
}

// keep keeps a file and waits until a crash would not lose it.
func (m *machine) keep(name string, file *os.File) error {
	stored := make(chan struct{})
	if err := m.keeper.Keep(name, file, func() { close(stored) }); err != nil {
		return err
	}
	<-stored
	return nil
}

func (m *machine) makeSocketDir(instance, username string) (supervisor.SocketDir, error) {
	return process.MakeSocketDir(m.socketBase, instance, username, workerGroup())
}

// listen opens the sockets of an app and keeps those that are new.
func (m *machine) listen(ctx context.Context, want activation.Want, held []*activation.Listener) activation.Set {
	set := m.sockets.Open(ctx, want, held)
	for _, l := range set.Listeners {
		m.keepListener(l)
	}
	m.opening.done(want.App)
	return set
}

// opening are the apps of a first start that have not been looked for listeners
// yet. Any goroutine may use it.
type opening struct {
	mu   sync.Mutex
	left map[string]bool
	then func()
}

// await has then called when all apps of a plan are done.
func (o *opening) await(plan *config.Plan, then func()) {
	o.left, o.then = make(map[string]bool), then
	for _, app := range plan.Apps {
		o.left[app.Name] = true
	}
	o.done("")
}

func (o *opening) done(app string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.left, app)
	if len(o.left) == 0 && o.then != nil {
		o.then()
		o.then = nil
	}
}

// keepSockets keeps the listeners that were passed and that no app uses yet: an
// exec would close them.
func (m *machine) keepSockets() {
	for _, l := range m.sockets.Spare() {
		m.keepListener(l)
	}
}

// keepListener keeps a listener until it is closed.
func (m *machine) keepListener(l *activation.Listener) {
	if l.Kept != "" {
		return
	}
	if err := m.keeper.Keep(l.KeptName(), l.File, nil); err != nil {
		m.log.Error("cannot keep listener; a crash of the daemon would lose it", "address", l.Name(), "error", err)
		return
	}
	l.Kept = l.KeptName()
	l.OnClose(func() { m.keeper.Drop(l.Kept) })
}

// workerGroup is the group of the worker process, or -1 if it keeps ours.
func workerGroup() int {
	if os.Geteuid() != 0 {
		return -1
	}
	_, gid, err := process.ProxyAccount()
	if err != nil {
		return -1 // the worker will say so
	}
	return gid
}

// unreachable lists the processes that no stop reaches, because nobody knows
// which instance they belong to.
func unreachable(log *slog.Logger, reaper *process.Reaper) (told []string) {
	strays, err := reaper.Strays()
	if err != nil {
		log.Warn("cannot look for processes that left their instance", "error", err)
	}
	for _, stray := range strays {
		if stray.Instance == "" {
			told = append(told, fmt.Sprintf("pid %d (%s): %s", stray.PID, stray.Comm, stray.Why))
		}
	}
	return told
}

// resolveInternal finds the addresses at which an instance may be reached.
func resolveInternal(ctx context.Context, host string, port int) ([]wire.Target, error) {
	addresses, err := activation.Resolve(ctx, host, port)
	if err != nil {
		return nil, err
	}
	targets := make([]wire.Target, len(addresses))
	for i, address := range addresses {
		targets[i] = wire.Target{Network: "tcp", Address: address.String()}
	}
	return targets, nil
}
