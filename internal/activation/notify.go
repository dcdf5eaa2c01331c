package activation

import (
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// A Notifier tells the service manager how the daemon is (sd_notify(3)). Without
// a service manager it does nothing. It may be used by one goroutine at a time.
type Notifier struct {
	log *slog.Logger
	// active: there is somebody to tell.
	active bool
	// Watchdog is how long the service manager goes without a sign of life
	// before it kills the daemon (sd_watchdog_enabled(3)); 0 means for ever.
	Watchdog time.Duration
	failed   bool
}

// NewNotifier makes one of the environment, NOTIFY_SOCKET and WATCHDOG_USEC.
func NewNotifier(log *slog.Logger) *Notifier {
	n := &Notifier{log: log, active: os.Getenv("NOTIFY_SOCKET") != ""}
	watchdog, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		log.Error("cannot understand WATCHDOG_USEC; going without a watchdog", "error", err)
	}
	n.Watchdog = watchdog
	return n
}

// Active reports whether there is a service manager to tell.
func (n *Notifier) Active() bool { return n.active }

// Ready says that the daemon serves, or is done with reloading.
func (n *Notifier) Ready(status string) { n.send(daemon.SdNotifyReady + "\nSTATUS=" + status) }

// Status says in one line how it goes.
func (n *Notifier) Status(status string) { n.send("STATUS=" + status) }

// Reloading says that a reload has begun; Ready says that it is over.
func (n *Notifier) Reloading() {
	n.send(daemon.SdNotifyReloading + "\n" + daemon.SdNotifyMonotonicUsec())
}

// Stopping says that the daemon is on its way out.
func (n *Notifier) Stopping(status string) { n.send(daemon.SdNotifyStopping + "\nSTATUS=" + status) }

// Extend asks for at least d more until the stop has to be done.
func (n *Notifier) Extend(d time.Duration) {
	n.send(fmt.Sprintf("EXTEND_TIMEOUT_USEC=%d", d.Microseconds()))
}

// Alive is a sign of life for the watchdog.
func (n *Notifier) Alive() { n.send(daemon.SdNotifyWatchdog) }

func (n *Notifier) send(state string) {
	if !n.active {
		return
	}
	if _, err := daemon.SdNotify(false, state); err != nil && !n.failed {
		n.failed = true // once: it would fill the log
		n.log.Error("cannot notify the service manager", "error", err)
	}
}
