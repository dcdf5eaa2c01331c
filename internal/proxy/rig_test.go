package proxy

import (
	"bytes"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"gracevisor/internal/wire"
)

// deadMan ends a wait that should have ended long before.
const deadMan = 20 * time.Second

// A rig is a proxy with one app, "demo", and what tests want to know of it.
type rig struct {
	t      testing.TB
	proxy  *Proxy
	front  string // where the proxy listens
	events *recorder
	log    *logBuffer
	table  wire.Table
}

// defaultTraffic is as the supervisor sends it by default.
func defaultTraffic() wire.Traffic {
	return wire.Traffic{
		HoldTimeout: 10 * time.Second, HoldMax: 1024,
		HeaderTimeout: 10 * time.Second, IdleTimeout: 75 * time.Second,
		ConnectTimeout: 5 * time.Second, BodyTimeout: 60 * time.Second,
		MaxHeaderBytes: 32 << 10, MaxHeaders: 100,
		MaxAnswerHeaderBytes: 64 << 10, MaxAnswerHeaders: 200,
		Upgrades: []string{"websocket"},
	}
}

// newRig starts a proxy without any instance. change may alter its app.
func newRig(t testing.TB, change func(*wire.App)) *rig {
	t.Helper()
	r := &rig{t: t, events: newRecorder(), log: &logBuffer{}}
	r.proxy = New(Options{Log: slog.New(slog.NewTextHandler(r.log, nil)), Events: r.events, Generation: 1})
	t.Cleanup(r.proxy.Close)
	r.front = r.listen("main")
	app := wire.App{Name: "demo", Listeners: []string{"main"}, Mode: "http", Disposition: wire.Holding, Traffic: defaultTraffic()}
	if change != nil {
		change(&app)
	}
	r.table = wire.Table{Apps: []wire.App{app}}
	return r
}

// listen gives the proxy a listener.
func (r *rig) listen(name string) string {
	r.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		r.t.Fatal(err)
	}
	defer l.Close()
	f, err := l.(*net.TCPListener).File()
	if err != nil {
		r.t.Fatal(err)
	}
	if err := r.proxy.AddFile(name, f); err != nil {
		r.t.Fatal(err)
	}
	return l.Addr().String()
}

// app is the app in the table.
func (r *rig) app() *wire.App { return &r.table.Apps[0] }

// apply puts the table into force.
func (r *rig) apply() {
	r.t.Helper()
	r.table.Revision++
	if err := r.proxy.Apply(&r.table); err != nil {
		r.t.Fatal(err)
	}
}

// serve makes instances with these addresses serve, in the place of all others,
// which drain.
func (r *rig) serve(addresses ...string) {
	r.t.Helper()
	a := r.app()
	a.Disposition = wire.Serving
	for i := range a.Instances {
		a.Instances[i].Role = wire.RoleDraining
	}
next:
	for _, address := range addresses {
		for i := range a.Instances {
			if a.Instances[i].Address == address {
				a.Instances[i].Role = wire.RoleServing
				continue next
			}
		}
		network := "tcp"
		if strings.HasPrefix(address, "/") {
			network = "unix"
		}
		a.Instances = append(a.Instances, wire.Instance{
			ID: fmt.Sprintf("demo/%d", len(a.Instances)+1), Role: wire.RoleServing, Network: network, Address: address,
		})
	}
	r.apply()
}

// counters are those of the app.
func (r *rig) counters() wire.AppCounters {
	r.t.Helper()
	for _, a := range r.proxy.Counters().Apps {
		if a.Name == "demo" {
			return a
		}
	}
	r.t.Fatal("no counters of the app")
	return wire.AppCounters{}
}

// eventually waits until a condition holds.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(deadMan); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

// A recorder is the Events of a rig.
type recorder struct {
	drained chan string
	probed  chan wire.ProbeResult
}

func newRecorder() *recorder {
	return &recorder{make(chan string, 100), make(chan wire.ProbeResult, 100)}
}

func (r *recorder) Drained(id string)         { r.drained <- id }
func (r *recorder) Probed(p wire.ProbeResult) { r.probed <- p }

// waitDrained waits for the report of an instance.
func (r *rig) waitDrained(id string) {
	r.t.Helper()
	select {
	case got := <-r.events.drained:
		if got != id {
			r.t.Fatalf("%s drained, not %s", got, id)
		}
	case <-time.After(deadMan):
		r.t.Fatalf("%s did not drain", id)
	}
}

// notDrained fails if a report has come.
func (r *rig) notDrained() {
	r.t.Helper()
	select {
	case got := <-r.events.drained:
		r.t.Fatalf("%s drained too early, or twice", got)
	default:
	}
}

type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
