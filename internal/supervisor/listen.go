package supervisor

import (
	"fmt"
	"time"

	"gracevisor/internal/activation"
	"gracevisor/internal/config"
)

// socket is a listening socket and the app that it leads to.
type socket struct {
	*activation.Listener
	// owner is the app whose clients arrive on it. Two apps may refer to a
	// socket while an update moves its address from one to the other.
	owner *app
}

func (s *Supervisor) closeSockets() {
	for name, sock := range s.sockets {
		if err := sock.Close(); err != nil {
			s.log.Warn("cannot close listener", "address", name, "error", err)
		}
	}
	clear(s.sockets)
}

// binding is an order to bind the addresses of a configuration of an app.
type binding struct {
	app  *app
	plan *config.App
}

// listen has the addresses of an app bound.
func (s *Supervisor) listen(a *app, plan *config.App) {
	a.listenRetry.stop()
	a.listenRetry = nil
	held := make([]*activation.Listener, 0, len(s.sockets))
	for _, sock := range s.sockets {
		held = append(held, sock.Listener)
	}
	b := &binding{app: a, plan: plan}
	a.binding = b
	go func() { // ends with the look-up of the name, which s.ctx bounds
		want := activation.Want{App: a.name, Host: plan.External.Host, Port: plan.External.Port}
		s.post(listening{b, s.system.Listen(s.ctx, want, held)})
	}()
}

// listenRetryInterval is how often addresses that could not be bound are tried.
const listenRetryInterval = 2 * time.Second

// bound takes the listeners of an app. Those that are the app's no more go when
// nothing refers to them.
func (s *Supervisor) bound(b *binding, set activation.Set) {
	a := b.app
	current := a.binding == b && s.apps[a.name] == a
	for _, l := range set.Listeners {
		held := s.sockets[l.Name()]
		switch {
		case held == nil && current:
			s.sockets[l.Name()] = &socket{Listener: l, owner: a}
		case held == nil, held.Listener != l:
			l.Close() // nobody wants it, or another app was faster
		case current:
			held.owner = a
		}
	}
	if !current {
		return
	}
	a.binding = nil
	if len(set.Listeners) > 0 {
		a.sockets = set.Names() // else it stays reachable where it was
	}
	s.collectSockets()
	s.noteListenError(a, set.Err)
	s.stale = true
}

func (s *Supervisor) noteListenError(a *app, err error) {
	if err != nil {
		if a.listenErr == nil || a.listenErr.Error() != err.Error() {
			s.log.Error("cannot listen for app; trying on", "app", a.name, "error", err)
		}
		a.listenRetry = s.startClock(listenRetryInterval, func(c *clock) message { return listenTimer{a, c} })
	} else if a.listenErr != nil {
		s.log.Info("listening for app at last", "app", a.name, "addresses", fmt.Sprint(a.sockets))
	}
	a.listenErr = err
}

// collectSockets closes the listeners that no app refers to. The workers close
// theirs when the next table does not name them.
func (s *Supervisor) collectSockets() {
	wanted := make(map[string]bool)
	for _, a := range s.apps {
		for _, name := range a.sockets {
			wanted[name] = true
		}
		if a.binding != nil {
			return // it may have been given any of them
		}
	}
	for name, sock := range s.sockets {
		if !wanted[name] {
			sock.Close()
			delete(s.sockets, name)
			s.stale = true
		}
	}
}
