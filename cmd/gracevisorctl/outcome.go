package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"gracevisor/internal/control"
)

// outcome gathers what is told of an operation.
type outcome struct {
	Verb control.Verb
	apps []*appOutcome
}

// outcomeJSON is an outcome as it is printed.
type outcomeJSON struct {
	Verb control.Verb `json:"verb"`
	// OK says that there are results, all of them "done" or "unchanged".
	OK      bool          `json:"ok"`
	Results []*appOutcome `json:"results"`
	// Error says why there are no results, or not all.
	Error *control.Error `json:"error,omitempty"`
}

// appOutcome is what an operation did for an app, or, with an empty App, for the
// daemon as a whole.
type appOutcome struct {
	App string `json:"app"`
	// Result is empty if none came.
	Result   control.Result `json:"result"`
	Elapsed  time.Duration  `json:"elapsed_ns"`
	Instance uint64         `json:"instance,omitempty"`
	Error    string         `json:"error,omitempty"`
	Output   []string       `json:"output,omitempty"`
	Steps    []stepJSON     `json:"steps"`
}

// stepJSON is a step of an operation.
type stepJSON struct {
	Elapsed  time.Duration `json:"elapsed_ns"`
	Message  string        `json:"message"`
	Instance uint64        `json:"instance,omitempty"`
}

// newOutcome is of a request; each app in it is to have a result.
func newOutcome(req control.Request) *outcome {
	o := &outcome{Verb: req.Verb}
	for _, app := range req.Apps {
		o.app(app)
	}
	return o
}

// add takes in an event. Kinds that it does not know it passes over.
func (o *outcome) add(e control.Event) {
	switch e.Kind {
	case control.EventStep:
		a := o.app(e.App)
		a.Steps = append(a.Steps, stepJSON{Elapsed: e.Elapsed, Message: e.Message, Instance: e.Instance})
	case control.EventResult:
		a := o.app(e.App)
		a.Result, a.Elapsed, a.Instance = e.Result, e.Elapsed, e.Instance
		a.Error, a.Output = e.Error, e.Output
	}
}

func (o *outcome) app(name string) *appOutcome {
	for _, a := range o.apps {
		if a.App == name {
			return a
		}
	}
	a := &appOutcome{App: name, Steps: []stepJSON{}}
	o.apps = append(o.apps, a)
	return a
}

// OK says that all apps have what was asked for. No results at all are no
// failure: a reload of a configuration without apps has none.
func (o *outcome) OK() bool {
	for _, a := range o.apps {
		if a.failed() {
			return false
		}
	}
	return true
}

// failed says that the app does not have what was asked for. Steps without a
// result are the daemon's own if they name no app.
func (a *appOutcome) failed() bool {
	if a.Result == "" {
		return a.App != ""
	}
	return a.Result != control.ResultDone && a.Result != control.ResultUnchanged
}

func (o *outcome) result(err error) outcomeJSON {
	result := outcomeJSON{Verb: o.Verb, OK: err == nil, Results: o.apps}
	if result.Results == nil {
		result.Results = []*appOutcome{}
	}
	if _, told := errors.AsType[*failedError](err); err != nil && !told {
		result.Error = jsonError(err)
	}
	return result
}

// tellFailures tells for each app that failed why, and its last output.
func (o *outcome) tellFailures(text *strings.Builder) {
	for _, a := range o.apps {
		if !a.failed() {
			continue
		}
		result := string(a.Result)
		if result == "" {
			result = "without a result"
		}
		fmt.Fprintf(text, "gracevisorctl: %s %s: %s", o.Verb, safe(label(a.App)), safe(result))
		if a.Error != "" {
			fmt.Fprintf(text, ": %s", safeLines(a.Error))
		}
		text.WriteByte('\n')
		if len(a.Output) == 0 {
			continue
		}
		if a.Instance != 0 {
			fmt.Fprintf(text, "last output of instance %d:\n", a.Instance)
		} else {
			text.WriteString("last output:\n")
		}
		for _, line := range a.Output {
			fmt.Fprintf(text, "  | %s\n", safe(line))
		}
	}
}

// label is how people are shown whom an event is about.
func label(app string) string {
	if app == "" {
		return "gracevisord"
	}
	return app
}
