package wire

import "time"

// A Table is all that a worker needs to know to serve: always complete, never
// a difference to an earlier one. A worker that has acknowledged revision R
// begins no request on an instance that R does not name as Serving.
type Table struct {
	Revision uint64 `json:"revision"`
	// MaxConnections bounds the client connections of all apps together;
	// 0 means no bound.
	MaxConnections int   `json:"max_connections,omitempty"`
	Apps           []App `json:"apps"`
}

// Disposition is what happens to a request for an app.
type Disposition string

// The dispositions of an app.
const (
	// Serving: the instances with the role RoleServing take the requests.
	Serving Disposition = "serving"
	// Holding: no instance is ready but one is expected; requests wait.
	Holding Disposition = "holding"
	// Unavailable: stopped or failed; requests are answered 503 at once.
	Unavailable Disposition = "unavailable"
)

// App is the route of one app.
type App struct {
	Name string `json:"name"`
	// Listeners are the names of the listeners on which its clients arrive,
	// as given to the worker in a Listeners message.
	Listeners []string `json:"listeners"`
	// Mode is "http" or "tcp".
	Mode        string      `json:"mode"`
	Disposition Disposition `json:"disposition"`
	Instances   []Instance  `json:"instances"`
	Traffic     Traffic     `json:"traffic"`
}

// Role is what an instance in a Table is there for.
type Role string

// The roles of an instance.
const (
	// RoleServing instances take new requests.
	RoleServing Role = "serving"
	// RoleDraining instances take no new request; the worker reports when
	// they have none in flight.
	RoleDraining Role = "draining"
)

// Instance is an app instance as the worker sees it.
type Instance struct {
	// ID is "APP/NUMBER", unique over the life of the daemon.
	ID   string `json:"id"`
	Role Role   `json:"role"`
	// Network is "tcp" or "unix"; Address is "IP:PORT" or a path.
	Network string `json:"network"`
	Address string `json:"address"`
}

// Traffic holds the limits and habits of an app's proxying. A duration of 0
// means no time-out, a number of 0 means no bound.
type Traffic struct {
	HoldTimeout time.Duration `json:"hold_timeout"`
	HoldMax     int           `json:"hold_max"`

	HeaderTimeout  time.Duration `json:"header_timeout"`
	IdleTimeout    time.Duration `json:"idle_timeout"`
	ConnectTimeout time.Duration `json:"connect_timeout"`
	AnswerTimeout  time.Duration `json:"answer_timeout"`
	BodyTimeout    time.Duration `json:"body_timeout"`

	MaxHeaderBytes       int   `json:"max_header_bytes"`
	MaxHeaders           int   `json:"max_headers"`
	MaxBodyBytes         int64 `json:"max_body_bytes"`
	MaxAnswerHeaderBytes int   `json:"max_answer_header_bytes"`
	MaxAnswerHeaders     int   `json:"max_answer_headers"`
	MaxConnections       int   `json:"max_connections"`

	// TrustedProxies holds networks in CIDR notation.
	TrustedProxies []string `json:"trusted_proxies,omitempty"`
	Via            bool     `json:"via,omitempty"`
	// Upgrades are the lower-case Upgrade tokens that are passed on.
	Upgrades []string `json:"upgrades,omitempty"`
	// AccessLog is empty (off), "json" or "combined". Its lines go to the
	// pipe named "access:APP" in a Listeners message.
	AccessLog string `json:"access_log,omitempty"`
}

// Probe orders a worker to check an instance until it is told otherwise.
type Probe struct {
	Instance string `json:"instance"`
	// Targets are tried in order at each check; the first that answers is
	// the instance's address.
	Targets []Target `json:"targets"`
	// Path is requested with GET and must answer 200; without one a
	// connection that is accepted is enough.
	Path string `json:"path,omitempty"`
	// Host is the Host header of the request.
	Host string `json:"host,omitempty"`
	// Timeout bounds one check.
	Timeout time.Duration `json:"timeout"`
	// Interval between running checks; 0 means that the probe ends with its
	// first success.
	Interval time.Duration `json:"interval,omitempty"`
	// Retries is the number of failures in a row after which a running
	// instance is reported as failing.
	Retries int `json:"retries,omitempty"`
	// Running says that the instance has answered before (an earlier worker
	// probed it): only failing and recovering is reported.
	Running bool `json:"running,omitempty"`
}

// Target is an address that an instance may be reached at.
type Target struct {
	Network string `json:"network"`
	Address string `json:"address"`
}

// Verdict is what a probe found.
type Verdict string

// The verdicts of a probe. Only changes are reported.
const (
	// Passing: the check succeeded, for the first time or again.
	Passing Verdict = "passing"
	// Failing: Retries checks in a row failed, but something answered (a
	// status other than 200).
	Failing Verdict = "failing"
	// Dead: as Failing, and nothing was answered at all.
	Dead Verdict = "dead"
)

// ProbeResult reports a change of what a probe found.
type ProbeResult struct {
	Instance string  `json:"instance"`
	Verdict  Verdict `json:"verdict"`
	// Target is the one that answered.
	Target Target `json:"target"`
	// Reason says what went wrong, for people.
	Reason string `json:"reason,omitempty"`
}

// Counters is what a worker has counted since it began. For many apps it comes
// in several parts, numbered from 0: each holds some of the apps.
type Counters struct {
	Part int `json:"part"`
	// Connections are the open client connections.
	Connections int `json:"connections"`
	// MovedIn and MovedOut are the connections that were taken over from an
	// older worker, and given to a newer one.
	MovedIn  uint64        `json:"moved_in,omitempty"`
	MovedOut uint64        `json:"moved_out,omitempty"`
	Apps     []AppCounters `json:"apps"`
}

// AppCounters are the counters of one app.
type AppCounters struct {
	Name        string `json:"name"`
	Connections int    `json:"connections"`
	Requests    uint64 `json:"requests"`
	// Status counts final answers by class: 1xx to 5xx at 0 to 4.
	Status [5]uint64 `json:"status"`
	// Errors are answers that the proxy made itself (502, 503, 504).
	Errors  uint64 `json:"errors"`
	Retries uint64 `json:"retries"`
	Held    uint64 `json:"held"`
	Holding int    `json:"holding"`
	// Upgraded and Streams are the open tunnels: after an Upgrade, and of an
	// app with `proxy: tcp`.
	Upgraded int    `json:"upgraded,omitempty"`
	Streams  int    `json:"streams,omitempty"`
	BytesIn  uint64 `json:"bytes_in"`
	BytesOut uint64 `json:"bytes_out"`
	// LatencyBuckets counts requests by time to the answer's header, in
	// LatencyBounds.
	LatencyBuckets []uint64           `json:"latency_buckets,omitempty"`
	Instances      []InstanceCounters `json:"instances,omitempty"`
}

// LatencyBounds are the upper bounds of the buckets of
// AppCounters.LatencyBuckets; one more bucket takes all that is above.
var LatencyBounds = [...]time.Duration{
	time.Millisecond, 2500 * time.Microsecond, 5 * time.Millisecond,
	10 * time.Millisecond, 25 * time.Millisecond, 50 * time.Millisecond,
	100 * time.Millisecond, 250 * time.Millisecond, 500 * time.Millisecond,
	time.Second, 2500 * time.Millisecond, 5 * time.Second, 10 * time.Second,
}

// InstanceCounters are the counters of one instance, of the same meaning as
// those of an app. A request that was tried on two instances counts for both.
type InstanceCounters struct {
	ID             string    `json:"id"`
	InFlight       int       `json:"in_flight"`
	Requests       uint64    `json:"requests"`
	Status         [5]uint64 `json:"status"`
	Retries        uint64    `json:"retries"`
	BytesIn        uint64    `json:"bytes_in"`
	BytesOut       uint64    `json:"bytes_out"`
	LatencyBuckets []uint64  `json:"latency_buckets,omitempty"`
}
