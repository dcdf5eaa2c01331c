package survival

import (
	"context"
	"maps"
	"testing"

	"gracevisor/internal/control"
	"gracevisor/test/harness"
	"gracevisor/test/load"
	"gracevisor/test/siege"
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
	flowing   harness.App // if it has one for flows
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

// target is what is besieged.
func (s *scene) target() siege.Target {
	return siege.Target{Web: s.web.Address(), Line: s.line.Address()}
}

// quiet is the load of connections that are idle until the end.
func (s *scene) quiet() load.Options { return s.target().Quiet() }

// steady is the load whose connections must outlive everything.
func (s *scene) steady() []load.Options { return s.target().Steady() }

// passing is that of WebSockets and TCP connections that end now and then.
func (s *scene) passing() []load.Options { return s.target().Passing() }

// under does something under load, records what was counted, and returns it.
// The load begins before and goes on after it.
func (s *scene) under(event string, all []load.Options, do func()) *load.Report {
	s.t.Helper()
	return s.besiege(event, append([]load.Options{s.quiet()}, all...), func(under *siege.Siege) {
		do()
		s.await(under, 2)
	})
}

// besiege does something with the loads at work.
func (s *scene) besiege(event string, all []load.Options, do func(*siege.Siege)) *load.Report {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), harness.DeadMan)
	defer cancel()
	under, err := siege.Begin(ctx, all...)
	if err != nil {
		s.t.Fatal(err)
	}
	defer under.End() // also after a failure
	do(under)
	report := under.End()
	if err := siege.Record(event, report); err != nil {
		s.t.Error(err)
	}
	s.t.Logf("%s:\n%v", event, report)
	return report
}

// await waits until each client has made n requests more.
func (s *scene) await(under *siege.Siege, n int) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), harness.DeadMan)
	defer cancel()
	if err := under.Await(ctx, n); err != nil {
		s.t.Fatal(err)
	}
}

// unharmed fails the test if anything in a report has failed.
func (s *scene) unharmed(report *load.Report) {
	s.t.Helper()
	if err := siege.Unharmed(report); err != nil {
		s.t.Error(err)
	}
}

// unbroken fails the test if anything of a steady load has failed, or if one of
// its connections had to be made anew.
func (s *scene) unbroken(report *load.Report) {
	s.t.Helper()
	if err := siege.Unbroken(report); err != nil {
		s.t.Error(err)
	}
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
