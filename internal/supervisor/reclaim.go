package supervisor

// listenersOf are the names of the listeners on which an app's clients arrive.
// It is never nil, which in a state means that they were not saved.
func (s *Supervisor) listenersOf(a *app) []string {
	names := make([]string, 0, len(a.sockets))
	for _, name := range a.sockets {
		if sock := s.sockets[name]; sock != nil && sock.owner == a {
			names = append(names, name)
		}
	}
	return names
}

// own has the clients of a socket led to an app.
func (s *Supervisor) own(sock *socket, a *app) {
	if sock.owner != a {
		s.changed(sock.owner)
		s.changed(a)
	}
	sock.owner = a
}

// reclaim gives an app of a predecessor the listeners back that it had, without
// asking anybody: its host may have no address just now, or the name server be
// slow, and neither must part it from its clients. What the predecessor did not
// save has to be looked for, and tables wait for that: one that does not name a
// listener has the workers close it.
func (s *Supervisor) reclaim(a *app, names []string, from *Inheritance) {
	s.restoring[a.name] = names == nil
	for _, l := range from.Claim(names) {
		s.sockets[l.Name()] = &socket{Listener: l, owner: a}
		a.sockets = append(a.sockets, l.Name())
	}
}

// listenAgain has the addresses of the apps of a predecessor looked for, which
// may be others by now. It comes when every app has what it had, lest one takes
// what is another's.
func (s *Supervisor) listenAgain() {
	for _, name := range s.order {
		if _, due := s.restoring[name]; due {
			s.listen(s.apps[name])
		}
	}
}

// awaitsListeners reports whether tables have to wait.
func (s *Supervisor) awaitsListeners() bool {
	for _, wait := range s.restoring {
		if wait {
			return true
		}
	}
	return false
}

// lookedFor notes that the addresses of an app have been looked for.
func (s *Supervisor) lookedFor(a *app) {
	if _, due := s.restoring[a.name]; due {
		delete(s.restoring, a.name)
		s.checkRestored()
	}
}

// checkRestored tells when those of all have.
func (s *Supervisor) checkRestored() {
	if len(s.restoring) == 0 && s.inherited.Listening != nil {
		s.inherited.Listening()
	}
}
