package daemon

import (
	"context"
	"errors"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// salvageTimes: how often it is looked whether the new apps serve, how long that
// may take, and how long the old ones get to stop.
const (
	salvageLook  = 100 * time.Millisecond
	salvageLimit = 2 * time.Minute
	salvageStop  = 10 * time.Second
)

// salvage replaces what a daemon has left of which nothing is known but its
// files. The old worker goes on serving the old instances as long as its
// conversation is held open; when the new apps serve, that is closed, so that
// the worker drains and leaves, and then the old instances are stopped.
func (d *daemon) salvage(ctx context.Context, kept map[string]*os.File) {
	d.awaitSettled(ctx)
	var workers, apps []*os.File
	for name, file := range kept {
		switch {
		case isPidfd(name) && strings.HasPrefix(name, "worker/"):
			workers = append(workers, file)
		case isPidfd(name):
			apps = append(apps, file)
		default:
			d.keeper.Adopt(name, file)
			d.keeper.Drop(name) // of a wire: the worker drains now
		}
	}
	for _, worker := range workers {
		awaitPidfd(ctx, worker, salvageLimit)
	}
	for _, app := range apps {
		if err := signalPidfd(app, unix.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
			d.log.Error("cannot stop old instance", "error", err)
		}
	}
	for _, app := range apps {
		if !awaitPidfd(ctx, app, salvageStop) {
			_ = killPidfd(app) // it has ended in this moment, or is told below
		}
	}
	for name, file := range kept {
		if isPidfd(name) {
			d.keeper.Adopt(name, file)
			d.keeper.Drop(name)
		}
	}
	d.log.Info("what an earlier daemon has left is stopped", "instances", len(apps), "workers", len(workers))
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

func isPidfd(name string) bool { return strings.HasSuffix(name, "/pidfd") }

func killPidfd(pidfd *os.File) error { return signalPidfd(pidfd, unix.SIGKILL) }

// signalPidfd signals the process group of a session leader by its pidfd.
func signalPidfd(pidfd *os.File, sig unix.Signal) error {
	raw, err := pidfd.SyscallConn()
	if err != nil {
		return err
	}
	var sent error
	err = raw.Control(func(fd uintptr) {
		sent = unix.PidfdSendSignal(int(fd), sig, nil, unix.PIDFD_SIGNAL_PROCESS_GROUP)
		if errors.Is(sent, unix.EINVAL) { // before Linux 6.9
			sent = unix.PidfdSendSignal(int(fd), sig, nil, 0)
		}
	})
	if errors.Is(sent, unix.ESRCH) {
		return os.ErrProcessDone
	}
	return errors.Join(err, sent)
}

// awaitPidfd waits until a process has ended, and reports whether it has.
func awaitPidfd(ctx context.Context, pidfd *os.File, limit time.Duration) (ended bool) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	ticker := time.NewTicker(salvageLook)
	defer ticker.Stop()
	for {
		if err := signalPidfd(pidfd, 0); errors.Is(err, os.ErrProcessDone) {
			return true
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return false
		}
	}
}
