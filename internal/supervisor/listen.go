package supervisor

import (
	"fmt"
	"slices"
	"strings"
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

// binding is an order to bind the external address of an app.
type binding struct {
	app      *app
	external config.Address
	path     string
	// held are the listeners that were there when it was given.
	held []*activation.Listener
}

// listen has the addresses of an app bound. One order is under way at a time:
// two for the same address would be in each other's way.
func (s *Supervisor) listen(a *app) {
	a.listenRetry.stop()
	a.listenRetry = nil
	if a.binding != nil {
		return // if it is for another address, the next is given when it is done
	}
	held := make([]*activation.Listener, 0, len(s.sockets))
	for _, sock := range s.sockets {
		held = append(held, sock.Listener)
	}
	b := &binding{app: a, external: a.plan.External, path: a.plan.ExternalSocket, held: held}
	a.binding = b
	go func() { // ends with the look-up of the name, which s.ctx bounds
		want := activation.Want{App: a.name, Host: b.external.Host, Port: b.external.Port, Path: b.path}
		s.post(listening{b, s.system.Listen(s.ctx, want, held)})
	}()
}

// listenRetryInterval is how often addresses that could not be bound are tried.
const listenRetryInterval = 2 * time.Second

// bound takes the listeners of an app. Those that are the app's no more go when
// nothing refers to them.
func (s *Supervisor) bound(b *binding, set activation.Set) {
	a := b.app
	alive := s.apps[a.name] == a && a.desired != removed
	current := alive && a.plan.External == b.external && a.plan.ExternalSocket == b.path
	for _, l := range set.Listeners {
		held := s.sockets[l.Name()]
		switch {
		case held == nil && current:
			s.sockets[l.Name()] = &socket{Listener: l, owner: a}
		case slices.Contains(b.held, l) && !current:
		case held == nil, held.Listener != l:
			l.Close() // nobody wants it, or another app was faster
		case current:
			s.own(held, a)
		}
	}
	a.binding = nil
	if !current {
		if alive {
			s.listen(a)
		} else {
			s.collectSockets()
		}
		s.lookedFor(a)
		return
	}
	if len(set.Listeners) > 0 && !(set.Unresolved && len(a.sockets) > 0) {
		a.sockets = set.Names() // else it stays reachable where it was
		s.changed(a)
	}
	s.collectSockets()
	s.noteListenError(a, set.Err)
	s.stale = true
	s.lookedFor(a)
}

func (s *Supervisor) noteListenError(a *app, err error) {
	if err != nil {
		if a.listenErr == nil || a.listenErr.Error() != err.Error() {
			s.log.Error("cannot listen for app; trying on", "app", a.name, "error", oneLine(err))
		}
		a.listenRetry = s.startClock(listenRetryInterval, func(c *clock) message { return listenTimer{a, c} })
	} else if a.listenErr != nil {
		s.log.Info("listening for app at last", "app", a.name, "addresses", fmt.Sprint(a.sockets))
	}
	a.listenErr, a.news = err, true
}

// collectSockets closes the listeners that no app refers to, and that none is
// about to take over. The workers close theirs when the next table does not
// name them.
func (s *Supervisor) collectSockets() {
	wanted := make(map[string]bool)
	ports := make(map[int]bool)
	for _, a := range s.apps {
		if a.attempt != nil {
			ports[a.attempt.plan.External.Port] = true
		}
		for _, name := range a.sockets {
			wanted[name] = true
		}
		if a.binding != nil {
			return // it may have been given any of them
		}
	}
	for name, sock := range s.sockets {
		if !wanted[name] && (sock.Path != "" || !ports[int(sock.Address.Port())]) {
			sock.Close()
			delete(s.sockets, name)
			s.stale = true
		}
	}
}

// leaveAddress has a removed app, which may still have requests, give up its
// listeners once no worker accepts for it: whoever connects is refused, as at an
// address that nobody has.
func (s *Supervisor) leaveAddress(a *app) {
	if a.desired != removed || s.apps[a.name] != a {
		return
	}
	a.listenRetry.stop()
	a.sockets = nil
	s.changed(a)
	s.collectSockets()
}

// oneLine is an error that was joined of several as one line.
func oneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }
