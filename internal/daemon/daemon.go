package daemon

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"gracevisor/internal/activation"
	"gracevisor/internal/bus"
	"gracevisor/internal/config"
	"gracevisor/internal/control"
	"gracevisor/internal/logs"
	"gracevisor/internal/process"
	"gracevisor/internal/supervisor"
	"gracevisor/internal/version"
)

// Options say how a daemon is started.
type Options struct {
	// ConfDir is the directory of gracevisor.yaml.
	ConfDir string
	// Signals are those of SignalsWanted, registered first thing in main. Run
	// reads from it, and stops the registration before an exec.
	Signals chan os.Signal
	// Stderr takes the log, besides its file.
	Stderr io.Writer
}

// daemon is the supervisor process.
type daemon struct {
	options    Options
	runtimeDir string
	stateDir   string // "": there is none
	log        *slog.Logger
	daemonLog  *logs.DaemonLog
	// logPath is where it is. It changes while a plan is put into force.
	logPath    string
	store      *logs.Store
	keeper     *activation.Keeper
	machine    *machine
	supervisor *supervisor.Supervisor
	herald     *herald
	doors      *doors
	bus        *bus.Service
	operations *operations
	// handedOver: a successor goes on with what there is.
	handedOver bool

	// reexecuting is held while the program is about to be replaced. execs
	// takes the path when all is ready for that.
	reexecuting sync.Mutex
	execs       chan string
	// ending is closed when the daemon is told to end.
	ending  chan struct{}
	endOnce sync.Once
	// reloadsDue counts the reloads that were asked for by signal and have not
	// begun.
	reloadsDue atomic.Int32
}

// Run is the supervisor process, until it has been stopped. The error is for
// standard error; a configuration that is not valid gives config.Faults.
func Run(o Options) error {
	setUpRuntime()
	early := &earlyLog{}
	executed, due := activation.Executed(), takePendingSignals()
	sockets, kept := activation.Inherit(slog.New(early))
	passed := sockets.Spare()
	if err := checkDescriptors(len(kept), executed); err != nil {
		return o.failToStart(early, err)
	}
	replies := takeReplies(kept)
	defer replies.close()
	predecessor, plan, err := predecessorOrPlan(slog.New(early), kept, o.ConfDir, stateDirectory())
	if err != nil {
		return o.failToStart(early, err)
	}
	d := &daemon{
		options: o, runtimeDir: control.RuntimeDirectory(), stateDir: stateDirectory(),
		execs: make(chan string), ending: make(chan struct{}),
	}
	if err := control.PrepareRuntimeDirectory(d.runtimeDir); err != nil {
		return err
	}
	lock, err := control.LockRuntime(d.runtimeDir)
	if err != nil {
		return err
	}
	defer lock.Close()
	d.log, d.daemonLog = logs.NewDaemonLog(targetOf(plan.Log), o.Stderr, slog.LevelInfo)
	defer d.closeLog()
	d.logPath = plan.Log.Path
	early.replay(d.log)
	d.log.Info("starting", "version", version.String(), "pid", os.Getpid(), "configuration", plan.File, "apps", len(plan.Apps))
	if !executed {
		predecessor.noteCrash(d.log, predecessor.served(kept))
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if err := d.assemble(ctx, plan, predecessor, sockets, kept); err != nil {
		return err
	}
	go d.supervisor.Run() // ends with Stop
	d.tellWarnings(plan, passed)
	d.rememberPlan(plan)
	go d.bus.Run(ctx)
	d.doors.openUnix(d.runtimeDir)
	d.doors.openRPC(d.runtimeDir, plan.RPC)
	go d.conclude(ctx, replies, predecessor) // ends when the supervisor has taken over
	if predecessor != nil && predecessor.state != nil && predecessor.state.UpdateDue {
		go d.updateAfterRestart() // ends with the update
	}
	err = d.obeySignals(due)
	if err == nil {
		d.endOnce.Do(func() { close(d.ending) })
		d.reexecuting.Lock() // a check of the binary must not outlive us
	}
	if !d.handedOver {
		d.end()
	}
	return err
}

// garbagePercent is how much garbage there may be beside what is in use before it
// is collected. The daemon rests most of the time, and a half of Go's usual 100
// saves a fifth of its memory.
const garbagePercent = 50

// setUpRuntime tells Go's runtime what a daemon wants otherwise.
func setUpRuntime() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(garbagePercent)
	}
	// Else a program ends that writes to a standard error which nobody reads any
	// more: a journal that has crashed, or the "| head" of an operator.
	signal.Ignore(syscall.SIGPIPE)
}

// assemble puts the parts together. What works in the background does so until
// ctx ends.
func (d *daemon) assemble(ctx context.Context, plan *config.Plan, from *predecessor, sockets *activation.Table, kept map[string]*os.File) error {
	sweepLeftovers(d.log, d.runtimeDir, d.stateDir)
	d.store = logs.NewStore(d.log)
	d.store.ShareDaemonLog(d.daemonLog)
	d.keeper = activation.NewKeeper(d.log, activation.NewFDStore(), keepRank)
	go d.keeper.Run(ctx)
	go learnStoreMax(ctx, d.keeper) // ends with the answer
	snapshot, err := d.openSnapshot(from, kept)
	if err != nil {
		return err
	}
	d.machine = &machine{
		log: d.log, store: d.store, reaper: process.NewReaper(d.log, ""), sockets: sockets,
		keeper: d.keeper, snapshot: snapshot, socketBase: filepath.Join(d.runtimeDir, "apps"),
		notifyBase: filepath.Join(d.runtimeDir, "notify"), kept: kept,
		claimed: make(map[string]bool),
	}
	if d.machine.ledger, err = openLedger(filepath.Join(d.runtimeDir, ledgerFile)); err != nil {
		d.log.Error("processes of an earlier daemon may run on", "error", err)
	}
	d.machine.findCgroups()
	d.machine.keepSockets()
	options := supervisor.Options{
		Log:       d.log,
		System:    d.machine.system(),
		Plan:      plan,
		Version:   version.String(),
		Feed:      new(control.Feed),
		Inherited: d.inheritance(ctx, from),
	}
	left := d.findWreck(plan, from, kept)
	if left != nil {
		options.LastNumbers, options.LastGeneration = left.lastNumbers, left.lastGeneration
	}
	if options.Inherited == nil && left == nil {
		d.machine.opening.await(plan, sockets.SettleUnclaimed)
	}
	d.supervisor = supervisor.New(options)
	if options.Inherited == nil {
		go d.machine.reaper.Run(ctx)
	}
	if left != nil {
		go d.salvage(ctx, left)
	}
	d.operations = &operations{
		supervisor: d.supervisor, store: d.store, feed: options.Feed, confDir: d.options.ConfDir, reexec: d.startReexec,
	}
	told := tellFailures(d.operations, d.log)
	d.doors = newDoors(d.log, told)
	d.operations.applied = d.putIntoForce
	d.bus = bus.New(told, d.log, d.runtimeDir) // hears what a successor does first of all
	d.herald = newHerald(activation.NewNotifier(d.log), d.supervisor, plan.ReadyTimeout)
	d.operations.reloading = d.herald.reloads
	go d.herald.run(ctx)
	return nil
}

// putIntoForce does what the supervisor does not when a plan is put into force.
func (d *daemon) putIntoForce(plan *config.Plan) {
	d.doors.applyPlan(plan)
	d.moveLog(plan)
	d.rememberPlan(plan)
}

// moveLog has the daemon's own log follow a plan.
func (d *daemon) moveLog(plan *config.Plan) {
	target := targetOf(plan.Log)
	moves := target.Path != d.logPath
	if moves {
		d.log.Info("moving the log", "from", d.logPath, "to", target.Path)
		flushed, cancel := context.WithTimeout(context.Background(), outputGrace)
		_ = d.daemonLog.Flush(flushed) // what is not written by then goes to the new file
		cancel()
	}
	if err := d.store.MoveDaemonLog(d.daemonLog, target); err != nil {
		d.log.Error("cannot move the log; it goes on where it is", "file", d.logPath, "error", err)
		return
	}
	if moves {
		d.log.Info("the log was moved here", "from", d.logPath)
		d.logPath = target.Path
	}
}

func (d *daemon) tellWarnings(plan *config.Plan, passed []*activation.Listener) {
	for _, warning := range plan.Warnings.Lines() {
		d.log.Warn("configuration", "warning", warning)
	}
	tellMissingRights(d.log, plan, passed)
}

// outputGrace bounds how long the end of the daemon waits for what is still in
// the output pipes, and for clients of the doors.
const outputGrace = 2 * time.Second

// end shuts what is open once the supervisor has ended.
func (d *daemon) end() {
	ctx, cancel := context.WithTimeout(context.Background(), outputGrace)
	defer cancel()
	var wait sync.WaitGroup
	wait.Go(func() { d.doors.shut(ctx) })
	wait.Go(func() { d.flushBus(ctx) })
	wait.Go(func() {
		if err := d.store.Close(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			d.log.Warn("cannot write all output", "error", err)
		}
	})
	wait.Wait()
	d.machine.endLeft()
	// What is kept of a state in which everything is stopped must not reach a
	// daemon that is started at once, if this was a restart after all.
	d.keeper.DropAllButListeners()
	settled, cancel := context.WithTimeout(context.Background(), outputGrace)
	defer cancel()
	d.keeper.Settle(settled)
}

// closeLog writes what is still to be written of the daemon's log.
func (d *daemon) closeLog() {
	ctx, cancel := context.WithTimeout(context.Background(), outputGrace)
	defer cancel()
	_ = d.daemonLog.Close(ctx) // there is nowhere left to tell it
}
