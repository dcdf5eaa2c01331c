package bus

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/godbus/dbus/v5"

	"gracevisor/internal/control"
)

// properties are those of one interface.
type properties = map[string]dbus.Variant

// take stores a property in v, which stays as it is if there is none of its
// type.
func take(p properties, name string, v any) {
	if value, ok := p[name]; ok {
		_ = value.Store(v) // of another version, perhaps
	}
}

// Status tells the state of the named apps, or of all, as far as the bus tells
// it.
func (c *Client) Status(ctx context.Context, apps ...string) (*control.Status, error) {
	var daemon properties
	if err := c.call(ctx, root, propertiesName+".GetAll", []any{&daemon}, managerInterface); err != nil {
		return nil, err
	}
	status := new(control.Status)
	take(daemon, "Version", &status.Version)
	take(daemon, "ConfigPath", &status.ConfigFile)
	var worker workerValue
	if take(daemon, "Worker", &worker); worker.Generation != 0 {
		status.Workers = []control.Worker{{Generation: worker.Generation, PID: int(worker.PID), State: control.WorkerServing}}
	}
	var pid uint32
	if err := c.conn.BusObject().CallWithContext(ctx, busName+".GetConnectionUnixProcessID", 0, Name).Store(&pid); err == nil {
		status.PID = int(pid)
	}
	var all map[dbus.ObjectPath]map[string]properties
	if err := c.call(ctx, root, objectManager+".GetManagedObjects", []any{&all}); err != nil {
		return nil, err
	}
	for _, object := range all {
		if p, ok := object[appInterface]; ok {
			status.Apps = append(status.Apps, appOf(p))
		}
	}
	slices.SortFunc(status.Apps, func(a, b control.AppStatus) int { return strings.Compare(a.Name, b.Name) })
	return status, onlyNamed(status, apps)
}

// onlyNamed leaves the named apps in a status.
func onlyNamed(status *control.Status, apps []string) error {
	if len(apps) == 0 {
		return nil
	}
	for _, name := range apps {
		if !slices.ContainsFunc(status.Apps, func(a control.AppStatus) bool { return a.Name == name }) {
			return &control.Error{Code: control.CodeNoSuchApp, Message: fmt.Sprintf("no app is called %q", name)}
		}
	}
	status.Apps = slices.DeleteFunc(status.Apps, func(a control.AppStatus) bool { return !slices.Contains(apps, a.Name) })
	return nil
}

// appOf makes the state of an app of its properties.
func appOf(p properties) control.AppStatus {
	var a control.AppStatus
	var since uint64
	var inFlight uint32
	var values []instanceValue
	for name, into := range map[string]any{
		"Name": &a.Name, "State": &a.State, "ExternalAddress": &a.External, "ListenError": &a.ListenError,
		"StateChangeTimestamp": &since, "InFlight": &inFlight, "Requests": &a.Requests, "Restarts": &a.Restarts,
		"LastError": &a.LastError, "Instances": &values,
	} {
		take(p, name, into)
	}
	a.Since, a.InFlight = timeOf(since), int(inFlight)
	a.Instances = []control.InstanceStatus{}
	for _, v := range values {
		a.Instances = append(a.Instances, control.InstanceStatus{
			Number: v.Number, State: v.State, Active: slices.Contains(activeStates, v.State), PID: int(v.PID),
			Internal: v.Internal, Since: timeOf(v.Since), InFlight: int(v.InFlight), Requests: v.Requests,
			Reason: v.Reason, Error: v.Error,
		})
	}
	return a
}

// activeStates are those in which an instance takes new requests.
var activeStates = []string{"switching", "serving", "sick"}

func timeOf(microseconds uint64) time.Time {
	if microseconds == 0 {
		return time.Time{}
	}
	return time.UnixMicro(int64(microseconds))
}
