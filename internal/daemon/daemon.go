package daemon

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"

	"gracevisor/internal/activation"
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
	// Signals are those of SignalsWanted, registered first thing in main.
	Signals <-chan os.Signal
	// Stderr takes the log, besides its file.
	Stderr io.Writer
}

// daemon is the supervisor process.
type daemon struct {
	log        *slog.Logger
	daemonLog  *logs.DaemonLog
	store      *logs.Store
	reaper     *process.Reaper
	supervisor *supervisor.Supervisor
	doors      *doors
	operations *operations
}

// Run is the supervisor process, until it has been stopped. The error is for
// standard error; a configuration that is not valid gives config.Faults.
func Run(o Options) error {
	plan, err := config.Load(o.ConfDir)
	if err != nil {
		return err
	}
	runtimeDir := control.RuntimeDirectory()
	if err := control.PrepareRuntimeDirectory(runtimeDir); err != nil {
		return err
	}
	lock, err := control.LockRuntime(runtimeDir)
	if err != nil {
		return err
	}
	defer lock.Close()

	d := &daemon{}
	d.log, d.daemonLog = logs.NewDaemonLog(targetOf(plan.Log), o.Stderr, slog.LevelInfo)
	defer d.closeLog()
	d.store = logs.NewStore(d.log)
	d.store.ShareDaemonLog(d.daemonLog)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	d.start(ctx, plan, o.ConfDir, runtimeDir)
	for _, warning := range plan.Warnings.Lines() {
		d.log.Warn("configuration", "warning", warning)
	}
	tellMissingRights(d.log, plan)
	d.doors.openUnix(runtimeDir)
	d.doors.openRPC(runtimeDir, plan.RPC)
	d.obeySignals(o.Signals)
	d.end()
	return nil
}

// start puts the parts together and sets them going. The reaper works until
// ctx ends.
func (d *daemon) start(ctx context.Context, plan *config.Plan, confDir, runtimeDir string) {
	d.log.Info("starting", "version", version.String(), "pid", os.Getpid(), "configuration", plan.File, "apps", len(plan.Apps))
	d.reaper = process.NewReaper(d.log, "")
	go d.reaper.Run(ctx)
	d.supervisor = supervisor.New(supervisor.Options{
		Log:     d.log,
		System:  newSystem(d.log, d.store, d.reaper, activation.NewTable(d.log), runtimeDir),
		Plan:    plan,
		Version: version.String(),
	})
	d.operations = &operations{supervisor: d.supervisor, store: d.store, confDir: confDir}
	d.doors = newDoors(d.log, d.operations)
	d.operations.applied = d.doors.applyPlan
	h := newHerald(activation.NewNotifier(d.log), d.supervisor, readyTimeout, plan.ShutdownTimeout)
	d.operations.reloading = h.reloads
	go h.run(ctx)
	go d.supervisor.Run() // ends with Stop
}

// readyTimeout bounds how long slow apps hold up the news that the daemon is
// ready.
const readyTimeout = 30 * time.Second

// outputGrace bounds how long the end of the daemon waits for what is still in
// the output pipes, and for clients of the doors.
const outputGrace = 2 * time.Second

// end shuts what is open once the supervisor has ended.
func (d *daemon) end() {
	ctx, cancel := context.WithTimeout(context.Background(), outputGrace)
	defer cancel()
	var wait sync.WaitGroup
	wait.Go(func() { d.doors.shut(ctx) })
	wait.Go(func() {
		if err := d.store.Close(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			d.log.Warn("cannot write all output", "error", err)
		}
	})
	wait.Wait()
}

// closeLog writes what is still to be written of the daemon's log.
func (d *daemon) closeLog() {
	ctx, cancel := context.WithTimeout(context.Background(), outputGrace)
	defer cancel()
	_ = d.daemonLog.Close(ctx) // there is nowhere left to tell it
}
