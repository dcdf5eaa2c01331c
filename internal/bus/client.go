package bus

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/godbus/dbus/v5"

	"gracevisor/internal/control"
)

// Client talks to the daemon over D-Bus. Its errors are those of
// control.Client. Close ends it.
type Client struct {
	conn *dbus.Conn
	end  context.CancelFunc
	// signals are all that come, in order.
	signals chan *dbus.Signal
}

// target is what people call the door.
const target = Name + " on the system bus"

// answerTimeout is how long the daemon may take for an answer: it may have to be
// started, and the user may be asked for a password.
const answerTimeout = 2*time.Minute + callTimeout

// NewClient connects to the system bus.
func NewClient(ctx context.Context) (*Client, error) {
	life, end := context.WithCancel(ctx)
	// The handler keeps what is not read yet in its order, without bound: a
	// client lives for one command.
	conn, err := connect(life, dbus.WithSignalHandler(dbus.NewSequentialSignalHandler()), dbus.WithOutgoingInterceptor(allowInteraction))
	if err != nil {
		end()
		return nil, &control.UnreachableError{Target: target, Err: err}
	}
	c := &Client{conn: conn, end: end, signals: make(chan *dbus.Signal, 16)}
	conn.Signal(c.signals)
	return c, nil
}

// allowInteraction lets polkit ask the user; the library has no other way to say
// so.
func allowInteraction(msg *dbus.Message) {
	if msg.Type == dbus.TypeMethodCall && msg.Headers[dbus.FieldDestination].Value() == Name {
		msg.Flags |= dbus.FlagAllowInteractiveAuthorization
	}
}

// Close ends the client.
func (c *Client) Close() {
	c.end()
	_ = c.conn.Close() // nothing is waiting for it
}

// Offered says whether the bus has the daemon, or would start it.
func (c *Client) Offered(ctx context.Context) bool {
	var there bool
	if err := c.conn.BusObject().CallWithContext(ctx, busName+".NameHasOwner", 0, Name).Store(&there); err != nil || there {
		return err == nil
	}
	var names []string
	err := c.conn.BusObject().CallWithContext(ctx, busName+".ListActivatableNames", 0).Store(&names)
	return err == nil && slices.Contains(names, Name)
}

// call makes a call and stores its answer.
func (c *Client) call(ctx context.Context, path dbus.ObjectPath, method string, into []any, args ...any) error {
	bounded, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	err := c.conn.Object(Name, path).CallWithContext(bounded, method, 0, args...).Store(into...)
	return c.errorOf(ctx, err)
}

func (c *Client) errorOf(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	e, ok := errors.AsType[dbus.Error](err)
	if !ok {
		return &control.LostError{Err: err}
	}
	switch e.Name {
	case "org.freedesktop.DBus.Error.ServiceUnknown", "org.freedesktop.DBus.Error.NameHasNoOwner",
		"org.freedesktop.DBus.Error.NoReply", "org.freedesktop.DBus.Error.TimedOut":
		return &control.UnreachableError{Target: target, Err: errors.New(e.Error())}
	}
	if isMissing(e) { // it could not be started
		return &control.UnreachableError{Target: target, Err: errors.New(e.Error())}
	}
	return controlError(e)
}

// manage calls a method of the manager.
func (c *Client) manage(ctx context.Context, method string, into []any, args ...any) error {
	return c.call(ctx, root, managerInterface+"."+method, into, args...)
}

// Version is the daemon's; the bus does not tell the commit.
func (c *Client) Version(ctx context.Context) (control.Version, error) {
	var v control.Version
	var value dbus.Variant
	err := c.call(ctx, root, propertiesName+".Get", []any{&value}, managerInterface, "Version")
	if err == nil {
		v.Version, _ = value.Value().(string)
	}
	return v, err
}

// Jobs lists what is under way.
func (c *Client) Jobs(ctx context.Context) ([]control.Job, error) {
	var listed []listedJob
	if err := c.manage(ctx, "ListJobs", []any{&listed}); err != nil {
		return nil, err
	}
	jobs := make([]control.Job, len(listed))
	for n, j := range listed {
		jobs[n] = control.Job{ID: j.ID, Verb: control.Verb(j.Type), App: j.App, State: j.State}
	}
	return jobs, nil
}

// CancelJob calls a job off.
func (c *Client) CancelJob(ctx context.Context, id uint32) error {
	return c.manage(ctx, "CancelJob", nil, id)
}

// Sockets, Workers and Output are not told on D-Bus.
func (c *Client) Sockets(context.Context) ([]control.Socket, error) {
	return nil, notOnBus("sockets")
}

// Workers is as Sockets.
func (c *Client) Workers(context.Context) ([]control.Worker, error) {
	return nil, notOnBus("workers")
}

// Output is as Sockets.
func (c *Client) Output(context.Context, string, int, bool, func(control.OutputLine)) error {
	return notOnBus("logs")
}

func notOnBus(what string) error {
	return &control.Error{Code: control.CodeNotPermitted, Message: fmt.Sprintf(
		"%s needs the control socket, which root and the group %s may open: D-Bus does not have it", what, control.Group)}
}

// Begin starts an operation and does not wait for it.
func (c *Client) Begin(ctx context.Context, req control.Request) error {
	_, err := c.begin(ctx, req)
	return err
}

// managerMethods are those that begin an operation: on all, and on one app.
var managerMethods = map[control.Verb]struct{ whole, app string }{
	control.VerbStart:   {app: "StartApp"},
	control.VerbRestart: {app: "RestartApp"},
	control.VerbReload:  {whole: "Reload", app: "ReloadApp"},
	control.VerbStop:    {app: "StopApp"},
	control.VerbUpdate:  {whole: "Update"},
	control.VerbReexec:  {whole: "Reexec"},
}

// begin starts an operation, and returns the paths of its jobs with their apps.
func (c *Client) begin(ctx context.Context, req control.Request) (map[dbus.ObjectPath]string, error) {
	switch {
	case req.Drained:
		return nil, notOnBus("to wait until old instances have gone")
	case req.Check:
		return nil, notOnBus("to ask whether a binary could take over")
	}
	jobs := make(map[dbus.ObjectPath]string)
	if req.Verb == control.VerbKill {
		for _, app := range req.Apps {
			if err := c.manage(ctx, "KillApp", nil, app, int32(req.Signal)); err != nil {
				return nil, err
			}
		}
		return jobs, nil
	}
	method := managerMethods[req.Verb]
	var path dbus.ObjectPath
	if len(req.Apps) == 0 {
		if err := c.manage(ctx, method.whole, []any{&path}); err != nil {
			return nil, err
		}
		jobs[path] = ""
		return jobs, nil
	}
	for _, app := range req.Apps {
		if err := c.manage(ctx, method.app, []any{&path}, app); err != nil {
			return jobs, err
		}
		jobs[path] = app
	}
	return jobs, nil
}
