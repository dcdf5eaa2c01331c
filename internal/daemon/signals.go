package daemon

import (
	"context"
	"os"
	"syscall"

	"gracevisor/internal/control"
)

// SignalsWanted are the signals that Run obeys.
var SignalsWanted = []os.Signal{syscall.SIGHUP, syscall.SIGTERM, syscall.SIGINT, syscall.SIGUSR1, syscall.SIGUSR2}

// obeySignals takes signals until the supervisor has ended.
func (d *daemon) obeySignals(signals <-chan os.Signal) {
	reloads := make(chan struct{}, 1)
	defer close(reloads)
	go d.reloadOnRequest(reloads)
	for !d.handedOver {
		select {
		case sig := <-signals:
			d.obey(sig, reloads)
		case <-d.supervisor.Ended():
			return
		}
	}
}

func (d *daemon) obey(sig os.Signal, reloads chan<- struct{}) {
	switch sig {
	case syscall.SIGHUP:
		select {
		case reloads <- struct{}{}:
		default: // one that waits already will see the file as it is then
		}
	case syscall.SIGTERM, syscall.SIGINT:
		d.terminate(sig)
	case syscall.SIGUSR1:
		d.log.Info("reopening log files")
		d.store.Reopen()
		d.daemonLog.Reopen()
	case syscall.SIGUSR2:
		d.startAndLog(control.Request{Verb: control.VerbReexec, Caller: "signal USR2"})
	}
}

// reloadOnRequest reloads once for each request, one after the other, until
// requests is closed.
func (d *daemon) reloadOnRequest(requests <-chan struct{}) {
	for range requests {
		d.startAndLog(control.Request{Verb: control.VerbReload, Caller: "signal HUP"})
	}
}

// startAndLog performs an operation and tells its outcome in the log, as nobody
// else hears of it.
func (d *daemon) startAndLog(r control.Request) {
	operation, err := d.operations.Start(context.Background(), r)
	if err != nil {
		attrs := []any{"verb", string(r.Verb), "error", err}
		if faults := faultsOf(err); len(faults) > 0 {
			attrs = append(attrs, "faults", faults)
		}
		d.log.Error("operation failed; nothing has changed", attrs...)
		return
	}
	for event := range operation.Events {
		if event.Kind == control.EventResult && event.Result == control.ResultFailed {
			d.log.Error("operation failed for app", "verb", string(r.Verb), "app", event.App, "error", event.Error)
		}
	}
}
