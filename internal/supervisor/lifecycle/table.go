package lifecycle

import "fmt"

// A Transition is what follows from an event in a state.
type Transition struct {
	Next State
	// Effects are to be performed in this order.
	Effects []Effect
	// Ignored: the event means nothing in this state, on purpose.
	Ignored bool

	decided bool
}

// Step returns what follows from an event in a state. Its error names a pair
// that can not occur unless the supervisor is wrong.
func Step(s State, e Event) (Transition, error) {
	if s < 0 || s >= numStates || e < 0 || e >= numEvents {
		return Transition{}, fmt.Errorf("step instance: no such cell: %v in %v", e, s)
	}
	t := table[s][e]
	if !t.decided {
		return Transition{}, fmt.Errorf("step instance: %v must not happen in state %v", e, s)
	}
	return t, nil
}

// to makes a transition into a state.
func to(next State, effects ...Effect) Transition {
	return Transition{Next: next, Effects: effects, decided: true}
}

// row is what a state makes of the events: those that it reacts to, those that
// it ignores, and those that can not occur in it. Together they are all.
type row struct {
	on     map[Event]Transition
	ignore []Event
	never  []Event
}

var rows = [numStates]row{
	Starting: {
		on: map[Event]Transition{
			Launched:      to(Probing, BeginProbe),
			StartTimedOut: to(Killing, SendKill, ReportStartFailed),
			Cancel:        to(Killing, SendKill),
			Retire:        to(Killing, SendKill),
			Kill:          to(Killing, SendKill, ReportStartFailed),
			Exited:        to(Leftovers, SendKill, AwaitLeftovers, ReportStartFailed),
		},
		never: []Event{Passed, Failed, Unanswered, Switched, Restore, Drained, DrainTimedOut, StopTimedOut, Emptied},
	},
	Probing: {
		on: map[Event]Transition{
			Passed:        to(Switching, Publish, RetireOld),
			StartTimedOut: to(Killing, EndProbe, SendKill, ReportStartFailed),
			Cancel:        to(Stopping, EndProbe, SendStop),
			Retire:        to(Stopping, EndProbe, SendStop),
			Kill:          to(Killing, EndProbe, SendKill, ReportStartFailed),
			Exited:        to(Leftovers, EndProbe, SendKill, AwaitLeftovers, ReportStartFailed),
		},
		ignore: []Event{Failed, Unanswered},
		never:  []Event{Launched, Switched, Restore, Drained, DrainTimedOut, StopTimedOut, Emptied},
	},
	Switching: {
		on: map[Event]Transition{
			Switched: to(Serving, TakeOver),
			Cancel:   to(Draining, EndProbe, Publish, BeginDrain),
			Retire:   to(Draining, EndProbe, Publish, BeginDrain),
			Kill:     to(Killing, EndProbe, SendKill, Publish, RestoreOld, ReportStartFailed),
			Exited:   to(Leftovers, EndProbe, SendKill, Publish, RestoreOld, AwaitLeftovers, ReportStartFailed),
		},
		// Its health is looked at again when it serves.
		ignore: []Event{Passed, Failed, Unanswered, StartTimedOut},
		never:  []Event{Launched, Restore, Drained, DrainTimedOut, StopTimedOut, Emptied},
	},
	Serving: {
		on: map[Event]Transition{
			Failed:     to(Sick, Replace),
			Unanswered: to(Silent, Publish, Replace),
			Retire:     to(Draining, EndProbe, Publish, BeginDrain),
			Kill:       to(Killing, EndProbe, SendKill, Publish, ReportCrash),
			Exited:     to(Leftovers, EndProbe, SendKill, Publish, AwaitLeftovers, ReportCrash),
		},
		ignore: []Event{Passed, StartTimedOut},
		never:  []Event{Launched, Switched, Cancel, Restore, Drained, DrainTimedOut, StopTimedOut, Emptied},
	},
	Sick: {
		on: map[Event]Transition{
			Passed:     to(Serving),
			Unanswered: to(Silent, Publish),
			Retire:     to(Draining, EndProbe, Publish, BeginDrain),
			Kill:       to(Killing, EndProbe, SendKill, Publish, ReportCrash),
			Exited:     to(Leftovers, EndProbe, SendKill, Publish, AwaitLeftovers, ReportCrash),
		},
		ignore: []Event{Failed, StartTimedOut},
		never:  []Event{Launched, Switched, Cancel, Restore, Drained, DrainTimedOut, StopTimedOut, Emptied},
	},
	Silent: {
		on: map[Event]Transition{
			Passed: to(Serving, Publish),
			Failed: to(Sick, Publish),
			Retire: to(Draining, EndProbe, Publish, BeginDrain),
			Kill:   to(Killing, EndProbe, SendKill, Publish, ReportCrash),
			Exited: to(Leftovers, EndProbe, SendKill, Publish, AwaitLeftovers, ReportCrash),
		},
		ignore: []Event{Unanswered, StartTimedOut},
		never:  []Event{Launched, Switched, Cancel, Restore, Drained, DrainTimedOut, StopTimedOut, Emptied},
	},
	Draining: {
		on: map[Event]Transition{
			Drained:       to(Stopping, SendStop, Publish),
			DrainTimedOut: to(Stopping, SendStop, Publish),
			Restore:       to(Serving, BeginProbe, Publish),
			Kill:          to(Killing, SendKill, Publish),
			Exited:        to(Leftovers, SendKill, Publish, AwaitLeftovers),
		},
		ignore: []Event{Passed, Failed, Unanswered, StartTimedOut, Switched, Retire},
		never:  []Event{Launched, Cancel, StopTimedOut, Emptied},
	},
	Stopping: {
		on: map[Event]Transition{
			StopTimedOut: to(Killing, SendKill),
			Kill:         to(Killing, SendKill),
			Exited:       to(Leftovers, AwaitLeftovers),
		},
		ignore: []Event{Passed, Failed, Unanswered, StartTimedOut, Switched, Cancel, Retire, Drained, DrainTimedOut},
		never:  []Event{Launched, Restore, Emptied},
	},
	Killing: {
		on: map[Event]Transition{
			Kill:   to(Killing, SendKill),
			Exited: to(Leftovers, SendKill, AwaitLeftovers),
		},
		// The launcher may have become the app just before it was killed.
		ignore: []Event{Launched, Passed, Failed, Unanswered, StartTimedOut, Switched, Cancel, Retire, Drained, DrainTimedOut, StopTimedOut},
		never:  []Event{Restore, Emptied},
	},
	Leftovers: {
		on: map[Event]Transition{
			StopTimedOut: to(Leftovers, SendKill),
			Kill:         to(Leftovers, SendKill),
			Emptied:      to(Gone, Remove),
		},
		// The program may end before the news that it began arrives.
		ignore: []Event{Launched, Passed, Failed, Unanswered, StartTimedOut, Switched, Cancel, Retire, Drained, DrainTimedOut},
		never:  []Event{Restore, Exited},
	},
	Gone: {
		// Timers and reports that were under way when it ended.
		ignore: []Event{Launched, Passed, Failed, Unanswered, StartTimedOut, Switched, Cancel, Retire, Drained, DrainTimedOut, StopTimedOut, Kill},
		never:  []Event{Restore, Exited, Emptied},
	},
}

var table = buildTable()

func buildTable() (t [numStates][numEvents]Transition) {
	for s := range rows {
		for e, transition := range rows[s].on {
			t[s][e] = transition
		}
		for _, e := range rows[s].ignore {
			t[s][e] = Transition{Next: State(s), Ignored: true, decided: true}
		}
	}
	return t
}
