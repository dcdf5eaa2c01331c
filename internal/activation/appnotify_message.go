package activation

import (
	"bytes"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// maxStatus is how many characters of a STATUS= are kept.
const maxStatus = 256

// An AppEvent is what one message of an instance says (sd_notify(3)). What it
// does not say is zero.
type AppEvent struct {
	// PID is the process that says it, one of the instance's.
	PID int
	// Ready: READY=1, it has started, or is done with reloading.
	Ready bool
	// Reloading: RELOADING=1.
	Reloading bool
	// Stopping: STOPPING=1, it is on its way out by its own will.
	Stopping bool
	// Alive: WATCHDOG=1, a sign of life.
	Alive bool
	// Hung: WATCHDOG=trigger, it wants to be dealt with as if it had been
	// silent for too long.
	Hung bool
	// Watchdog: WATCHDOG_USEC=, how long it may be silent from now on.
	Watchdog time.Duration
	// HasStatus: STATUS=, and Status is what it says of itself: one line of
	// printable characters, not too long, maybe empty.
	HasStatus bool
	Status    string
}

// parseNotification reads the text of a message: assignments, one in a line.
// Those that are not known are ignored. refused are the names of those that tell
// the service manager what is the daemon's to tell; the rest of the message
// counts, for many apps send MAINPID= along with READY=1.
func parseNotification(text []byte) (e AppEvent, refused []string) {
	for _, line := range notificationLines(text) {
		name, value, _ := strings.Cut(line, "=")
		switch name {
		case "READY":
			e.Ready = e.Ready || value == "1"
		case "RELOADING":
			e.Reloading = e.Reloading || value == "1"
		case "STOPPING":
			e.Stopping = e.Stopping || value == "1"
		case "WATCHDOG":
			e.Alive = e.Alive || value == "1"
			e.Hung = e.Hung || value == "trigger"
		case "WATCHDOG_USEC":
			e.Watchdog = microseconds(value)
		case "STATUS":
			e.HasStatus, e.Status = true, printableStatus(value)
		case "MAINPID", "FDSTORE":
			refused = append(refused, name)
		}
	}
	return e, refused
}

// notificationLines splits a message. Like systemd it takes one zero byte at the
// end, and nothing of a message that has others.
func notificationLines(text []byte) []string {
	text = bytes.TrimSuffix(text, []byte{0})
	if bytes.IndexByte(text, 0) >= 0 {
		return nil
	}
	return strings.Split(string(text), "\n")
}

// microseconds reads a duration; 0 if it is none.
func microseconds(text string) time.Duration {
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil || n > math.MaxInt64/uint64(time.Microsecond) {
		return 0
	}
	return time.Duration(n) * time.Microsecond
}

// printableStatus makes text one that does nothing to a terminal, and not long.
func printableStatus(text string) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case r == '\t':
			return ' '
		case !unicode.IsPrint(r):
			return unicode.ReplacementChar
		}
		return r
	}, text)
	text = strings.TrimSpace(text)
	if runes := []rune(text); len(runes) > maxStatus {
		return string(runes[:maxStatus]) + "…"
	}
	return text
}
