package supervisor

import (
	"fmt"
	"time"

	"gracevisor/internal/activation"
	"gracevisor/internal/config"
	"gracevisor/internal/supervisor/lifecycle"
)

// Notify is the socket on which an instance tells how it is; see
// activation.AppNotify.
type Notify interface {
	Path() string
	// Run gives what processes of p tell to deliver, until Close.
	Run(p Process, deliver func(activation.AppEvent))
	Close() error
}

// usesNotify reports whether the app says by itself when it is ready.
func usesNotify(plan *config.App) bool { return plan.Ready == config.ReadyNotify }

// notifyEnvironment is what tells an app of its socket.
func notifyEnvironment(plan *config.App, socket Notify) []string {
	if socket == nil {
		return nil
	}
	env := []string{"NOTIFY_SOCKET=" + socket.Path()}
	if plan.Watchdog > 0 {
		env = append(env, fmt.Sprintf("WATCHDOG_USEC=%d", plan.Watchdog.Microseconds()))
	}
	return env
}

// listenToApp takes what an instance tells from now on.
func (s *Supervisor) listenToApp(i *instance) {
	if i.notify == nil || i.process == nil {
		return
	}
	p, socket := i.process, i.notify
	go socket.Run(p, func(e activation.AppEvent) { s.post(instanceSaid{i, e}) }) // ends with Close
}

// said takes what an instance tells of itself.
func (s *Supervisor) said(i *instance, e activation.AppEvent) {
	if e.HasStatus {
		i.status, i.app.news = e.Status, true
	}
	if e.Watchdog > 0 {
		i.watchdogTime = e.Watchdog
	}
	if e.Ready && !i.saidReady {
		i.saidReady = true
		s.changed(i.app)
		s.feedWatchdog(i)
		if i.state == lifecycle.Probing {
			s.beginProbe(i)
		}
	}
	switch {
	case e.Hung:
		s.watchdogBarked(i, "asked to be replaced (WATCHDOG=trigger)")
	case e.Alive:
		s.feedWatchdog(i)
	}
}

// feedWatchdog begins to wait for the next sign of life.
func (s *Supervisor) feedWatchdog(i *instance) {
	limit := i.watchdogTime
	if limit == 0 {
		limit = i.plan.Watchdog
	}
	i.watchdog.stop()
	i.watchdog = nil
	if limit > 0 && i.saidReady && !i.state.Ended() {
		i.watchdog = s.startClock(limit, func(c *clock) message { return watchdogTimer{i, c, limit} })
	}
}

// watchdogBarked has an instance replaced that does not say that it is alive.
// It goes on serving until then: it may only have forgotten to.
func (s *Supervisor) watchdogBarked(i *instance, why string) {
	i.note("%s", why)
	s.step(i, lifecycle.Failed)
}

// deliver implements message.
func (m watchdogTimer) deliver(s *Supervisor) {
	if m.instance.watchdog != m.clock {
		return
	}
	m.instance.watchdog = nil
	switch m.instance.state {
	case lifecycle.Serving:
		s.watchdogBarked(m.instance, fmt.Sprintf("sent no WATCHDOG=1 within %s", m.limit.Round(time.Millisecond)))
	case lifecycle.Probing, lifecycle.Switching:
		s.feedWatchdog(m.instance) // it is looked at when it serves
	}
}
