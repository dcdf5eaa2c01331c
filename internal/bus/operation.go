package bus

import (
	"fmt"
	"strings"

	"gracevisor/internal/control"
)

// maxName bounds what is taken for the name of an app, in bytes.
const maxName = 255

// appName is the app that a call is about: that of the object, or of the first
// argument.
func (c *call) appName() (string, error) {
	if c.object.kind == appObject {
		return c.object.app, nil
	}
	name := c.args[0].(string)
	if len(name) > maxName {
		return "", &control.Error{Code: control.CodeNoSuchApp, Message: fmt.Sprintf("no app has a name of %d bytes", len(name))}
	}
	if name == "" {
		return "", &control.Error{Code: control.CodeNoSuchApp, Message: "the name of the app is empty"}
	}
	return name, nil
}

// operation serves the methods that begin one: on the app of the object or of the
// first argument, or on the daemon as a whole. They return the path of the job.
func operation(verb control.Verb) func(*call) ([]any, error) {
	return func(c *call) ([]any, error) {
		request := control.Request{Verb: verb}
		if c.object.kind == appObject || len(c.args) > 0 {
			app, err := c.appName()
			if err != nil {
				return nil, err
			}
			request.Apps = []string{app}
		}
		begun, err := c.begin(request)
		if err != nil {
			return nil, err
		}
		if len(begun.Jobs) == 0 {
			return nil, fmt.Errorf("%s has no job", verb)
		}
		return []any{jobPath(begun.Jobs[0].ID)}, nil
	}
}

// begin begins an operation if the caller may.
func (c *call) begin(request control.Request) (*control.Operation, error) {
	who, err := c.permit(right{actions[request.Verb], strings.Join(request.Apps, ""), string(request.Verb)})
	if err != nil {
		return nil, err
	}
	request.Caller = who.String()
	// What is begun goes on when the connection ends.
	return c.service.ops.Start(c.ctx, request)
}

// maxSignal is the highest signal number of Linux, signal(7).
const maxSignal = 64

// kill serves Kill of an app, and KillApp with its name. It is done when the
// signal is sent.
func (c *call) kill() ([]any, error) {
	app, err := c.appName()
	if err != nil {
		return nil, err
	}
	number := c.args[len(c.args)-1].(int32)
	if number < 0 || number > maxSignal {
		return nil, &control.Error{Code: control.CodeBadRequest, Message: fmt.Sprintf(
			"%d is no signal: signals have the numbers 1 to %d, and 0 stands for SIGKILL", number, maxSignal)}
	}
	begun, err := c.begin(control.Request{Verb: control.VerbKill, Apps: []string{app}, Signal: int(number)})
	if err != nil {
		return nil, err
	}
	for {
		select {
		case e, ok := <-begun.Events:
			if !ok {
				return nil, nil
			}
			if e.Kind == control.EventResult && e.Result != control.ResultDone {
				return nil, fmt.Errorf("kill %s: %s", app, e.Error)
			}
		case <-c.ctx.Done():
			return nil, c.ctx.Err()
		}
	}
}
