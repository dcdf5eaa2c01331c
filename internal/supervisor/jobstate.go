package supervisor

import (
	"encoding/json"
	"slices"
	"time"

	"gracevisor/internal/control"
)

// operationState is an operation in a State. Who reads its events has gone.
type operationState struct {
	Verb  control.Verb `json:"verb"`
	Began time.Time    `json:"began"`
	// Whole is the number of the job of the whole, or 0, Result the worst of
	// the results so far.
	Whole  uint32         `json:"whole,omitempty"`
	Result control.Result `json:"result,omitempty"`
	Jobs   []jobState     `json:"jobs,omitempty"`
}

// jobState is a job in a State.
type jobState struct {
	ID      uint32 `json:"id"`
	App     string `json:"app"`
	Drained bool   `json:"drained,omitempty"`
	// Attempt: it waits for the attempt of its app. Awaits are the instances
	// that it waits for. Else it waits for the next table.
	Attempt bool     `json:"attempt,omitempty"`
	Awaits  []uint64 `json:"awaits,omitempty"`
}

// operationsState is what is to be saved of the jobs. Only operations that have
// changed are encoded again.
func (s *Supervisor) operationsState() (list []json.RawMessage) {
	var seen []*operation
	for _, id := range s.jobNumbers() {
		o := s.jobs.entered[id].operation
		if slices.Contains(seen, o) {
			continue
		}
		seen = append(seen, o)
		if o.encoded == nil {
			var err error
			if o.encoded, err = json.Marshal(s.operationState(o)); err != nil {
				s.log.Error("cannot encode operation", "verb", string(o.verb), "error", err)
				continue
			}
		}
		list = append(list, o.encoded)
	}
	return list
}

func (s *Supervisor) operationState(o *operation) operationState {
	saved := operationState{Verb: o.verb, Began: o.began, Result: o.worst}
	if o.whole != nil {
		saved.Whole = o.whole.id
	}
	for _, j := range o.jobs {
		if !j.over {
			saved.Jobs = append(saved.Jobs, s.jobState(j))
		}
	}
	return saved
}

// encodeEnded is what is saved of the jobs that have ended.
func (s *Supervisor) encodeEnded() json.RawMessage {
	if s.jobs.encoded == nil && len(s.jobs.ended) > 0 {
		var err error
		if s.jobs.encoded, err = json.Marshal(s.jobs.ended); err != nil {
			s.log.Error("cannot encode the jobs that have ended", "error", err)
		}
	}
	return s.jobs.encoded
}

func (s *Supervisor) jobState(j *job) jobState {
	saved := jobState{ID: j.id, App: j.app, Drained: j.drained, Attempt: s.attemptOf(j) != nil}
	for _, i := range j.awaits {
		saved.Awaits = append(saved.Awaits, i.number)
	}
	return saved
}

func (s *Supervisor) jobNumbers() []uint32 {
	numbers := make([]uint32, 0, len(s.jobs.entered))
	for id := range s.jobs.entered {
		numbers = append(numbers, id)
	}
	slices.Sort(numbers)
	return numbers
}

// restoreJobs goes on with the jobs of a predecessor. Their apps are there.
func (s *Supervisor) restoreJobs(state *State) {
	s.jobs.last = state.LastJob
	if len(state.EndedJobs) > 0 {
		if err := json.Unmarshal(state.EndedJobs, &s.jobs.ended); err != nil {
			s.log.Error("cannot restore the jobs that have ended", "error", err)
		}
	}
	for _, e := range s.jobs.ended {
		if !state.EndedTold && time.Since(e.Time) < tellAgain {
			s.tell(e.notice())
		}
	}
	for _, raw := range state.Operations {
		var saved operationState
		if err := json.Unmarshal(raw, &saved); err != nil {
			s.log.Error("cannot restore operation", "error", err)
			continue
		}
		s.restoreOperation(saved)
	}
}

func (s *Supervisor) restoreOperation(saved operationState) {
	o := s.newOperation(control.Request{Verb: saved.Verb}, len(saved.Jobs))
	o.began, o.worst = saved.Began, saved.Result
	if saved.Whole != 0 {
		o.whole = &job{operation: o, id: saved.Whole}
		s.register(o.whole)
	}
	if o.applies() {
		s.jobs.applying++
	}
	for _, j := range saved.Jobs {
		s.restoreJob(o, j)
	}
	s.soon(o.done) // that we are here is what a re-execution was to achieve
}

func (s *Supervisor) restoreJob(o *operation, saved jobState) {
	j := &job{operation: o, id: saved.ID, app: saved.App, drained: saved.Drained}
	o.jobs = append(o.jobs, j)
	o.pending++
	s.register(j)
	a := s.apps[j.app]
	switch {
	case a == nil:
		s.soon(func() { j.finish(control.ResultDone, "", nil) }) // it was removed
	case saved.Attempt && a.attempt != nil:
		a.attempt.jobs = append(a.attempt.jobs, j)
		a.attempt.asked = true
	case saved.Attempt:
		s.soon(func() { j.finish(control.ResultFailed, "its attempt was lost when the daemon was replaced", nil) })
	case len(saved.Awaits) > 0:
		awaited := slices.DeleteFunc(slices.Clone(a.instances), func(i *instance) bool {
			return !slices.Contains(saved.Awaits, i.number)
		})
		s.soon(func() { s.awaitLeaving(a, j, awaited) })
	default:
		s.whenPublished(func() { j.finish(control.ResultDone, "", nil) })
	}
}
