package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"gracevisor/internal/control"
	"gracevisor/internal/process"
)

const (
	// CheckRole is the word that makes the binary read a snapshot, on file
	// descriptor CheckFD, and say whether it could take over.
	CheckRole = "check-state"
	CheckFD   = 3
	// checkTimeout bounds that.
	checkTimeout = 10 * time.Second
)

// errEnding refuses a re-execution of a daemon that is about to end.
var errEnding = errors.New("the daemon is about to end")

// errReexecUnderWay refuses a second re-execution at the same time.
var errReexecUnderWay = errors.New("another re-execution is under way")

// reexec replaces the program of this process by the binary on disk, which goes
// on where this one is. It returns only if nothing has happened. The exec itself
// is done by the goroutine that takes the signals, so that none gets lost that
// was received before it.
func (d *daemon) reexec(ctx context.Context) error {
	if !d.reexecuting.TryLock() {
		return errReexecUnderWay
	}
	defer d.reexecuting.Unlock()
	path, err := binaryOnDisk()
	if err != nil {
		return err
	}
	if err := d.checkBinary(ctx, path); err != nil {
		return err
	}
	select {
	case <-d.ending: // before the world is stopped
		return errEnding
	default:
	}
	resume, err := d.supervisor.Freeze(ctx, false)
	if err != nil {
		return err
	}
	defer resume()
	d.log.Info("executing the binary on disk", "path", path)
	d.herald.announceReload()
	d.flushBus(ctx)
	d.keeper.Settle(ctx) // the successor takes for granted that all is stored
	select {
	case d.execs <- path:
		select {} // for this process has ended with it, one way or the other
	case <-d.ending:
		d.herald.reloads <- false
		return errEnding
	}
}

// mayReexec asks whether the binary on disk could take over, and does no more. It
// waits for its turn: that another asks says nothing of the binary.
func (d *daemon) mayReexec(ctx context.Context) error {
	d.reexecuting.Lock()
	defer d.reexecuting.Unlock()
	path, err := binaryOnDisk()
	if err != nil {
		return err
	}
	return d.checkBinary(ctx, path)
}

// binaryOnDisk is the path of the running binary, whatever lies there now.
func binaryOnDisk() (string, error) {
	path, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return "", fmt.Errorf("find the binary: %w", err)
	}
	path = strings.TrimSuffix(path, " (deleted)")
	if err := unix.Access(path, unix.X_OK); err != nil {
		return "", fmt.Errorf("execute %s: %w", path, err)
	}
	return path, nil
}

// checkBinary has a binary read the snapshot. If it can not, it must not be
// executed in our place.
func (d *daemon) checkBinary(ctx context.Context, path string) error {
	read, write, err := os.Pipe()
	if err != nil {
		return err
	}
	defer read.Close()
	check, err := d.machine.reaper.Spawn(process.Child{
		Name: "check", Path: path, Argv: []string{"gracevisord", CheckRole},
		Files: []*os.File{nil, nil, write, d.machine.snapshot.File()},
	})
	write.Close()
	if err != nil {
		return fmt.Errorf("check %s: %w", path, err)
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	go func() { // ends with the check
		select {
		case <-d.ending:
			cancel()
		case <-ctx.Done():
		}
	}()
	stop := context.AfterFunc(ctx, func() {
		_ = check.Kill()
		_ = read.SetReadDeadline(time.Unix(1, 0))
	})
	defer stop()
	said, _ := io.ReadAll(io.LimitReader(read, 4096))
	exit := check.Wait()
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return errEnding
	case ctx.Err() != nil:
		return fmt.Errorf("check %s: it does not answer within %s", path, checkTimeout)
	case exit.String() != "exit status 0":
		return fmt.Errorf("check %s: %s: %s", path, exit, strings.TrimSpace(string(said)))
	}
	return nil
}

// flushOutput writes what was read from the apps. What is still in their pipes
// stays there for the successor.
func (d *daemon) flushOutput() {
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	_ = d.store.Close(ended)
}

// exec executes path, or the running binary if that fails. Its error means that
// this process can not go on: a service manager starts the next one, which takes
// over as after a crash.
func (d *daemon) exec(path string) error {
	d.log.Info("handing over")
	d.flushOutput()
	d.closeLog()
	syscall.ForkLock.Lock()
	defer syscall.ForkLock.Unlock()
	variable, undo, err := d.keeper.PrepareExec(d.repliesDue())
	if err != nil {
		return err
	}
	defer undo()
	env := append(os.Environ(), variable, d.pendingSignals())
	first := syscall.Exec(path, os.Args, env)
	return errors.Join(first, syscall.Exec("/proc/self/exe", os.Args, env))
}

// startReexec begins the operation. What has come of it the program that is
// executed tells, see conclude; an error is told here.
func (d *daemon) startReexec(ctx context.Context, r control.Request) (*control.Operation, error) {
	if r.Check {
		return d.startCheck(r.Caller), nil
	}
	begun, failed, err := d.supervisor.BeginReexec(ctx, r)
	if err != nil {
		return nil, err
	}
	go func() { // ends with the exec, or with its failure
		err := d.reexec(context.Background())
		d.log.Error("the binary on disk is not executed; going on as before", "caller", r.Caller, "error", err)
		failed(err)
	}()
	return begun, nil
}

// startCheck is the operation that only asks.
func (d *daemon) startCheck(caller string) *control.Operation {
	events := make(chan control.Event, 1)
	go func() { // ends with the check
		began := time.Now()
		event := control.Event{Kind: control.EventResult, Result: control.ResultDone}
		if err := d.mayReexec(context.Background()); err != nil {
			d.log.Error("the binary on disk can not take over", "caller", caller, "error", err)
			event.Result, event.Error = control.ResultFailed, err.Error()
		}
		event.Elapsed = time.Since(began)
		events <- event
		close(events)
	}()
	return &control.Operation{Events: events}
}
