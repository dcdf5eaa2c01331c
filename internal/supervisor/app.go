package supervisor

import (
	"encoding/json"
	"os"
	"time"

	"gracevisor/internal/config"
	"gracevisor/internal/control"
	"gracevisor/internal/supervisor/lifecycle"
	"gracevisor/internal/wire"
)

// desired is what an operator wants of an app.
type desired int

const (
	running desired = iota
	stopped
	// removed: stopped, and to be forgotten when nothing of it is left.
	removed
)

// app is an app and all that there is of it.
type app struct {
	name string
	// plan is the configuration in force: that of the instance which serves,
	// or, while none does, the newest.
	plan    *config.App
	desired desired
	// failed: its tries are used up and nothing of it serves.
	failed bool
	// crashes counts instances in a row that ended or fell sick too soon
	// after they had begun to serve.
	crashes int
	// restarts counts replacements that no operator asked for.
	restarts  uint64
	lastError string
	// lastOutput belongs to lastError.
	lastOutput []string
	// since is when its state was entered, sinceBoot the same time after boot.
	since     time.Time
	sinceBoot time.Duration
	// news: it has changed since that was last told.
	news bool

	lastNumber uint64
	// instances are all that are not gone, the oldest first.
	instances []*instance
	// attempt is the one under way, or nil.
	attempt *attempt
	// retry runs while the app waits to be tried again.
	retry *clock

	// sockets are the names of the listeners its clients arrive on.
	sockets     []string
	listenErr   error
	listenRetry *clock
	// binding is the newest order to bind its addresses, until that is done.
	binding *binding

	// accessLog is the write end of the pipe for its access log.
	accessLog *os.File
	// accessLogFor is the configuration that accessLog was opened for.
	accessLogFor config.LogFile

	// past is what workers that have gone have counted, or nil.
	past *wire.AppCounters

	// encoded is the app as it was saved, or nil if it has changed.
	encoded json.RawMessage

	// leaving are jobs that wait until instances have gone.
	leaving []*job
}

// addApp begins to look after an app and starts it.
func (s *Supervisor) addApp(plan *config.App, reason string, j *job) {
	a := &app{name: plan.Name, plan: plan, lastNumber: s.lastNumbers[plan.Name]}
	a.touch()
	s.apps[a.name] = a
	s.order = append(s.order, a.name)
	s.listen(a)
	s.openAccessLog(a)
	s.startAttempt(a, plan, reason, j)
	s.stale = true
	status := s.appStatus(a, nil)
	status.Counters = nil
	s.tell(control.Notice{Kind: control.NoticeAppNew, App: a.name, State: &status})
}

// serving is the instance that takes the app's requests, or nil. While a switch
// is under way it is the new one.
func (a *app) serving() *instance {
	for n := len(a.instances) - 1; n >= 0; n-- {
		if a.instances[n].state.Routed() {
			return a.instances[n]
		}
	}
	return nil
}

// inState returns the instances in a state, the oldest first.
func (a *app) inState(state lifecycle.State) (found []*instance) {
	for _, i := range a.instances {
		if i.state == state {
			found = append(found, i)
		}
	}
	return found
}

// state is the app's in one word, for status.
func (a *app) state() string {
	serving := a.serving() != nil
	switch {
	case a.desired == running && a.attempt != nil && serving:
		return "restarting"
	case a.desired == running && serving:
		return "serving"
	case a.desired == running && a.failed:
		return "failed"
	case a.desired == running:
		return "starting"
	case len(a.instances) > 0:
		return "stopping"
	}
	return "stopped"
}

// stopApp takes the app out of service for good: what it is starting is
// cancelled, what serves is retired.
func (s *Supervisor) stopApp(a *app, want desired, why string) {
	a.desired = want
	a.failed = false
	a.crashes = 0
	a.retry.stop()
	a.retry = nil
	s.cancelAttempt(a, control.ResultCanceled, why)
	s.failLeaving(a, control.ResultSuperseded, why)
	for _, i := range a.instances {
		if !i.state.Ended() {
			s.step(i, lifecycle.Retire)
		}
	}
	a.touch()
	s.stale = true
}

// touch notes that the app's state changed.
func (a *app) touch() {
	a.since, a.sinceBoot = time.Now(), sinceBoot()
	a.encoded, a.news = nil, true
}

// fail notes that the tries of an app are used up. It is tried again some time
// later if nothing of it serves well.
func (s *Supervisor) fail(a *app) {
	serving := a.serving()
	a.failed = serving == nil
	a.touch()
	s.stale = true
	if serving != nil && serving.state == lifecycle.Serving {
		return // the old one is well: it simply goes on
	}
	interval := a.plan.FailedRetryInterval
	s.log.Error("app failed", "app", a.name, "error", a.lastError, "next_try_in", interval.String())
	if interval > 0 {
		a.retry.stop()
		a.retry = s.startClock(interval, func(c *clock) message { return retryTimer{a, c} })
	}
}

// retryFailed tries an app again some time after it failed.
func (s *Supervisor) retryFailed(a *app) {
	a.retry = nil
	serving := a.serving()
	if a.desired != running || a.attempt != nil || (serving != nil && serving.state == lifecycle.Serving) {
		return
	}
	a.crashes = 0
	s.startAttempt(a, a.plan, "retry after failure", nil)
}

// forgetIfRemoved drops an app that is not wanted any more once nothing is left
// of it.
func (s *Supervisor) forgetIfRemoved(a *app) {
	if a.desired != removed || len(a.instances) > 0 || s.apps[a.name] != a {
		return
	}
	delete(s.apps, a.name)
	s.lastNumbers[a.name] = a.lastNumber
	for n, name := range s.order {
		if name == a.name {
			s.order = append(s.order[:n:n], s.order[n+1:]...)
			break
		}
	}
	a.listenRetry.stop()
	s.closeAccessLog(a)
	s.system.ForgetOutput(a.name)
	s.collectSockets()
	s.stale = true
	s.tell(control.Notice{Kind: control.NoticeAppRemoved, App: a.name})
	s.log.Info("app removed", "app", a.name)
}

// adoptPlan puts a configuration into force once an instance of it serves, or
// when nothing serves.
func (s *Supervisor) adoptPlan(a *app, plan *config.App) {
	if a.plan == plan {
		return
	}
	moved := a.plan.External != plan.External || a.plan.ExternalSocket != plan.ExternalSocket
	a.plan = plan
	s.changed(a)
	s.stale = true
	s.openAccessLog(a)
	if moved {
		s.listen(a)
	}
}
