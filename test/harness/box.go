package harness

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"testing"
	"time"

	"gracevisor/internal/control"
	"gracevisor/test/events"
)

// Options change what a Box is like. What is zero takes its default.
type Options struct {
	// InternalPorts is how many ports instances can have; default: 70.
	InternalPorts int
	// UID is the user that the daemon runs as, and owns its folders; default:
	// the test's own. Only root can choose another.
	UID int
}

// Box is the world of one daemon.
type Box struct {
	// Dir is the folder that holds all others, and the daemon's working
	// directory.
	Dir string
	// ConfDir, RunDir and LogDir are what their names say.
	ConfDir, RunDir, LogDir string
	// RPCPort is the port of the daemon's TCP door.
	RPCPort int

	t        testing.TB
	uid      int
	ports    *ports
	external int // the next external port that nobody has
	internal int // the first internal port
	settings map[string]any
	env      map[string]string
	events   *events.Receiver
	next     int // the first event that NextEvent has not looked at
	keeper   *keeper
	control  *control.Client
	daemon   *Daemon  // the last one started
	service  *Service // nil: the daemon runs in the foreground
	binary   string   // of the daemon; "": the one that was built
	// tolerant says that the daemon was killed: what it has left behind is no
	// fault.
	tolerant bool
}

// externalPorts is how many external ports a Box has to give.
const externalPorts = 30

// New makes a Box, and ends it with the test.
func New(t testing.TB) *Box { return NewWith(t, Options{}) }

// NewWith makes a Box with options, and ends it with the test.
func NewWith(t testing.TB, o Options) *Box {
	t.Helper()
	b := &Box{t: t, uid: o.UID, settings: make(map[string]any), env: make(map[string]string)}
	if b.uid == 0 {
		b.uid = os.Getuid()
	}
	if o.InternalPorts == 0 {
		o.InternalPorts = blockSize - externalPorts
	}
	if _, err := Binary("gracevisord"); err != nil {
		t.Fatalf("build binaries: %v", err)
	}
	t.Cleanup(b.end) // also of a Box that is only half made
	if err := b.make(o); err != nil {
		t.Fatalf("make box: %v", err)
	}
	return b
}

func (b *Box) make(o Options) error {
	var err error
	if b.keeper, err = startKeeper(); err != nil {
		return err
	}
	if b.Dir, err = makeDir("gv-"); err != nil {
		return err
	}
	if err := b.keeper.removeAtEnd(b.Dir); err != nil {
		return err
	}
	b.ConfDir, b.RunDir, b.LogDir = b.path("conf"), b.path("run"), b.path("log")
	for _, dir := range []string{b.ConfDir, b.RunDir, b.LogDir, b.path("state"), b.path("tmp")} {
		err = errors.Join(err, os.Mkdir(dir, 0o755), os.Chown(dir, b.uid, -1))
	}
	// Processes of several users write reports into this one.
	err = errors.Join(err, os.Mkdir(b.path("race"), 0o777), os.Chmod(b.path("race"), 0o777))
	if err != nil {
		return err
	}
	if b.ports, err = takePorts(externalPorts + o.InternalPorts); err != nil {
		return err
	}
	b.external, b.internal = b.ports.from, b.ports.from+externalPorts
	b.RPCPort = b.Port()
	b.control = control.NewUnixClient(filepath.Join(b.RunDir, control.SocketFile))
	b.events, err = events.Listen(b.path("events"))
	return err
}

func (b *Box) path(name string) string { return filepath.Join(b.Dir, name) }

// Port returns an external port that nobody else has.
func (b *Box) Port() int {
	if b.external == b.internal {
		b.t.Fatalf("a box has no more than %d external ports", externalPorts)
	}
	b.external++
	return b.external - 1
}

// InternalPorts returns the range that instances get their ports from, both
// ends included.
func (b *Box) InternalPorts() (from, to int) { return b.internal, b.ports.to }

// Setenv sets a variable in the environment of daemons that are started later.
func (b *Box) Setenv(name, value string) { b.env[name] = value }

// WriteFile writes a file in the Box's folder, and returns its path.
func (b *Box) WriteFile(name, text string) string {
	b.t.Helper()
	path := b.path(name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		b.t.Fatal(err)
	}
	return path
}

// Await asks again and again whether something is so, until it is. Its text
// completes "waited in vain for".
func (b *Box) Await(what string, so func() bool) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), DeadMan)
	defer cancel()
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for !so() {
		select {
		case <-again.C:
		case <-ctx.Done():
			b.t.Fatalf("waited in vain for %s", what)
		}
	}
}

// NextEvent returns the next event of a kind that an instance of the app has
// sent, after those that were returned before; an app of "" stands for all.
func (b *Box) NextEvent(kind events.Kind, app string) events.Event {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), DeadMan)
	defer cancel()
	e, next, err := b.events.Wait(ctx, b.next, func(e events.Event) bool {
		return e.Kind == kind && (app == "" || appOf(e) == app)
	})
	if err != nil {
		b.t.Fatalf("waited in vain for the event %q of app %q: %v", kind, app, err)
	}
	b.next = next
	return e
}

// Events returns all events of a kind so far. It may be called from any
// goroutine.
func (b *Box) Events(kind events.Kind) []events.Event {
	var all []events.Event
	for _, e := range b.events.All() {
		if e.Kind == kind {
			all = append(all, e)
		}
	}
	return all
}

// appOf is the app that an event is about: instances are called APP/NUMBER.
func appOf(e events.Event) string { return filepath.Dir(e.Instance) }

// Processes lists all processes that the daemon, its apps and those before
// them have started and that still are there, zombies among them.
func (b *Box) Processes() []Process {
	b.t.Helper()
	all, err := descendants(b.keeper.pid())
	if err != nil {
		b.t.Fatal(err)
	}
	return all
}

// environment is what a daemon is started with: as little as systemd gives.
func (b *Box) environment() []string {
	env := map[string]string{
		"PATH":              os.Getenv("PATH"),
		"RUNTIME_DIRECTORY": b.RunDir,
		"STATE_DIRECTORY":   b.path("state"),
		"TMPDIR":            b.path("tmp"),
		"GORACE":            b.raceOptions(),
	}
	maps.Copy(env, b.env)
	var list []string
	for name, value := range env {
		list = append(list, name+"="+value)
	}
	return list
}

// raceOptions make the race detector write its reports where the end of the
// Box looks for them, and not delay exits.
func (b *Box) raceOptions() string {
	return fmt.Sprintf("atexit_sleep_ms=0 log_path=%s", filepath.Join(b.path("race"), "report"))
}
