package supervisor

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"gracevisor/internal/control"
	"gracevisor/internal/supervisor/lifecycle"
)

// Jobs have numbers once they are entered: those of an operation on named apps
// when it begins, those of a reload of all apps or an update when it is known
// that there is something to do; these have a job of the whole, too.

// jobs are those under way, and the last that have ended.
type jobs struct {
	last    uint32
	entered map[uint32]*job
	ended   []endedJob
	// encoded are the ends as they were saved, or nil if there is another.
	encoded json.RawMessage
	// told: all their ends have been told, for nothing happens any more.
	told bool
	// applying counts the operations under way that apply a configuration.
	applying int
}

// endedJob is how a job has ended, as it is saved.
type endedJob struct {
	Job    control.Job    `json:"job"`
	Result control.Result `json:"result"`
	Error  string         `json:"error,omitempty"`
	Time   time.Time      `json:"time"`
}

const (
	// endedKept is how many of them are remembered.
	endedKept = 16
	// tellAgain is how long after the end of a job a daemon that took over
	// from one that crashed tells it again: that may not have come to it.
	tellAgain = 10 * time.Second
)

// enter gives a job its number.
func (s *Supervisor) enter(j *job) {
	if j.id != 0 {
		return
	}
	s.jobs.last++
	j.id = s.jobs.last
	s.register(j)
	described := s.describe(j)
	s.tell(control.Notice{Kind: control.NoticeJobNew, Job: &described})
}

// register lists a job under its number.
func (s *Supervisor) register(j *job) {
	s.jobs.entered[j.id] = j
	j.operation.encoded, s.unsaved = nil, true
}

// leave takes a job that is over off the list.
func (s *Supervisor) leave(j *job, result control.Result, why string) {
	if s.jobs.entered[j.id] != j {
		return
	}
	described := s.describe(j)
	delete(s.jobs.entered, j.id)
	j.operation.encoded, s.jobs.encoded, s.unsaved = nil, nil, true
	switch {
	case result == control.ResultUnchanged:
		result = control.ResultDone
	case result == control.ResultFailed && j.timedOut:
		result = control.ResultTimeout
	}
	end := endedJob{Job: described, Result: result, Error: why, Time: time.Now()}
	s.jobs.ended = append(s.jobs.ended, end)
	if over := len(s.jobs.ended) - endedKept; over > 0 {
		s.jobs.ended = slices.Delete(s.jobs.ended, 0, over)
	}
	s.tell(end.notice())
}

func (e endedJob) notice() control.Notice {
	return control.Notice{Kind: control.NoticeJobRemoved, Time: e.Time, Job: &e.Job, Result: e.Result, Error: e.Error}
}

// describe is the job as others see it.
func (s *Supervisor) describe(j *job) control.Job {
	d := control.Job{ID: j.id, Verb: j.operation.verb, App: j.app, State: control.JobRunning, Since: j.operation.began}
	if t := s.attemptOf(j); t != nil && t.candidate == nil && !t.holdsSlot {
		d.State = control.JobWaiting
	}
	return d
}

// attemptOf is the attempt that a job waits for, or nil.
func (s *Supervisor) attemptOf(j *job) *attempt {
	if a := s.apps[j.app]; a != nil && a.attempt != nil && slices.Contains(a.attempt.jobs, j) {
		return a.attempt
	}
	return nil
}

func (s *Supervisor) listJobs() []control.Job {
	list := make([]control.Job, 0, len(s.jobs.entered))
	for _, j := range s.jobs.entered {
		list = append(list, s.describe(j))
	}
	slices.SortFunc(list, func(a, b control.Job) int { return int(a.ID) - int(b.ID) })
	return list
}

// canceledWhy is the reason of a job that was called off.
const canceledWhy = "an operator has called it off"

// cancelJob calls a job off: its attempt, if it was made for this job alone.
// What can not be undone goes on without it: an instance that was told to stop
// stops.
func (s *Supervisor) cancelJob(id uint32, caller string) error {
	j := s.jobs.entered[id]
	if j == nil {
		return s.noSuchJob(id)
	}
	var off []*job
	switch t := s.attemptOf(j); {
	case j.operation.verb == control.VerbReexec:
		return &control.Error{Code: control.CodeUnsupported, Message: "a re-execution can not be called off"}
	case j == j.operation.whole:
		off = slices.Clone(j.operation.jobs)
	case t != nil && t.switching():
		return tooLate(id)
	default:
		off = []*job{j}
	}
	s.log.Info("job canceled", "job", id, "verb", string(j.operation.verb), "app", j.app, "caller", caller)
	for _, one := range off {
		s.callOff(one)
	}
	if s.jobs.entered[id] != nil { // some of its apps are past that
		return tooLate(id)
	}
	return nil
}

func tooLate(id uint32) error {
	return &control.Error{Code: control.CodeUnsupported, Message: fmt.Sprintf("job %d can not be called off any more: the new instance is being given the traffic", id)}
}

// switching reports whether the attempt is past the point of return.
func (t *attempt) switching() bool { return t.candidate != nil && !t.candidate.state.Unready() }

func (s *Supervisor) callOff(j *job) {
	t := s.attemptOf(j)
	if j.over || t != nil && t.switching() {
		return
	}
	if t != nil {
		t.jobs = slices.DeleteFunc(t.jobs, func(other *job) bool { return other == j })
	}
	j.finish(control.ResultCanceled, canceledWhy, nil)
	a := s.apps[j.app]
	if a == nil {
		return
	}
	a.leaving = slices.DeleteFunc(a.leaving, func(other *job) bool { return other.over })
	if t == nil || len(t.jobs) > 0 || !t.asked {
		return
	}
	if a.serving() == nil {
		s.stopApp(a, stopped, canceledWhy) // as it would be had nobody asked
		return
	}
	s.cancelAttempt(a, control.ResultCanceled, canceledWhy)
	a.touch()
	s.stale = true
	if a.serving().state != lifecycle.Serving {
		s.fail(a) // one that is ill is replaced some time later
	}
}

func (s *Supervisor) noSuchJob(id uint32) error {
	for _, e := range s.jobs.ended {
		if e.Job.ID == id && e.Result == control.ResultCanceled {
			return &control.Error{Code: control.CodeJobCanceled, Message: fmt.Sprintf("job %d was called off before", id)}
		}
		if e.Job.ID == id {
			return &control.Error{Code: control.CodeNoSuchJob, Message: fmt.Sprintf("job %d is over: %s", id, e.Result)}
		}
	}
	return &control.Error{Code: control.CodeNoSuchJob, Message: fmt.Sprintf("no job has the number %d", id)}
}
