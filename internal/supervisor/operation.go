package supervisor

import (
	"context"
	"encoding/json"
	"fmt"
	"sort"
	"strings"
	"syscall"
	"time"

	"gracevisor/internal/config"
	"gracevisor/internal/control"
	"gracevisor/internal/supervisor/lifecycle"
)

// stepsKept is how many events wait for a reader of an operation; steps beyond
// them are lost, results are not.
const stepsKept = 256

// operation is something that was asked for: a job for each app it concerns.
type operation struct {
	s      *Supervisor
	verb   control.Verb
	began  time.Time
	events chan control.Event
	// pending counts the jobs that are not over, and one more until all are
	// made: the first may be over before the second is.
	pending int
	// ended is called when the last job is over, in a goroutine of its own.
	ended func()
	// jobs are those of apps; at once: each is entered when it is made.
	jobs   []*job
	atOnce bool
	// encoded is the operation as it was saved, or nil if it has changed.
	encoded json.RawMessage
	// whole is the job of the whole operation, or nil; worst is what its
	// result would be now.
	whole *job
	worst control.Result
}

// job is what an operation wants of one app.
type job struct {
	operation *operation
	// id is its number, or 0 if it is not entered.
	id  uint32
	app string
	// drained: it is done only when replaced instances have gone.
	drained bool
	// awaits are the instances that have to go first.
	awaits []*instance
	over   bool
	// timedOut: the last try was ended by start_timeout.
	timedOut bool
}

type operationAnswer struct {
	operation *control.Operation
	err       error
}

func (s *Supervisor) newOperation(r control.Request, apps int) *operation {
	return &operation{
		s:       s,
		verb:    r.Verb,
		began:   time.Now(),
		worst:   control.ResultDone,
		events:  make(chan control.Event, stepsKept+apps),
		pending: 1,
	}
}

// job adds an app to the operation.
func (o *operation) job(app string, drained bool) *job {
	o.pending++
	j := &job{operation: o, app: app, drained: drained}
	o.jobs = append(o.jobs, j)
	if o.atOnce {
		o.s.enter(j)
	}
	return j
}

// applies reports whether the operation applies a configuration.
func (o *operation) applies() bool {
	return o.verb == control.VerbReload || o.verb == control.VerbUpdate
}

// severity orders the results of jobs by what the result of the whole is.
var severity = map[control.Result]int{
	control.ResultSuperseded: 1, control.ResultFailed: 2, control.ResultCanceled: 3,
}

// done counts down; the last job ends the operation, or, when all jobs were
// over before, the one who has made them.
func (o *operation) done() {
	if o.pending--; o.pending == 0 {
		close(o.events)
		if o.whole != nil {
			o.s.leave(o.whole, o.worst, "")
		}
		if o.applies() {
			o.s.tellApplying(-1)
		}
		if o.ended != nil {
			go o.ended()
		}
	}
}

func (o *operation) answer() operationAnswer {
	begun := &control.Operation{Events: o.events}
	if o.whole != nil {
		begun.Jobs = append(begun.Jobs, o.s.describe(o.whole))
	} else {
		for _, j := range o.jobs {
			begun.Jobs = append(begun.Jobs, o.s.describe(j))
		}
	}
	return operationAnswer{operation: begun}
}

// step tells how the job goes. It is lost if nobody keeps up with reading.
func (j *job) step(i *instance, format string, args ...any) {
	if j.over || len(j.operation.events) >= stepsKept {
		return
	}
	event := control.Event{
		Kind:    control.EventStep,
		App:     j.app,
		Elapsed: time.Since(j.operation.began),
		Message: fmt.Sprintf(format, args...),
	}
	if i != nil {
		event.Instance = i.number
	}
	j.operation.events <- event
}

// finish ends the job. There is always room for its result.
func (j *job) finish(result control.Result, why string, output []string) {
	if j.over {
		return
	}
	j.over = true
	o := j.operation
	o.events <- control.Event{
		Kind: control.EventResult, App: j.app, Elapsed: time.Since(o.began),
		Result: result, Error: why, Output: output,
	}
	if severity[result] > severity[o.worst] {
		o.worst = result
	}
	o.s.leave(j, result, why)
	o.done()
}

// Operate begins an operation on apps: any but reload and update, which need a
// plan.
func (s *Supervisor) Operate(ctx context.Context, r control.Request) (*control.Operation, error) {
	reply := make(chan operationAnswer, 1)
	answer, err := ask(ctx, s, askOperation{r, reply}, reply)
	if err != nil {
		return nil, err
	}
	return answer.operation, answer.err
}

// Apply begins a reload or an update to a plan. ended is called once it is over,
// if it was begun; it may be nil.
func (s *Supervisor) Apply(ctx context.Context, plan *config.Plan, r control.Request, ended func()) (*control.Operation, error) {
	reply := make(chan operationAnswer, 1)
	answer, err := ask(ctx, s, askApply{plan, r, ended, reply}, reply)
	if err != nil {
		return nil, err
	}
	return answer.operation, answer.err
}

// operate begins what was asked for.
func (s *Supervisor) operate(r control.Request) operationAnswer {
	if s.stopping != nil {
		return operationAnswer{err: errStopping}
	}
	if len(r.Apps) == 0 {
		return operationAnswer{err: badRequest("%s needs the name of an app", r.Verb)}
	}
	perform, ok := verbs[r.Verb]
	if !ok {
		return operationAnswer{err: badRequest("unknown operation %q", r.Verb)}
	}
	apps, err := s.named(r.Apps)
	if err != nil {
		return operationAnswer{err: err}
	}
	s.log.Info("operation", "verb", string(r.Verb), "apps", strings.Join(r.Apps, " "), "caller", r.Caller)
	o := s.newOperation(r, len(apps))
	o.atOnce = true
	jobs := make([]*job, len(apps))
	for n, a := range apps {
		jobs[n] = o.job(a.name, r.Drained)
	}
	for n, a := range apps {
		perform(s, a, r, jobs[n])
	}
	o.done()
	return o.answer()
}

// removedWhy is why an app that is only there until its last instance has gone
// can not be started.
const removedWhy = "the app was removed from the configuration"

// verbs are the operations on apps.
var verbs = map[control.Verb]func(*Supervisor, *app, control.Request, *job){
	control.VerbStart:   (*Supervisor).opStart,
	control.VerbRestart: (*Supervisor).opRestart,
	control.VerbStop:    (*Supervisor).opStop,
	control.VerbKill:    (*Supervisor).opKill,
}

func (s *Supervisor) opStart(a *app, _ control.Request, j *job) {
	switch {
	case a.desired == removed:
		j.finish(control.ResultFailed, removedWhy, nil)
	case a.desired != running, a.failed, a.attempt == nil && a.serving() == nil:
		s.startAttempt(a, a.plan, "start", j)
	case a.attempt != nil:
		j.step(nil, "is being started already")
		a.attempt.jobs = append(a.attempt.jobs, j)
	default:
		j.step(a.serving(), "is running already")
		j.finish(control.ResultUnchanged, "", nil)
	}
}

func (s *Supervisor) opRestart(a *app, _ control.Request, j *job) {
	if a.desired == removed {
		j.finish(control.ResultFailed, removedWhy, nil)
		return
	}
	s.startAttempt(a, a.plan, "restart", j)
}

func (s *Supervisor) opStop(a *app, _ control.Request, j *job) {
	if a.desired != running && len(a.instances) == 0 {
		j.step(nil, "is stopped already")
		j.finish(control.ResultUnchanged, "", nil)
		return
	}
	if a.desired == running {
		s.stopApp(a, stopped, "the app was stopped")
	}
	for _, i := range a.instances {
		j.step(i, "instance %d is %s", i.number, i.state)
	}
	s.awaitLeaving(a, j, a.instances)
}

// opKill sends a signal to all instances. It does not change what is wanted: an
// app that is to run and whose instance was killed gets another one.
func (s *Supervisor) opKill(a *app, r control.Request, j *job) {
	sig := syscall.Signal(r.Signal)
	if sig == 0 {
		sig = syscall.SIGKILL
	}
	var failed []string
	reached := 0
	for _, i := range append([]*instance(nil), a.instances...) {
		if i.state == lifecycle.Gone || (i.process == nil && sig != syscall.SIGKILL) {
			continue
		}
		reached++
		if sig == syscall.SIGKILL {
			i.note("killed by an operator")
			s.step(i, lifecycle.Kill)
		} else if err := i.process.Signal(sig); err != nil {
			failed = append(failed, fmt.Sprintf("instance %d: %v", i.number, err))
			continue
		}
		j.step(i, "%s sent to instance %d, pid %d", signalName(sig), i.number, i.pid)
	}
	switch {
	case len(failed) > 0:
		j.finish(control.ResultFailed, strings.Join(failed, "; "), nil)
	case reached == 0:
		j.finish(control.ResultFailed, "the app has no process", nil)
	default:
		j.finish(control.ResultDone, "", nil)
	}
}

// named finds the apps called so, each once.
func (s *Supervisor) named(names []string) ([]*app, error) {
	var found []*app
	seen := make(map[string]bool)
	for _, name := range names {
		a := s.apps[name]
		if a == nil {
			return nil, s.noSuchApp(name)
		}
		if !seen[name] {
			seen[name] = true
			found = append(found, a)
		}
	}
	return found, nil
}

func (s *Supervisor) noSuchApp(name string) error {
	known := append([]string(nil), s.order...)
	sort.Strings(known)
	hint := "there are none"
	if len(known) > 0 {
		hint = "there are " + strings.Join(known, ", ")
	}
	if len(known) > 20 {
		hint = fmt.Sprintf("there are %d others", len(known))
	}
	return &control.Error{Code: control.CodeNoSuchApp, Message: fmt.Sprintf("no app is called %q: %s", name, hint)}
}

var errStopping = &control.Error{Code: control.CodeStopping, Message: "the daemon is stopping"}

func badRequest(format string, args ...any) error {
	return &control.Error{Code: control.CodeBadRequest, Message: fmt.Sprintf(format, args...)}
}
