package survival

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"gracevisor/internal/control"
	"gracevisor/test/harness"
	"gracevisor/test/load"
)

// The apps of a scene.
const (
	web  = "web"
	line = "line"
)

// scene is a daemon with two apps, one of HTTP and one of TCP, and what its
// tests need.
type scene struct {
	*harness.Box
	t         *testing.T
	service   *harness.Service // nil: the daemon runs in the foreground
	web, line harness.App
}

// foreground makes a scene whose daemon runs without a service manager.
func foreground(t *testing.T, flags ...string) *scene {
	t.Helper()
	s := prepare(t, flags...)
	s.begin()
	return s
}

// served makes a scene whose daemon has a service manager.
func served(t *testing.T, flags ...string) *scene {
	t.Helper()
	s := prepare(t, flags...)
	s.service = s.Serve()
	s.begin()
	return s
}

// prepare makes a scene whose daemon is yet to be started. The flags are for
// the web app.
func prepare(t *testing.T, flags ...string) *scene {
	t.Helper()
	s := &scene{Box: harness.New(t), t: t}
	s.web = s.App(web, flags...).With("healthcheck", "/health").With("idle_timeout", 600).With("header_timeout", 600)
	s.line = s.TCPApp(line)
	s.Configure(s.web, s.line)
	return s
}

func (s *scene) begin() {
	s.t.Helper()
	s.Start()
	s.AwaitServing(web, line)
}

// quiet is the load of connections that are idle until the end: half of them
// have made a request before.
func (s *scene) quiet() load.Options {
	n := times(100, 1000)
	clients := map[load.Kind]int{load.Idle: n / 2, load.IdleKept: n / 2}
	return load.Options{Address: s.web.Address(), Clients: clients, MaxTime: maxTime}
}

// lasting is how many connections of each lasting kind a load has.
const lasting = 2

// steady is the load whose connections must outlive everything.
func (s *scene) steady() []load.Options {
	http := map[load.Kind]int{
		load.Get: 2, load.Post: 1, load.PostChunked: 1, load.Slow: 1, load.Stream: 1, load.Events: 1,
		load.Upload: 1, load.WebSocket: lasting,
	}
	tcp := map[load.Kind]int{load.TCP: lasting}
	return []load.Options{
		{Address: s.web.Address(), Clients: http, Pause: pauseOfClients, MaxTime: maxTime},
		{Address: s.line.Address(), Clients: tcp, Pause: pauseOfClients, MaxTime: maxTime},
	}
}

// passing is the same load with WebSockets and TCP connections that end now and
// then: an instance that is replaced stays until the last of them has.
func (s *scene) passing() []load.Options {
	all := s.steady()
	for i := range all {
		all[i].PerConnection = 20
	}
	return all
}

// pauseOfClients leaves some time of the processors to what is tested.
const pauseOfClients = 2 * time.Millisecond

// maxTime bounds a load.
const maxTime = 20 * time.Minute

// under does something under load, records what was counted, and returns it.
// The load begins before and goes on after it; the idle connections are there
// first, so that their coming is not in the pauses of the others.
func (s *scene) under(event string, all []load.Options, do func()) *load.Report {
	s.t.Helper()
	var loads []*load.Load
	for _, options := range append([]load.Options{s.quiet()}, all...) {
		loads = append(loads, s.load(options))
	}
	defer func() { // also after a failure
		for _, l := range loads {
			l.Stop()
		}
	}()
	s.await(loads, 1)
	do()
	s.await(loads, 2)
	sum := &load.Report{Kinds: make(map[load.Kind]load.KindReport)}
	for i := len(loads) - 1; i >= 0; i-- { // the idle ones last
		maps.Copy(sum.Kinds, loads[i].Stop().Kinds)
	}
	results.add(event, sum)
	s.t.Logf("%s:\n%v", event, sum)
	return sum
}

// load begins a load, and waits until its clients are connected.
func (s *scene) load(options load.Options) *load.Load {
	s.t.Helper()
	l, err := load.Start(options)
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(s.t.Context(), harness.DeadMan)
	defer cancel()
	if err := l.AwaitConnected(ctx); err != nil {
		l.Stop()
		s.t.Fatal(err)
	}
	return l
}

// await waits until each client has made n requests more.
func (s *scene) await(loads []*load.Load, n int) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), harness.DeadMan)
	defer cancel()
	for _, l := range loads {
		if err := l.Await(ctx, n); err != nil {
			s.t.Fatalf("%v\n%v", err, l.Report())
		}
	}
}

// unharmed fails the test if anything in a report has failed.
func (s *scene) unharmed(report *load.Report) {
	s.t.Helper()
	if report.Failures() > 0 || report.Requests() == 0 {
		s.t.Errorf("%d of %d requests failed", report.Failures(), report.Requests())
	}
}

// unbroken fails the test if anything of a steady load has failed, or if one of
// its connections had to be made anew.
func (s *scene) unbroken(report *load.Report) {
	s.t.Helper()
	s.unharmed(report)
	for _, kind := range []load.Kind{load.WebSocket, load.TCP} {
		if n := report.Kinds[kind].Connections; n != lasting {
			s.t.Errorf("%s: %d clients have needed %d connections", kind, lasting, n)
		}
	}
}

// holdings is what there must be as much of after an event as before.
type holdings struct {
	fds       int
	processes []string
	stored    []string
	workers   int
	instances []string
}

// holds tells what is there.
func (s *scene) holds(pid int) holdings {
	s.t.Helper()
	usage, err := harness.UsageOf(pid)
	if err != nil {
		s.t.Fatal(err)
	}
	h := holdings{fds: usage.FDs}
	for _, p := range s.Processes() {
		h.processes = append(h.processes, p.Name+" "+string(p.State&^('S'^'R')))
	}
	slices.Sort(h.processes)
	status := s.Status()
	h.workers = len(status.Workers)
	for _, a := range status.Apps {
		h.instances = append(h.instances, a.Name+" "+a.State+strings.Repeat(" instance", len(a.Instances)))
	}
	if s.service != nil {
		h.stored = kinds(s.service.Names())
	}
	return h
}

// kinds are names without the numbers in them, which grow.
func kinds(names []string) []string {
	var all []string
	for _, name := range names {
		all = append(all, strings.Map(func(r rune) rune {
			if r >= '0' && r <= '9' {
				return -1
			}
			return r
		}, name))
	}
	slices.Sort(all)
	return all
}

// asBefore waits until everything is as it was.
func (s *scene) asBefore(before holdings) {
	s.t.Helper()
	var now holdings
	defer func() {
		if s.t.Failed() {
			s.t.Logf("before: %+v\nnow:    %+v", before, now)
		}
	}()
	s.Await("everything to be as it was", func() bool {
		now = s.holds(s.Status().PID)
		return now.fds <= before.fds && slices.Equal(now.processes, before.processes) &&
			slices.Equal(now.stored, before.stored) && now.workers == before.workers &&
			slices.Equal(now.instances, before.instances)
	})
}

// pids are the processes of the active instances, by app.
func (s *scene) pids() map[string]int {
	s.t.Helper()
	pids := make(map[string]int)
	for _, a := range s.Status().Apps {
		pids[a.Name] = harness.Active(a).PID
	}
	return pids
}

// samePIDs fails the test if an app has other processes than before.
func (s *scene) samePIDs(before map[string]int) {
	s.t.Helper()
	if now := s.pids(); !maps.Equal(now, before) {
		s.t.Errorf("the apps' processes were %v and are %v", before, now)
	}
}

// awaitSettled waits until each app has one instance, which serves, and there is
// one worker.
func (s *scene) awaitSettled() {
	s.t.Helper()
	for _, name := range []string{web, line} {
		s.AwaitApp(name, "settle", func(a control.AppStatus) bool {
			return a.State == "serving" && len(a.Instances) == 1 && a.Instances[0].Active
		})
	}
	s.Await("one worker", func() bool { return len(s.Status().Workers) == 1 })
}
