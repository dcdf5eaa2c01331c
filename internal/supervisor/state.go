package supervisor

import (
	"encoding/json"
	"fmt"
	"reflect"
	"time"

	"gracevisor/internal/config"
	"gracevisor/internal/supervisor/lifecycle"
	"gracevisor/internal/wire"
)

// stateVersion is the version of State. One version back is read too.
const stateVersion = 1

// State is all that a supervisor has to know to go on where another one has
// ended, by an exec or by its death: what it held in memory. The files that
// belong to it come beside it, by name.
type State struct {
	Version int    `json:"version"`
	Build   string `json:"build"`
	// Began is when the first of the line was started.
	Began          time.Time         `json:"began"`
	Plan           *config.Plan      `json:"plan"`
	Apps           []json.RawMessage `json:"apps"`
	LastNumbers    map[string]uint64 `json:"last_numbers,omitempty"`
	Workers        []workerState     `json:"workers"`
	NextGeneration uint64            `json:"next_generation"`
	Revision       uint64            `json:"revision"`
	// Planned: the state was saved for a restart that an operator wants. Without
	// it a successor that did not come by an exec comes after a crash.
	Planned bool `json:"planned,omitempty"`
	// UpdateDue: that operator expects that the daemon goes by the configuration
	// as it is now, and it has not been applied yet.
	UpdateDue bool `json:"update_due,omitempty"`
	// Crashes are the times of the last crashes that were survived.
	Crashes []time.Time `json:"crashes,omitempty"`
	// Operations are those under way, with their jobs.
	Operations []json.RawMessage `json:"operations,omitempty"`
	LastJob    uint32            `json:"last_job,omitempty"`
	// EndedJobs are the last that have ended; EndedTold: whoever listened has
	// heard of all.
	EndedJobs json.RawMessage `json:"ended_jobs,omitempty"`
	EndedTold bool            `json:"ended_told,omitempty"`

	// encodedPlan is Plan as JSON, or nil.
	encodedPlan []byte
}

// appState is an app in a State. A configuration is written once: what has none
// has that of the next bigger thing, which for an app is the State's plan.
type appState struct {
	Name       string      `json:"name"`
	Plan       *config.App `json:"plan,omitempty"`
	Desired    desired     `json:"desired"`
	Failed     bool        `json:"failed,omitempty"`
	Crashes    int         `json:"crashes,omitempty"`
	Restarts   uint64      `json:"restarts,omitempty"`
	LastError  string      `json:"last_error,omitempty"`
	LastOutput []string    `json:"last_output,omitempty"`
	Since      time.Time   `json:"since"`
	// SinceBoot is Since on the clock that counts from boot.
	SinceBoot  time.Duration `json:"since_boot,omitempty"`
	LastNumber uint64        `json:"last_number"`
	// Past is what workers that have gone have counted.
	Past      *wire.AppCounters `json:"past,omitempty"`
	Attempt   *attemptState     `json:"attempt,omitempty"`
	Instances []instanceState   `json:"instances,omitempty"`
	// Listeners are the names of those on which its clients arrive; nil in the
	// state of a version that did not save them.
	Listeners []string `json:"listeners"`
}

// attemptState is an attempt in a State. Who waited for it has gone.
type attemptState struct {
	Plan     *config.App `json:"plan,omitempty"`
	Reason   string      `json:"reason"`
	Failures int         `json:"failures,omitempty"`
	Asked    bool        `json:"asked,omitempty"`
	// Candidate is the number of its instance, or 0.
	Candidate uint64 `json:"candidate,omitempty"`
}

// instanceState is an instance in a State.
type instanceState struct {
	Number      uint64          `json:"number"`
	Plan        *config.App     `json:"plan,omitempty"`
	State       lifecycle.State `json:"state"`
	Began       time.Time       `json:"began"`
	Since       time.Time       `json:"since"`
	ServedSince time.Time       `json:"served_since"`
	Reason      string          `json:"reason"`
	PID         int             `json:"pid,omitempty"`
	Port        int             `json:"port,omitempty"`
	Socket      string          `json:"socket,omitempty"`
	Targets     []wire.Target   `json:"targets,omitempty"`
	Target      wire.Target     `json:"target"`
	Killed      bool            `json:"killed,omitempty"`
	SaidReady   bool            `json:"said_ready,omitempty"`
	Replaced    []uint64        `json:"replaced,omitempty"`
	Error       string          `json:"error,omitempty"`
}

// workerState is a worker in a State.
type workerState struct {
	Generation uint64    `json:"generation"`
	PID        int       `json:"pid"`
	Began      time.Time `json:"began"`
	Build      string    `json:"build"`
	Ready      bool      `json:"ready,omitempty"`
	Draining   bool      `json:"draining,omitempty"`
	// DrainingSince is when it was told to.
	DrainingSince time.Time `json:"draining_since"`
	Ordered       uint64    `json:"ordered,omitempty"`
	// Moves and Heirs are what it can, and whom it was told to, give its
	// connections.
	Moves int      `json:"moves,omitempty"`
	Heirs []uint64 `json:"heirs,omitempty"`
}

// ReadState reads a State that a supervisor of this or the last version wrote.
func ReadState(data []byte) (*State, error) {
	state := new(State)
	if err := json.Unmarshal(data, state); err != nil {
		return nil, fmt.Errorf("read state: %w", err)
	}
	if state.Version < stateVersion-1 || state.Version < 1 || state.Version > stateVersion+1 {
		return nil, fmt.Errorf("read state: it has version %d; this build reads %d and its neighbours", state.Version, stateVersion)
	}
	if state.Plan == nil {
		return nil, fmt.Errorf("read state: it holds no plan")
	}
	for _, raw := range state.Apps {
		var a appState
		if err := json.Unmarshal(raw, &a); err != nil {
			return nil, fmt.Errorf("read state: %w", err)
		}
		if a.fill(state.Plan); a.Plan == nil || a.Name == "" {
			return nil, fmt.Errorf("read state: app %q has no plan", a.Name)
		}
	}
	return state, nil
}

// fill gives all their configurations that were left out.
func (a *appState) fill(plan *config.Plan) {
	if a.Plan == nil {
		a.Plan = plan.App(a.Name)
	}
	if a.Attempt != nil && a.Attempt.Plan == nil {
		a.Attempt.Plan = a.Plan
	}
	for n := range a.Instances {
		if a.Instances[n].Plan == nil {
			a.Instances[n].Plan = a.Plan
		}
	}
}

// unless returns a configuration, or nil if it is what it would be without.
func unless(without, plan *config.App) *config.App {
	if without == plan || reflect.DeepEqual(without, plan) {
		return nil
	}
	return plan
}

// Serving are the generations of the workers that went by a table.
func (s *State) Serving() (generations []uint64) {
	for _, w := range s.Workers {
		if w.Ready && w.Ordered > 0 {
			generations = append(generations, w.Generation)
		}
	}
	return generations
}

// Encode is what ReadState reads.
func (s *State) Encode() ([]byte, error) { return s.appendTo(nil) }

// appendTo appends what ReadState reads. The state is saved several times for
// each start of an instance: what is large and the same as the last time, the
// plan and the apps, is not looked at again.
func (s *State) appendTo(data []byte) ([]byte, error) {
	own := *s
	own.Version = stateVersion
	head, err := json.Marshal(struct {
		*State
		Plan *struct{} `json:"plan,omitempty"`
		Apps *struct{} `json:"apps,omitempty"`
	}{State: &own})
	plan := s.encodedPlan
	if err == nil && plan == nil {
		plan, err = json.Marshal(s.Plan)
	}
	if err != nil {
		return nil, fmt.Errorf("encode state: %w", err)
	}
	data = append(data, head[:len(head)-1]...)
	data = append(append(data, `,"plan":`...), plan...)
	data = append(data, `,"apps":[`...)
	for n, a := range s.Apps {
		if n > 0 {
			data = append(data, ',')
		}
		data = append(data, a...)
	}
	return append(data, "]}"...), nil
}

// save writes the state as it is, if it may have changed, and then does what had
// to wait for that. Only apps that changed are encoded again.
func (s *Supervisor) save() {
	if s.unsaved && s.system.Save != nil {
		data, err := s.state().appendTo(s.saved[:0])
		if err == nil {
			s.saved = data
			err = s.system.Save(data)
		}
		if err != nil {
			s.log.Error("cannot save the state; a crash now would lose what has changed", "error", err)
		}
	}
	s.unsaved = false
	waiting := s.afterSave
	s.afterSave = nil
	for _, f := range waiting {
		f()
	}
}

// onceSaved does something when the state at hand is saved: what can not be
// taken back must not happen before a successor would know of it.
func (s *Supervisor) onceSaved(f func()) {
	s.unsaved = true
	s.afterSave = append(s.afterSave, f)
}

// answerOnceSaved answers when the state at hand is saved: the number of a job
// that is known outside must not be given to another one after a crash.
func answerOnceSaved[T any](s *Supervisor, reply chan<- T, answer T) {
	s.onceSaved(func() { reply <- answer })
}

// changed notes that an app has to be encoded again.
func (s *Supervisor) changed(a *app) {
	a.encoded, a.news = nil, true
	s.unsaved = true
}

// state puts together what is to be saved.
func (s *Supervisor) state() *State {
	state := &State{
		Build: s.version, Began: s.began, Plan: s.plan,
		LastNumbers: s.lastNumbers, NextGeneration: s.nextGeneration, Revision: s.revision,
		Planned: s.planned, UpdateDue: s.updateDue, Crashes: s.crashes,
		Operations: s.operationsState(), LastJob: s.jobs.last, EndedJobs: s.encodeEnded(), EndedTold: s.jobs.told,
		encodedPlan: s.encodePlan(),
	}
	for _, name := range s.order {
		a := s.apps[name]
		if a.encoded == nil {
			saved := a.save(s.plan.App(name))
			saved.Listeners = s.listenersOf(a)
			encoded, err := json.Marshal(saved)
			if err != nil {
				s.log.Error("cannot encode app", "app", name, "error", err)
				continue
			}
			a.encoded = encoded
		}
		state.Apps = append(state.Apps, a.encoded)
	}
	for _, w := range s.workers {
		if w.process != nil && !w.gone {
			state.Workers = append(state.Workers, workerState{
				Generation: w.generation, PID: w.pid, Began: w.began, Build: w.build,
				Ready: w.ready, Draining: w.draining, DrainingSince: w.drainingSince, Ordered: w.ordered,
				Moves: w.moves, Heirs: w.heirs,
			})
		}
	}
	return state
}

// encodePlan is the plan as JSON, and the apps that have been encoded beside
// another one are so no more.
func (s *Supervisor) encodePlan() []byte {
	if s.encodedPlan.of == s.plan {
		return s.encodedPlan.text
	}
	text, err := json.Marshal(s.plan)
	if err != nil {
		s.log.Error("cannot encode the plan", "error", err)
		return nil
	}
	s.encodedPlan.of, s.encodedPlan.text = s.plan, text
	for _, a := range s.apps {
		a.encoded = nil
	}
	return text
}

// save is the app as it is saved beside a plan that has it as in plan, or not at
// all.
func (a *app) save(plan *config.App) *appState {
	state := &appState{
		Name: a.name, Plan: unless(plan, a.plan), Desired: a.desired, Failed: a.failed, Crashes: a.crashes,
		Restarts: a.restarts, LastError: a.lastError, LastOutput: a.lastOutput,
		Since: a.since, SinceBoot: a.sinceBoot, LastNumber: a.lastNumber, Past: a.past,
	}
	if t := a.attempt; t != nil {
		state.Attempt = &attemptState{Plan: unless(a.plan, t.plan), Reason: t.reason, Failures: t.failures, Asked: t.asked}
		if t.candidate != nil {
			state.Attempt.Candidate = t.candidate.number
		}
	}
	for _, i := range a.instances {
		state.Instances = append(state.Instances, i.save(a.plan))
	}
	return state
}

func (i *instance) save(plan *config.App) instanceState {
	state := instanceState{
		Number: i.number, Plan: unless(plan, i.plan), State: i.state, Began: i.began, Since: i.since,
		ServedSince: i.servedSince, Reason: i.reason, PID: i.pid, Port: i.port,
		Targets: i.targets, Target: i.target, Killed: i.killed, SaidReady: i.saidReady, Error: i.err,
	}
	if i.socket != nil {
		state.Socket = i.socket.Path()
	}
	for _, old := range i.replaced {
		state.Replaced = append(state.Replaced, old.number)
	}
	return state
}
