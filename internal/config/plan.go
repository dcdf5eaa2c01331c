package config

import (
	"reflect"
	"time"
)

// FileName is the name of the configuration file in the configuration
// directory.
const FileName = "gracevisor.yaml"

// A Plan is a checked configuration with every default filled in and every
// relative path made absolute. It is immutable: whoever holds one may read it
// from any goroutine, and nobody writes to it. It can be written as JSON and
// read back without loss.
type Plan struct {
	// File is the absolute path of the gracevisor.yaml it was made from.
	File string
	// Ports is the range that internal ports are taken from.
	Ports PortRange
	// RPC is the address of the TCP control door.
	RPC RPC
	// Log is where the daemon's own log goes.
	Log LogFile
	// ParallelRestarts is how many apps may be starting at the same time.
	ParallelRestarts int
	// ShutdownTimeout bounds draining and stopping when the daemon stops.
	ShutdownTimeout time.Duration
	// ReadyTimeout is how long apps that have neither become ready nor failed
	// hold up the news that the daemon is ready.
	ReadyTimeout time.Duration
	// MaxConnections bounds the client connections of all apps together;
	// 0 means no bound but the worker's file descriptors.
	MaxConnections int
	// MaxWorkers bounds the proxy workers that live at once, with those that
	// drain.
	MaxWorkers int
	// WorkerDrainTimeout bounds the draining of a worker; 0 means no bound.
	WorkerDrainTimeout time.Duration
	// Apps are the apps of gracevisor.yaml, then those of the included files,
	// in the order in which they stand there.
	Apps []*App
	// Warnings are doubtful points of a configuration that is valid, sorted
	// by place.
	Warnings Faults
}

// App returns the app called name, or nil.
func (p *Plan) App(name string) *App {
	for _, a := range p.Apps {
		if a.Name == name {
			return a
		}
	}
	return nil
}

// Reserved reports whether port is one that the daemon or an app listens on, so
// that no instance may be given it, whatever the host.
func (p *Plan) Reserved(port int) bool {
	if port == 0 {
		return false
	}
	if port == p.RPC.Port {
		return true
	}
	for _, a := range p.Apps {
		if port == a.External.Port {
			return true
		}
	}
	return false
}

// PortRange is a range of TCP ports, both ends included.
type PortRange struct{ From, To int }

// RPC is the address of the TCP control door. Port 0 means that there is none;
// an empty Host stands for all addresses.
type RPC struct {
	Host           string
	Port           int
	AllowPlaintext bool
}

// Address is the address as one that can be compared with others.
func (r RPC) Address() Address { return Address{r.Host, r.Port} }

// LogFile is a log file and how it is rotated.
type LogFile struct {
	// Path is absolute.
	Path string
	Rotation
}

// Rotation says when a log file is rotated and how long rotated files stay.
type Rotation struct {
	// MaxSize in megabytes.
	MaxSize int
	// MaxKept is the number of rotated files kept; 0 keeps all.
	MaxKept int
	// MaxAge in days, of the file that is written to and of rotated ones;
	// 0 means no limit.
	MaxAge int
}

// ProxyMode is what the proxy understands of an app's traffic.
type ProxyMode string

// The values of the key proxy.
const (
	ProxyHTTP ProxyMode = "http"
	ProxyTCP  ProxyMode = "tcp"
)

// Readiness is how an instance is found to be ready.
type Readiness string

// The values of the key ready.
const (
	// ReadyProbe: the health check succeeds, or, without one, the instance
	// accepts a connection.
	ReadyProbe Readiness = "probe"
	// ReadyNotify: the instance says so, with READY=1 of sd_notify(3).
	ReadyNotify Readiness = "notify"
)

// An App is one app of a Plan. In all durations 0 means none (no bound).
type App struct {
	Name string
	// Command holds the words of the command; {port} and {socket} are still
	// in it. The first word is absolute, or has no slash and is looked for
	// in PATH.
	Command []string
	// Environment holds NAME=value pairs; {port} and {socket} are still in
	// the values.
	Environment []string
	// Directory is the absolute working directory.
	Directory string
	// InternalHost is the host on which an instance is reached.
	InternalHost string
	// External is the address that the proxy listens on; its zero value if
	// it is a Unix socket, with the absolute path ExternalSocket.
	External       Address
	ExternalSocket string
	Proxy          ProxyMode

	Ready Readiness
	// Watchdog is the longest silence of an instance between two WATCHDOG=1
	// of sd_notify(3). It is 0 unless Ready is ReadyNotify.
	Watchdog    time.Duration
	Healthcheck Healthcheck

	// StopSignal is the number of the signal that asks an instance to stop.
	StopSignal  int
	MaxRetries  int
	MaxDraining int
	// FailedRetryInterval is how often an app that failed and of which
	// nothing serves is started anew.
	FailedRetryInterval time.Duration
	StartTimeout        time.Duration
	StopTimeout         time.Duration
	DrainTimeout        time.Duration

	// User runs the app; empty means the daemon's own user.
	User  string
	Umask int

	Limits Limits

	// Journal says that stdout and stderr go to systemd's journal besides
	// their files.
	Journal bool
	// Stdout and Stderr may be the same path.
	Stdout, Stderr LogFile

	Traffic Traffic
}

// UsesSocket reports whether instances listen on a Unix socket ({socket})
// instead of a TCP port.
func (a *App) UsesSocket() bool { return containsPlaceholder(a, socketPlaceholder) }

// Equal reports whether two apps are the same in everything, so that an update
// has nothing to do. It holds across JSON.
func (a *App) Equal(b *App) bool { return reflect.DeepEqual(a, b) }

// Address is an external address that the proxy listens on. An empty Host
// stands for all addresses of the machine.
type Address struct {
	Host string
	Port int
}

// Healthcheck describes the running checks of an app. An empty Path means
// that there are none.
type Healthcheck struct {
	Path     string
	Interval time.Duration
	Timeout  time.Duration
	// Retries is the number of failures in a row that make an instance sick.
	Retries int
}

// Limits are those of each instance's cgroup. In all of them 0 means none: what
// the kernel, or a cgroup above, sets.
type Limits struct {
	// MemoryMax and MemoryHigh are in bytes.
	MemoryMax, MemoryHigh int64
	// CPUMax is in thousandths of a CPU: 1500 is one CPU and a half.
	CPUMax  int
	PIDsMax int
	// IOWeight is a share, 1 to 10000; the kernel's default is 100.
	IOWeight int
}

// Traffic is what the proxy is told of an app: its limits and habits. The
// reference of the keys in the README gives meaning, unit and default of each.
type Traffic struct {
	HoldTimeout time.Duration
	HoldMax     int

	HeaderTimeout  time.Duration
	IdleTimeout    time.Duration
	ConnectTimeout time.Duration
	AnswerTimeout  time.Duration
	BodyTimeout    time.Duration

	MaxHeaderBytes       int
	MaxHeaders           int
	MaxBodyBytes         int64
	MaxAnswerHeaderBytes int
	MaxAnswerHeaders     int
	MaxConnections       int

	// TrustedProxies holds networks in CIDR notation.
	TrustedProxies []string
	Via            bool
	// Upgrades are the lower-case tokens of Upgrade that are passed on.
	Upgrades []string

	// AccessLog is empty (off), "json" or "combined".
	AccessLog string
	// AccessLogFile is set whether or not there is an access log.
	AccessLogFile LogFile
}
