package bus

import (
	"time"

	"gracevisor/internal/control"
)

// instanceValue is the structure of the property Instances.
type instanceValue struct {
	Number   uint64
	State    string
	PID      uint32
	Internal string
	Error    string
	Since    uint64
	InFlight uint32
	Requests uint64
	Reason   string
}

func appMembers() *iface {
	job := one("job", "o")
	return &iface{name: appInterface,
		methods: []method{
			{"Start", nil, job, operation(control.VerbStart)},
			{"Restart", nil, job, operation(control.VerbRestart)},
			{"Reload", nil, job, operation(control.VerbReload)},
			{"Stop", nil, job, operation(control.VerbStop)},
			{"Kill", one("signal", "i"), nil, (*call).kill},
		},
		properties: []property{
			{"Name", "s", constant, false, func(f *facts) any { return text(f.app.Name) }},
			{"State", "s", announced, false, func(f *facts) any { return f.app.State }},
			{"ActiveState", "s", announced, false, func(f *facts) any { active, _ := unitState(f.app); return active }},
			{"SubState", "s", announced, false, func(f *facts) any { _, sub := unitState(f.app); return sub }},
			{"StateChangeTimestamp", "t", announced, false, func(f *facts) any { return microseconds(f.app.Since) }},
			{"StateChangeTimestampMonotonic", "t", announced, false, func(f *facts) any {
				return uint64(f.app.SinceMonotonic / time.Microsecond)
			}},
			{"ExternalAddress", "s", announced, false, func(f *facts) any { return text(f.app.External) }},
			{"ListenError", "s", announced, false, func(f *facts) any { return text(f.app.ListenError) }},
			{"Instances", "a(tsusstuts)", invalidated, false, func(f *facts) any { return instances(f.app) }},
			{"InFlight", "u", silent, false, func(f *facts) any { return uint32(f.app.InFlight) }},
			{"Requests", "t", silent, false, func(f *facts) any { return f.app.Requests }},
			{"Restarts", "t", announced, false, func(f *facts) any { return f.app.Restarts }},
			{"LastError", "s", announced, false, func(f *facts) any { return text(f.app.LastError) }},
			{"Command", "as", invalidated, true, func(f *facts) any { return texts(f.settings.Command) }},
			{"Environment", "as", invalidated, true, func(f *facts) any { return texts(f.settings.Environment) }},
		},
	}
}

// unitState is the state of an app in the words that systemd has for units.
func unitState(a *control.AppStatus) (active, sub string) {
	switch a.State {
	case "starting":
		if a.Retrying {
			return "activating", "auto-restart"
		}
		return "activating", "start"
	case "serving":
		return "active", "running"
	case "restarting":
		return "reloading", "reload"
	case "stopping":
		return "deactivating", "stop"
	case "failed":
		return "failed", "failed"
	}
	return "inactive", "dead"
}

func instances(a *control.AppStatus) []instanceValue {
	list := make([]instanceValue, 0, len(a.Instances))
	for _, i := range a.Instances {
		list = append(list, instanceValue{
			Number: i.Number, State: i.State, PID: uint32(i.PID), Internal: text(i.Internal), Error: text(i.Error),
			Since: microseconds(i.Since), InFlight: uint32(i.InFlight), Requests: i.Requests, Reason: text(i.Reason),
		})
	}
	return list
}

// microseconds is a time as systemd tells it: since 1970, or 0 if unknown.
func microseconds(t time.Time) uint64 {
	if t.IsZero() {
		return 0
	}
	return uint64(t.UnixMicro())
}
