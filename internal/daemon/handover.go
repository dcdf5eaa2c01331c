package daemon

import (
	"context"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/dbus"

	"gracevisor/internal/activation"
)

// terminate stops everything, unless the service manager is about to start the
// daemon again at once: then a successor goes on with what there is.
func (d *daemon) terminate(sig os.Signal) {
	if sig == syscall.SIGTERM && d.keeper.Survives() && isBeingRestarted() {
		ctx, cancel := context.WithTimeout(context.Background(), handoverTimeout)
		defer cancel()
		if _, err := d.supervisor.Freeze(ctx, true); err == nil {
			d.log.Info("handing over to the daemon that is started next")
			d.flushOutput()
			d.flushBus(ctx)
			d.keeper.Settle(ctx)
			d.handedOver = true
			return
		}
	}
	d.supervisor.Stop()
}

const (
	// handoverTimeout bounds a hand-over; without one everything is stopped.
	handoverTimeout = 10 * time.Second
	// askTimeout bounds the question to the service manager, which answers late
	// on a machine that is busy, or while it executes itself anew.
	askTimeout = 20 * time.Second
)

// busPatience bounds how long a hand-over, or the end, waits for the bus.
const busPatience = 300 * time.Millisecond

// flushBus lets who listens on D-Bus hear what has happened so far, and who has
// called get an answer. Calls that the bus has yet to hand to us are lost with the
// connection.
func (d *daemon) flushBus(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, busPatience)
	defer cancel()
	d.bus.Flush(ctx)
}

// isBeingRestarted asks systemd for the type of the job that our unit has: a
// restart is one, and not a stop and a start. It goes through systemd's private
// socket, which needs no message bus. Without an answer it is a stop.
func isBeingRestarted() bool {
	ctx, cancel := context.WithTimeout(context.Background(), askTimeout)
	defer cancel()
	conn, err := dbus.NewSystemdConnectionContext(ctx)
	if err != nil {
		return false
	}
	defer conn.Close()
	unit, err := conn.GetUnitNameByPID(ctx, uint32(os.Getpid()))
	if err != nil {
		return false
	}
	jobs, err := conn.ListJobsContext(ctx)
	if err != nil {
		return false
	}
	for _, job := range jobs {
		if job.Unit == unit {
			return job.JobType == "restart"
		}
	}
	return false
}

// keepRank is how little it costs that the file of a name does not outlive a crash,
// for when the service manager's store does not take all: without the listeners
// and the conversation with the worker clients are refused, without its output an
// app may end; processes are also found without their pidfds.
func keepRank(name string) int {
	switch {
	case name == stateName:
		return 0
	case activation.IsListener(name):
		return 1
	case strings.HasSuffix(name, "/wire"):
		return 2
	case isPidfd(name):
		return 4
	case strings.HasPrefix(name, "worker/"):
		return 5 // its log
	default:
		return 3 // output
	}
}

// learnStoreMax asks systemd how many files its store takes, where it has not told
// (before version 254): what is too much it drops without a word.
func learnStoreMax(ctx context.Context, keeper *activation.Keeper) {
	if !keeper.StoreMaxUnknown() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	conn, err := dbus.NewSystemdConnectionContext(ctx)
	if err != nil {
		return // the service manager is not systemd
	}
	defer conn.Close()
	unit, err := conn.GetUnitNameByPID(ctx, uint32(os.Getpid()))
	if err != nil {
		return
	}
	property, err := conn.GetServicePropertyContext(ctx, unit, "FileDescriptorStoreMax")
	if err != nil {
		return
	}
	if max, ok := property.Value.Value().(uint32); ok && max > 0 {
		keeper.SetStoreMax(int(max))
	}
}
