package control

import "time"

// Job is something that is under way: what an operation does for one app, or,
// with an empty App, the operation as a whole (reload of all apps, update,
// reexec). Its number stays the same over re-executions and crashes of the
// daemon, and no other job gets it.
type Job struct {
	ID   uint32 `json:"id"`
	Verb Verb   `json:"verb"`
	App  string `json:"app,omitempty"`
	// State is "waiting" (for its turn, see parallel_restarts, or for the next
	// try) or "running".
	State string `json:"state"`
	// Since is not told on D-Bus.
	Since time.Time `json:"since,omitzero"`
}

// The states of jobs.
const (
	JobWaiting = "waiting"
	JobRunning = "running"
)

// ResultTimeout is the result of a job whose app did not become ready within
// its start_timeout. In the events of an operation that is ResultFailed.
const ResultTimeout Result = "timeout"

// Settings are what an app is run with.
type Settings struct {
	Command     []string `json:"command"`
	Environment []string `json:"environment"`
}

// NoticeKind tells the kinds of Notice apart.
type NoticeKind string

// The kinds of notices.
const (
	// NoticeJobNew and NoticeJobRemoved: a job began, or ended. After a crash
	// of the daemon the end of a job may be told a second time.
	NoticeJobNew     NoticeKind = "job-new"
	NoticeJobRemoved NoticeKind = "job-removed"
	// NoticeAppNew and NoticeAppRemoved: there is an app more, or one less.
	NoticeAppNew     NoticeKind = "app-new"
	NoticeAppRemoved NoticeKind = "app-removed"
	// NoticeAppChanged: the state of an app or of an instance has changed.
	NoticeAppChanged NoticeKind = "app-changed"
	// NoticeReloading: the configuration is being applied, or that is over.
	NoticeReloading NoticeKind = "reloading"
	// NoticeDaemonChanged: something of DaemonState has changed.
	NoticeDaemonChanged NoticeKind = "daemon-changed"
)

// Notice is something that has happened. What is not of its kind is left out.
type Notice struct {
	Kind NoticeKind `json:"kind"`
	Time time.Time  `json:"time"`
	// Job and Result: how a job has ended, with the reason where it failed.
	Job    *Job   `json:"job,omitempty"`
	Result Result `json:"result,omitempty"`
	Error  string `json:"error,omitempty"`
	// App is the name of the app, State what has become of it, without
	// anything that is counted.
	App       string       `json:"app,omitempty"`
	State     *AppStatus   `json:"state,omitempty"`
	Reloading *bool        `json:"reloading,omitempty"`
	Daemon    *DaemonState `json:"daemon,omitempty"`
}

// DaemonState is the daemon in short.
type DaemonState struct {
	// Worker is the generation that takes new connections, or 0, WorkerPID its
	// process.
	Worker    uint64 `json:"worker"`
	WorkerPID int    `json:"worker_pid"`
	Apps      int    `json:"apps"`
	Failed    int    `json:"failed_apps"`
}

// Daemon is the daemon in short, from the status of all apps.
func (s *Status) Daemon() DaemonState {
	state := DaemonState{Apps: len(s.Apps)}
	for _, a := range s.Apps {
		if a.State == "failed" {
			state.Failed++
		}
	}
	for _, w := range s.Workers {
		if w.State == WorkerServing && w.Generation > state.Worker {
			state.Worker, state.WorkerPID = w.Generation, w.PID
		}
	}
	return state
}
