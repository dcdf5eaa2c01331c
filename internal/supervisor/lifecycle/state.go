package lifecycle

import "fmt"

// State is where an instance is in its life.
type State int

// The states. Their numbers are part of the snapshot and never change.
const (
	// Starting: the process exists, but is not yet the app's program.
	Starting State = 0
	// Probing: the app runs and is not ready yet.
	Probing State = 1
	// Switching: it is ready, and the workers are being told to use it.
	Switching State = 2
	// Serving: every worker sends requests to it.
	Serving State = 3
	// Sick: as Serving, but its health check fails.
	Sick State = 4
	// Silent: its health check gets no answer at all; it takes no requests.
	Silent State = 5
	// Draining: it takes no new requests and finishes those it has.
	Draining State = 6
	// Stopping: it was sent its stop signal.
	Stopping State = 7
	// Killing: it was sent SIGKILL.
	Killing State = 8
	// Leftovers: its main process has ended, others of its group have not.
	Leftovers State = 9
	// Gone: nothing of it is left.
	Gone State = 10

	numStates = 11
)

var stateNames = [numStates]string{
	"starting", "probing", "switching", "serving", "sick", "silent",
	"draining", "stopping", "killing", "leftovers", "gone",
}

func (s State) String() string {
	if s < 0 || s >= numStates {
		return fmt.Sprintf("state(%d)", int(s))
	}
	return stateNames[s]
}

// MarshalText writes the state's name.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads a state's name.
func (s *State) UnmarshalText(text []byte) error {
	for i, name := range stateNames {
		if name == string(text) {
			*s = State(i)
			return nil
		}
	}
	return fmt.Errorf("unknown instance state %q", text)
}

// Routed reports whether new requests go to an instance in this state.
func (s State) Routed() bool { return s == Switching || s == Serving || s == Sick }

// Unready reports whether an instance in this state has yet to become ready.
func (s State) Unready() bool { return s == Starting || s == Probing }

// Ended reports whether the main process of the instance has ended.
func (s State) Ended() bool { return s == Leftovers || s == Gone }

// Event is something that happened to an instance, or is wanted of it.
type Event int

// The events.
const (
	// Launched: the process is now the app's program.
	Launched Event = iota
	// Passed: it is ready, or its health check succeeds again.
	Passed
	// Failed: its health check failed too often in a row.
	Failed
	// Unanswered: as Failed, and nothing was answered at all.
	Unanswered
	// StartTimedOut: it did not become ready within start_timeout.
	StartTimedOut
	// Switched: every worker has acknowledged the table that names it.
	Switched
	// Cancel: it is not wanted any more, and has not served yet.
	Cancel
	// Retire: another one takes its place, or the app stops.
	Retire
	// Restore: the one that was to take its place has died before it could.
	Restore
	// Drained: no worker has a request in flight on it.
	Drained
	// DrainTimedOut: drain_timeout has passed, or too many drain.
	DrainTimedOut
	// StopTimedOut: stop_timeout has passed.
	StopTimedOut
	// Kill: it must end at once.
	Kill
	// Exited: its main process has ended.
	Exited
	// Emptied: nothing of its process group is left.
	Emptied

	numEvents
)

var eventNames = [numEvents]string{
	"launched", "passed", "failed", "unanswered", "start-timed-out", "switched",
	"cancel", "retire", "restore", "drained", "drain-timed-out",
	"stop-timed-out", "kill", "exited", "emptied",
}

func (e Event) String() string {
	if e < 0 || e >= numEvents {
		return fmt.Sprintf("event(%d)", int(e))
	}
	return eventNames[e]
}

// Effect is something that the owner of the instance has to do.
type Effect int

// The effects.
const (
	// BeginProbe: have a worker probe it.
	BeginProbe Effect = iota
	// EndProbe: have it probed no more.
	EndProbe
	// Publish: send the workers a table that shows the new state.
	Publish
	// TakeOver: it serves now; the operation that started it is done.
	TakeOver
	// Replace: start another one that takes its place.
	Replace
	// RetireOld: those that it takes the place of go to drain.
	RetireOld
	// RestoreOld: they come back, as far as they still can.
	RestoreOld
	// ReportStartFailed: it did not come to serve.
	ReportStartFailed
	// ReportCrash: it ended while it served.
	ReportCrash
	// BeginDrain: watch for its last request, for drain_timeout at most.
	BeginDrain
	// SendStop: send it its stop signal, and watch stop_timeout.
	SendStop
	// SendKill: SIGKILL to everything of it.
	SendKill
	// AwaitLeftovers: watch for the end of its process group, and bound it.
	AwaitLeftovers
	// Remove: forget it and free its port.
	Remove

	// NumEffects is how many there are.
	NumEffects
)

var effectNames = [NumEffects]string{
	"begin-probe", "end-probe", "publish", "take-over", "replace",
	"retire-old", "restore-old",
	"report-start-failed", "report-crash", "begin-drain", "send-stop",
	"send-kill", "await-leftovers", "remove",
}

func (e Effect) String() string {
	if e < 0 || e >= NumEffects {
		return fmt.Sprintf("effect(%d)", int(e))
	}
	return effectNames[e]
}
