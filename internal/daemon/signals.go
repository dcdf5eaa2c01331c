package daemon

import (
	"context"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"

	"gracevisor/internal/control"
)

// SignalsWanted are the signals that Run obeys.
var SignalsWanted = []os.Signal{syscall.SIGHUP, syscall.SIGTERM, syscall.SIGINT, syscall.SIGUSR1, syscall.SIGUSR2}

// obeySignals takes signals, first those that are due, until the supervisor has
// ended. Its error means that the program could not be replaced.
func (d *daemon) obeySignals(due []os.Signal) error {
	reloads := make(chan struct{}, 1)
	defer close(reloads)
	go d.reloadOnRequest(reloads)
	for _, sig := range due {
		d.obey(sig, reloads)
	}
	for !d.handedOver {
		select {
		case sig := <-d.options.Signals:
			d.obey(sig, reloads)
		case path := <-d.execs:
			d.handedOver = true
			return d.exec(path)
		case <-d.supervisor.Ended():
			return nil
		}
	}
	return nil
}

func (d *daemon) obey(sig os.Signal, reloads chan<- struct{}) {
	switch sig {
	case syscall.SIGHUP:
		select {
		case reloads <- struct{}{}:
			d.reloadsDue.Add(1)
		default: // one that waits already will see the file as it is then
		}
	case syscall.SIGTERM, syscall.SIGINT:
		d.endOnce.Do(func() { close(d.ending) })
		d.terminate(sig)
	case syscall.SIGUSR1:
		d.log.Info("reopening log files")
		// A disk that hangs must not keep the daemon from being stopped.
		go d.store.Reopen() // ends when the disk has answered
	case syscall.SIGUSR2:
		go d.reexecOnRequest() // ends with the failure, or with the process
	}
}

// reloadOnRequest reloads once for each request, one after the other, until
// requests is closed.
func (d *daemon) reloadOnRequest(requests <-chan struct{}) {
	for range requests {
		operation, err := d.operations.Start(context.Background(), control.Request{Verb: control.VerbReload, Caller: "signal HUP"})
		d.reloadsDue.Add(-1) // what has begun a successor goes on with
		d.logOutcome(control.VerbReload, operation, err)
	}
}

// reexecOnRequest begins a re-execution for a signal.
func (d *daemon) reexecOnRequest() {
	if _, err := d.operations.Start(context.Background(), control.Request{Verb: control.VerbReexec, Caller: "signal USR2"}); err != nil {
		d.log.Error("the binary on disk is not executed; going on as before", "caller", "signal USR2", "error", err)
	}
}

// signalsVariable tells the program that is executed next which signals were
// received and not obeyed, as numbers separated by commas.
const signalsVariable = "GRACEVISOR_SIGNALS"

// pendingSignals stops taking signals, and returns the variable with those that
// are still to be obeyed. Until the successor has its handlers others are
// ignored, but for TERM, which ends the process.
func (d *daemon) pendingSignals() string {
	signal.Ignore(syscall.SIGHUP, syscall.SIGINT, syscall.SIGUSR1, syscall.SIGUSR2)
	signal.Stop(d.options.Signals)
	var due []string
	if d.reloadsDue.Load() > 0 {
		due = append(due, strconv.Itoa(int(syscall.SIGHUP)))
	}
	for {
		select {
		case sig := <-d.options.Signals:
			if number, ok := sig.(syscall.Signal); ok && number != syscall.SIGUSR2 { // what USR2 asks for is done
				due = append(due, strconv.Itoa(int(number)))
			}
		default:
			return signalsVariable + "=" + strings.Join(due, ",")
		}
	}
}

// takePendingSignals returns the signals that the program before an exec has not
// obeyed, and takes the variable out of the environment.
func takePendingSignals() (due []os.Signal) {
	value := os.Getenv(signalsVariable)
	os.Unsetenv(signalsVariable)
	for text := range strings.SplitSeq(value, ",") {
		if number, err := strconv.Atoi(text); err == nil {
			due = append(due, syscall.Signal(number))
		}
	}
	return due
}

// logOutcome tells in the log what becomes of an operation that was started, or
// why it was not.
func (d *daemon) logOutcome(verb control.Verb, operation *control.Operation, err error) {
	if err != nil {
		attrs := []any{"verb", string(verb), "error", err}
		if faults := faultsOf(err); len(faults) > 0 {
			attrs = append(attrs, "faults", faults)
		}
		d.log.Error("operation failed; nothing has changed", attrs...)
		return
	}
	for event := range operation.Events {
		if event.Kind == control.EventResult && event.Result == control.ResultFailed {
			d.log.Error("operation failed", "verb", string(verb), "app", event.App, "error", event.Error)
		}
	}
}

// updateAfterRestart applies the configuration as it is when an operator has
// restarted the daemon.
func (d *daemon) updateAfterRestart() {
	operation, err := d.operations.Start(context.Background(), control.Request{Verb: control.VerbUpdate, Caller: "restart of the daemon"})
	d.supervisor.UpdateBegun()
	d.logOutcome(control.VerbUpdate, operation, err)
}
