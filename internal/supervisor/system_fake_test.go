package supervisor

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"gracevisor/internal/activation"
	"gracevisor/internal/config"
	"gracevisor/internal/process"
	"gracevisor/internal/wire"
)

// system is the scripted System, for the time that a supervisor lives.
func (l *life) system() System {
	r := l.rig
	return System{
		Start:         l.start,
		ProbePort:     r.probePort,
		OpenOutput:    l.openOutput,
		OpenAccessLog: r.openAccessLog,
		SettleOutput:  func(string, uint64) {},
		LastLines: func(app string, n uint64, _ int) []string {
			return []string{fmt.Sprintf("last words of %s/%d", app, n)}
		},
		ForgetOutput:    r.forgetOutput,
		StartWorker:     l.startWorker,
		Listen:          l.listen,
		ResolveInternal: r.resolve,
		Save:            l.save,
		Strays:          func() []string { return nil },
	}
}

// plan is a configuration with room for many instances.
func plan(apps ...*config.App) *config.Plan {
	return &config.Plan{
		Ports:            config.PortRange{From: 10000, To: 10099},
		ParallelRestarts: 4,
		ShutdownTimeout:  time.Minute,
		Apps:             apps,
	}
}

// newApp is the configuration of an app that is reached at a port.
func newApp(name string, port int, change ...func(*config.App)) *config.App {
	a := &config.App{
		Name:                name,
		Command:             []string{name, "--port={port}"},
		InternalHost:        "127.0.0.1",
		External:            config.Address{Host: "127.0.0.1", Port: port},
		Proxy:               config.ProxyHTTP,
		StopSignal:          int(syscall.SIGTERM),
		MaxRetries:          5,
		MaxDraining:         4,
		FailedRetryInterval: time.Minute,
	}
	for _, f := range change {
		f(a)
	}
	return a
}

// checked gives an app a health check.
func checked(a *config.App) {
	a.Healthcheck = config.Healthcheck{Path: "/health", Interval: time.Second, Timeout: time.Second, Retries: 3}
}

// behave says what the next starts of an app do, one after the other.
func (r *rig) behave(app string, does ...behaviour) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.next[app] = append(r.next[app], does...)
}

// always says what all other starts of an app do.
func (r *rig) always(app string, does behaviour) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.usual[app] = does
}

func (r *rig) behaviourOf(app string) behaviour {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.random != nil {
		return r.random()
	}
	if next := r.next[app]; len(next) > 0 {
		r.next[app] = next[1:]
		return next[0]
	}
	return r.usual[app]
}

// enroll gives a process its number. No port may be in use twice.
func (r *rig) enroll(p *fakeProcess) {
	for _, other := range r.all() {
		if other.port == p.port && !other.isGone() {
			r.fault("%s is given port %d of %s", p.name, p.port, other.name)
		}
		if other.name == p.name {
			r.fault("%s is there a second time", p.name)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pids++
	p.pid = r.pids
	r.processes[p.name] = p
}

func (r *rig) all() []*fakeProcess {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Collect(maps.Values(r.processes))
}

func (r *rig) process(name string) *fakeProcess {
	r.t.Helper()
	r.mu.Lock()
	p := r.processes[name]
	r.mu.Unlock()
	if p == nil {
		r.t.Fatalf("there is no process %s:\n%s", name, r.tale())
	}
	return p
}

// living are the processes of an app of which something is left.
func (r *rig) living(app string) (names []string) {
	for _, p := range r.all() {
		if strings.HasPrefix(p.name, app+"/") && !p.isGone() {
			names = append(names, p.name)
		}
	}
	slices.Sort(names)
	return names
}

func (r *rig) healthOf(name string) health {
	r.mu.Lock()
	p := r.processes[name]
	r.mu.Unlock()
	if p == nil {
		return mute
	}
	return p.feels()
}

func (r *rig) probePort(port int) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.taken[strconv.Itoa(port)] {
		return syscall.EADDRINUSE
	}
	return nil
}

func (l *life) openOutput(*config.App, uint64) (Output, error) {
	stdout, err := os.Open(os.DevNull)
	if err != nil {
		return Output{}, err
	}
	stderr, err := os.Open(os.DevNull)
	if err != nil {
		return Output{}, err
	}
	closeOutput := l.output()
	return Output{Stdout: stdout, Stderr: stderr, Close: func() {
		closeOutput()
		for _, f := range []*os.File{stdout, stderr} {
			if f.Close() == nil {
				l.rig.fault("an output file was left open")
			}
		}
	}}, nil
}

// output counts one that is open, until it is closed.
func (l *life) output() func() {
	r := l.rig
	r.mu.Lock()
	defer r.mu.Unlock()
	l.outputs++
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		l.outputs--
	}
}

func (r *rig) openAccessLog(*config.App) (*os.File, error) {
	f, err := os.Open(os.DevNull)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.accessLogs = append(r.accessLogs, f)
	return f, err
}

func (r *rig) forgetOutput(app string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.forgotten = append(r.forgotten, app)
}

func (r *rig) resolve(_ context.Context, host string, port int) ([]wire.Target, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.lookupErr != nil {
		return nil, r.lookupErr
	}
	return []wire.Target{{Network: "tcp", Address: net.JoinHostPort(host, strconv.Itoa(port))}}, nil
}

// listen binds as the kernel does: an address is in use as long as anybody, a
// worker too, has a socket that listens on it.
func (l *life) listen(ctx context.Context, want activation.Want, held []*activation.Listener) activation.Set {
	r := l.rig
	select {
	case <-time.After(r.bindTakes()):
	case <-ctx.Done():
		return activation.Set{Err: ctx.Err()}
	}
	if l.isOver() {
		return activation.Set{Err: errOver}
	}
	host, err := r.lookUp(ctx, want.Host)
	if err != nil {
		return activation.Set{Err: err, Unresolved: true}
	}
	address := netip.AddrPortFrom(host, uint16(want.Port))
	for _, h := range append(held[:len(held):len(held)], r.takeKept(address)...) {
		if h.Address == address {
			return activation.Set{Listeners: []*activation.Listener{h}}
		}
	}
	inUse := slices.ContainsFunc(r.livingWorkers(), func(w *fakeWorker) bool { return w.holds(address.String()) })
	r.mu.Lock()
	defer r.mu.Unlock()
	inUse = inUse || r.taken[address.String()]
	for _, other := range r.sockets {
		if _, err := other.File.Stat(); err == nil && other.Address == address {
			inUse = true
		}
	}
	if inUse {
		r.journal = append(r.journal, "in use "+address.String())
		return activation.Set{Err: errors.New("in use")}
	}
	f, err := os.Open(os.DevNull)
	if err != nil {
		return activation.Set{Err: err}
	}
	bound := &activation.Listener{Address: address, File: f, Source: activation.SourceBound}
	r.sockets = append(r.sockets, bound)
	r.journal = append(r.journal, "bound "+address.String())
	return activation.Set{Listeners: []*activation.Listener{bound}}
}

// lookUp finds the address of an external host.
func (r *rig) lookUp(ctx context.Context, host string) (netip.Addr, error) {
	if address, err := netip.ParseAddr(host); err == nil {
		return address, nil
	}
	r.mu.Lock()
	silent, address := r.mute, r.hosts[host]
	r.mu.Unlock()
	if silent {
		<-ctx.Done()
		return netip.Addr{}, ctx.Err()
	}
	if address == "" {
		return netip.Addr{}, errors.New("no such host")
	}
	return netip.MustParseAddr(address), nil
}

// name gives an external host an address, or "": none. Nobody answers who is
// asked for it while silent.
func (r *rig) name(host, address string, silent bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.hosts[host], r.mute = address, silent
}

func (r *rig) bindTakes() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.binding
}

// occupy lets an address, or a port, be somebody else's, or nobody's.
func (r *rig) occupy(address string, taken bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.taken[address] = taken
}

var exitOne = process.Exit{Known: true, Code: 1}
