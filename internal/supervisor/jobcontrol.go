package supervisor

import (
	"context"
	"slices"
	"time"

	"gracevisor/internal/control"
)

// Jobs lists the jobs under way, the oldest first.
func (s *Supervisor) Jobs(ctx context.Context) ([]control.Job, error) {
	reply := make(chan []control.Job, 1)
	return ask(ctx, s, askJobs{reply}, reply)
}

// CancelJob calls a job off.
func (s *Supervisor) CancelJob(ctx context.Context, id uint32, caller string) error {
	reply := make(chan error, 1)
	refused, err := ask(ctx, s, askCancel{id, caller, reply}, reply)
	if err != nil {
		return err
	}
	return refused
}

type settingsAnswer struct {
	settings *control.Settings
	err      error
}

// Settings are what an app is run with.
func (s *Supervisor) Settings(ctx context.Context, app string) (*control.Settings, error) {
	reply := make(chan settingsAnswer, 1)
	answer, err := ask(ctx, s, askSettings{app, reply}, reply)
	if err != nil {
		return nil, err
	}
	return answer.settings, answer.err
}

func (s *Supervisor) settings(name string) settingsAnswer {
	a := s.apps[name]
	if a == nil {
		return settingsAnswer{err: s.noSuchApp(name)}
	}
	return settingsAnswer{settings: &control.Settings{
		Command: slices.Clone(a.plan.Command), Environment: slices.Clone(a.plan.Environment),
	}}
}

type reexecAnswer struct {
	operation *operation
	operationAnswer
}

// BeginReexec enters the job of a re-execution, which the caller then performs.
// The successor ends the job; failed ends it if there will be none.
func (s *Supervisor) BeginReexec(ctx context.Context, r control.Request) (begun *control.Operation, failed func(error), err error) {
	reply := make(chan reexecAnswer, 1)
	answer, err := ask(ctx, s, askReexec{r, reply}, reply)
	if err != nil {
		return nil, nil, err
	}
	if answer.err != nil {
		return nil, nil, answer.err
	}
	return answer.operationAnswer.operation, func(err error) { s.post(reexecFailed{answer.operation, err.Error()}) }, nil
}

func (s *Supervisor) beginReexec(r control.Request) reexecAnswer {
	if s.stopping != nil {
		return reexecAnswer{operationAnswer: operationAnswer{err: errStopping}}
	}
	s.log.Info("operation", "verb", string(r.Verb), "caller", r.Caller)
	o := s.newOperation(r, 1)
	o.whole = &job{operation: o}
	s.enter(o.whole)
	return reexecAnswer{o, o.answer()}
}

func (s *Supervisor) reexecFailed(o *operation, why string) {
	o.events <- control.Event{
		Kind: control.EventResult, Elapsed: time.Since(o.began), Result: control.ResultFailed, Error: why,
	}
	s.leave(o.whole, control.ResultFailed, why)
	o.done()
}
