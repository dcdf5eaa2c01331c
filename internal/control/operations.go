package control

import (
	"context"
	"time"
)

// Operations is what the doors can do with the daemon: the one set of
// operations behind the control socket, the RPC address and D-Bus. All methods
// may be called from any goroutine.
type Operations interface {
	// Status tells the state of the named apps, or of all. An unknown name
	// is an *Error with CodeNoSuchApp.
	Status(ctx context.Context, apps []string) (*Status, error)
	// Start begins an operation and returns at once; what it does is told by
	// Events. It fails, with an *Error, only if nothing was begun: an unknown
	// app, an invalid configuration, a daemon that is stopping. ctx bounds
	// the beginning only: what was begun goes on when it ends.
	Start(ctx context.Context, req Request) (*Operation, error)
	// Output returns the last n lines of an app's output, oldest first, and,
	// with follow, a channel of those that come after them, until ctx ends.
	Output(ctx context.Context, app string, n int, follow bool) ([]OutputLine, <-chan OutputLine, error)
	// Sockets lists the external addresses.
	Sockets(ctx context.Context) ([]Socket, error)
	// Workers lists the proxy workers with what they hold, app by app.
	Workers(ctx context.Context) ([]Worker, error)
	// Version is the daemon's.
	Version() Version
	// Overview is Status without what takes long to find out: strays, memory
	// and CPU time.
	Overview(ctx context.Context, apps []string) (*Status, error)
	// Settings are what an app is run with. They may hold secrets: only who
	// may manage the app is to see them.
	Settings(ctx context.Context, app string) (*Settings, error)
	// Jobs lists what is under way, the oldest first.
	Jobs(ctx context.Context) ([]Job, error)
	// CancelJob calls a job off. It fails, with an *Error, if there is none of
	// this number, or if it can not be called off.
	CancelJob(ctx context.Context, id uint32, caller string) error
	// Watch begins to tell of what happens; the caller closes the Watch.
	Watch() *Watch
}

// Verb names an operation.
type Verb string

// The verbs.
const (
	VerbStart   Verb = "start"
	VerbRestart Verb = "restart"
	VerbReload  Verb = "reload"
	VerbUpdate  Verb = "update"
	VerbStop    Verb = "stop"
	VerbKill    Verb = "kill"
	VerbReexec  Verb = "reexec"
)

// Request asks for an operation.
type Request struct {
	Verb Verb `json:"verb"`
	// Apps are the apps it is for. Reload without any is for all; Update
	// takes none; all others need one at least.
	Apps []string `json:"apps,omitempty"`
	// Signal is the number of the signal that VerbKill sends; 0 is SIGKILL.
	Signal int `json:"signal,omitempty"`
	// Drained makes the operation last until replaced instances have gone.
	Drained bool `json:"drained,omitempty"`
	// Check, with VerbReexec, only asks whether the binary on disk could take
	// over.
	Check bool `json:"check,omitempty"`
	// Caller says who asked, for the log, as "uid 0, pid 4711".
	Caller string `json:"-"`
}

// An Operation is one that was begun. It goes on whether or not anybody reads
// its events; a reader that does not keep up loses step events, never results.
type Operation struct {
	// Events yields steps and one result per app, then is closed. For
	// VerbUpdate and VerbReload one more result, with an empty App, may come
	// first or last: what concerns the daemon as a whole.
	Events <-chan Event
	// Jobs are those that it has begun: for an operation on named apps one of
	// each, some of which may be over; for all others one of the whole.
	Jobs []Job
}

// EventKind tells the kinds of Event apart.
type EventKind string

// The kinds of events.
const (
	EventStep   EventKind = "step"
	EventResult EventKind = "result"
)

// Result is how an operation ended for an app.
type Result string

// The results of an operation.
const (
	ResultDone       Result = "done"
	ResultFailed     Result = "failed"
	ResultSuperseded Result = "superseded"
	ResultCanceled   Result = "canceled"
	// ResultUnchanged: an update found nothing to do for the app.
	ResultUnchanged Result = "unchanged"
)

// Event is a step of an operation, or its result for one app.
type Event struct {
	Kind EventKind `json:"kind"`
	App  string    `json:"app,omitempty"`
	// Elapsed is the time since the operation began.
	Elapsed time.Duration `json:"elapsed_ns"`
	// Message tells the step for people: "instance 8 started, pid 4711".
	Message string `json:"message,omitempty"`
	// Instance is the number of the instance that the step is about, or 0.
	Instance uint64 `json:"instance,omitempty"`

	// Result, with EventResult only.
	Result Result `json:"result,omitempty"`
	// Error is the reason of ResultFailed and its like.
	Error string `json:"error,omitempty"`
	// Output are the last lines of output of the instance that failed.
	Output []string `json:"output,omitempty"`
}

// Status is the state of the daemon and its apps.
type Status struct {
	Version string    `json:"version"`
	PID     int       `json:"pid"`
	Since   time.Time `json:"since"`
	// ConfigFile is the path of the configuration.
	ConfigFile string `json:"config_file,omitempty"`
	// Goroutines are those of the daemon: a number that grows and grows is a
	// fault worth telling.
	Goroutines int `json:"goroutines,omitempty"`
	// LastCrash is when the daemon was last killed or hung, and went on.
	LastCrash *time.Time  `json:"last_crash,omitempty"`
	Workers   []Worker    `json:"workers"`
	Apps      []AppStatus `json:"apps"`
	// Strays are processes that an app started and that no stop reaches, as
	// "pid 4711 (sh) of demo".
	Strays []string `json:"strays,omitempty"`
}

// WorkerServing is the state of a worker that takes new connections.
const WorkerServing = "serving"

// Worker is a living generation of the proxy worker.
type Worker struct {
	Generation  uint64    `json:"generation"`
	PID         int       `json:"pid"`
	State       string    `json:"state"`
	Since       time.Time `json:"since"`
	Connections int       `json:"connections"`
	// MovedIn and MovedOut are the connections that it has taken over from older
	// workers, and given to newer ones.
	MovedIn  uint64 `json:"moved_in"`
	MovedOut uint64 `json:"moved_out"`
	Revision uint64 `json:"revision"`
	// Apps are told by Workers only, and only those that it holds anything of.
	Apps []WorkerApp `json:"apps,omitempty"`
}

// WorkerApp is what a worker holds of an app: its client connections, by what
// they are used for.
type WorkerApp struct {
	Name string `json:"name"`
	// Idle are between requests, or have sent only a part of one.
	Idle int `json:"idle"`
	// Waiting wait for an instance.
	Waiting int `json:"waiting"`
	// Requests are in flight.
	Requests int `json:"requests"`
	// Tunnels have switched protocols (WebSocket).
	Tunnels int `json:"tunnels"`
	// TCP are those of an app with "proxy: tcp".
	TCP int `json:"tcp"`
}

// AppStatus is the state of an app.
type AppStatus struct {
	Name string `json:"name"`
	// State: "starting", "serving", "restarting", "stopping", "stopped",
	// "failed".
	State string `json:"state"`
	// External is the address that clients use, as HOST:PORT.
	External string `json:"external"`
	Mode     string `json:"mode"`
	// ListenError says why (a part of) the external address is not served.
	ListenError string           `json:"listen_error,omitempty"`
	Instances   []InstanceStatus `json:"instances"`
	InFlight    int              `json:"in_flight"`
	Connections int              `json:"connections"`
	Requests    uint64           `json:"requests"`
	// Restarts counts replacements that were made for crashes and failed
	// checks, since the app was last started by an operator.
	Restarts  uint64 `json:"restarts"`
	LastError string `json:"last_error,omitempty"`
	// Since is when State was entered; SinceMonotonic is the same on the
	// kernel's CLOCK_MONOTONIC.
	Since          time.Time     `json:"since"`
	SinceMonotonic time.Duration `json:"since_monotonic_ns,omitempty"`
	// Retrying: it is being started, and waits between two tries.
	Retrying bool         `json:"retrying,omitempty"`
	Counters *AppCounters `json:"counters,omitempty"`
}

// InstanceStatus is the state of an instance.
type InstanceStatus struct {
	Number uint64 `json:"number"`
	// State: a state of the life cycle: "starting", "probing", "switching",
	// "serving", "sick", "draining", "stopping", "killing", "leftovers".
	State string `json:"state"`
	// Active instances take new requests.
	Active   bool      `json:"active"`
	PID      int       `json:"pid,omitempty"`
	Internal string    `json:"internal,omitempty"`
	Since    time.Time `json:"since"`
	InFlight int       `json:"in_flight"`
	Requests uint64    `json:"requests"`
	// Reason is why it was started: "boot", "restart", "crash", ….
	Reason string `json:"reason"`
	Error  string `json:"error,omitempty"`
	// Status is what the app says of itself (STATUS= of sd_notify(3)).
	Status string `json:"status,omitempty"`
	// Memory in bytes and CPU time in microseconds, of instances with a cgroup;
	// 0 or -1 where that is not known.
	Memory int64 `json:"memory_bytes,omitempty"`
	CPU    int64 `json:"cpu_usec,omitempty"`
	// Counters are those of this instance.
	Counters *InstanceCounters `json:"counters,omitempty"`
}

// InstanceCounters are the sums over all living workers, of the same meaning as
// those of the app. A request that was tried on two instances counts for both.
type InstanceCounters struct {
	Status   [5]uint64 `json:"status_classes"`
	Retries  uint64    `json:"retries"`
	BytesIn  uint64    `json:"bytes_in"`
	BytesOut uint64    `json:"bytes_out"`
	Latency  []uint64  `json:"latency"`
}

// AppCounters are the sums over all living workers.
type AppCounters struct {
	Status   [5]uint64 `json:"status_classes"`
	Errors   uint64    `json:"proxy_errors"`
	Retries  uint64    `json:"retries"`
	Held     uint64    `json:"held"`
	Holding  int       `json:"holding"`
	BytesIn  uint64    `json:"bytes_in"`
	BytesOut uint64    `json:"bytes_out"`
	// Latency holds the counts of a histogram of the time to an answer's
	// header; LatencyBounds are the buckets' upper bounds in seconds, and
	// the last count has none.
	Latency       []uint64  `json:"latency"`
	LatencyBounds []float64 `json:"latency_bounds"`
}

// OutputLine is a line of an app's output.
type OutputLine struct {
	// Time is left out if it is not known: the line was read from a log file.
	Time time.Time `json:"time,omitzero"`
	// Instance is the number of the instance that wrote it, or 0 if unknown
	// (it was read from a log file).
	Instance uint64 `json:"instance,omitempty"`
	// Stream is "stdout" or "stderr".
	Stream string `json:"stream"`
	Text   string `json:"text"`
}

// Socket is a listening socket of an external address.
type Socket struct {
	Address string   `json:"address"`
	Apps    []string `json:"apps"`
	// Source is where it came from: "bound", "systemd", "inherited".
	Source string `json:"source"`
	// Backlog is the length that the accept queue may have, Queue what is in
	// it now.
	Backlog int    `json:"backlog"`
	Queue   int    `json:"queue"`
	Error   string `json:"error,omitempty"`
}

// Version names a build.
type Version struct {
	Version string `json:"version"`
	Commit  string `json:"commit"`
	Go      string `json:"go"`
}

// Code classifies errors for machines.
type Code string

// The codes of errors.
const (
	CodeNoSuchApp     Code = "no-such-app"
	CodeConfigInvalid Code = "config-invalid"
	CodeBadRequest    Code = "bad-request"
	CodeNotPermitted  Code = "not-permitted"
	CodeStopping      Code = "stopping"
	CodeUnsupported   Code = "unsupported"
	CodeInternal      Code = "internal"
	// CodeBusy: a door has as many streams open as it may have.
	CodeBusy Code = "busy"
	// CodeNoSuchJob: no job of this number is under way.
	CodeNoSuchJob Code = "no-such-job"
	// CodeJobCanceled: the job was called off before.
	CodeJobCanceled Code = "job-canceled"
)

// Error is an error that crosses a door.
type Error struct {
	Code    Code   `json:"code"`
	Message string `json:"message"`
	// Details are more lines: the faults of a configuration, one each.
	Details []string `json:"details,omitempty"`
}

func (e *Error) Error() string { return e.Message }
