package proxy

import (
	"errors"
	"fmt"

	"gracevisor/internal/wire"
)

// Apply puts a table into force. When it returns, no request begins on an
// instance that t does not name as RoleServing, none of such an instance's idle
// connections is used again, and listeners that no app of t names are closed.
// An error tells what of t could not be used; the rest is in force.
//
// An instance's address is the one that it was first named with.
func (p *Proxy) Apply(t *wire.Table) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed() {
		return errClosed
	}
	p.gate.limit(atMost(t.MaxConnections, p.room))
	serving := make(map[string]*instance)
	faults := p.reroute(t, serving)
	p.retire(t, serving)
	faults = append(faults, p.listen(t))
	p.dropPipes()
	return errors.Join(faults...)
}

// reroute gives every app its new route, and those that t does not name none. It
// collects the instances that serve.
func (p *Proxy) reroute(t *wire.Table, serving map[string]*instance) (faults []error) {
	apps := make(map[string]*app, len(t.Apps))
	shortest := 8 * maxSweep
	for i := range t.Apps {
		w := &t.Apps[i]
		a := p.apps[w.Name]
		if a == nil {
			a = newApp(w.Name)
		}
		apps[w.Name] = a
		instances, err := p.enroll(w, serving)
		r, routeErr := newRoute(w, instances)
		faults = append(faults, err, routeErr)
		a.access.Store(p.accessLog[w.Name])
		a.gate.limit(w.Traffic.MaxConnections)
		a.take(r)
		if d := r.shortest(); d > 0 {
			shortest = min(shortest, d)
		}
	}
	for name, a := range p.apps {
		if apps[name] == nil {
			a.take(noRoute)
		}
	}
	p.apps = apps
	p.sweep.adapt(shortest)
	return faults
}

// enroll finds or makes the instances of an app, and returns those that serve.
// They are revived before a route names them, and retired after none does.
func (p *Proxy) enroll(w *wire.App, serving map[string]*instance) ([]*instance, error) {
	var list []*instance
	var faults []error
	for _, wi := range w.Instances {
		in := p.instances[wi.ID]
		if in == nil {
			var err error
			if in, err = newInstance(w.Name, wi, p.sweep, p.events.Drained); err != nil {
				faults = append(faults, fmt.Errorf("use instance %s: %w", wi.ID, err))
				continue
			}
			p.instances[wi.ID] = in
		}
		if wi.Role == wire.RoleServing && w.Disposition == wire.Serving {
			in.revive()
			list = append(list, in)
		}
		if wi.Role == wire.RoleServing {
			serving[wi.ID] = in
		}
	}
	return list, errors.Join(faults...)
}

// retire ends the service of all instances that the table does not name as
// serving, and forgets those that it does not name at all once they are over.
func (p *Proxy) retire(t *wire.Table, serving map[string]*instance) {
	named := make(map[string]bool)
	for i := range t.Apps {
		for _, wi := range t.Apps[i].Instances {
			named[wi.ID] = true
		}
	}
	for id, in := range p.instances {
		if serving[id] == nil {
			if fresh := in.retire(); named[id] && !fresh {
				in.remind()
				continue
			}
			in.report()
			if !named[id] && in.over() {
				delete(p.instances, id)
			}
		}
	}
}

// listen gives each listener to its app, and closes those that have none.
func (p *Proxy) listen(t *wire.Table) error {
	named := make(map[string]bool)
	var faults []error
	for i := range t.Apps {
		w := &t.Apps[i]
		for _, name := range w.Listeners {
			named[name] = true
			l := p.listeners[name]
			switch {
			case p.leaving:
			case l == nil:
				faults = append(faults, fmt.Errorf("listen for app %q: there is no listener %q", w.Name, name))
			default:
				l.serve(p.apps[w.Name])
			}
		}
	}
	for name, l := range p.listeners {
		if !named[name] {
			delete(p.listeners, name)
			l.close()
		}
	}
	return errors.Join(faults...)
}
