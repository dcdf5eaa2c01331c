package activation

// SettleUnclaimed is to be called when each app has been looked for listeners.
// Those that an earlier daemon had bound and that no app wants are closed: nobody
// would accept on them. Those that may be an app's whose host is not found are
// settled when it is. Those of the service manager are told and left alone.
func (t *Table) SettleUnclaimed() {
	t.mu.Lock()
	t.settled = true
	t.mu.Unlock()
	for _, l := range t.Spare() {
		if l.Source != SourceBound {
			t.log.Warn("no app uses a socket of the service manager; it is left alone", "address", l.Name(), "name", l.FDName)
		}
	}
	t.closeUnclaimed()
}

// closeUnclaimed closes what the daemon has bound and no app can want.
func (t *Table) closeUnclaimed() {
	for _, l := range t.Spare() {
		if l.Source != SourceBound {
			continue
		}
		if app := t.mayWant(l); app != "" {
			t.log.Warn("keeping a listener that may be of an app whose host is not found", "address", l.Name(), "app", app)
			continue
		}
		t.log.Info("closing a listener that no app wants any more", "address", l.Name())
		t.take(l)
		if err := l.Close(); err != nil {
			t.log.Warn("cannot close listener", "address", l.Name(), "error", err)
		}
	}
}

// mayWant is an app that a listener may belong to, as far as is known, or "".
func (t *Table) mayWant(l *Listener) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	for app, port := range t.unresolved {
		if l.Path == "" && int(l.Address.Port()) == port {
			return app
		}
	}
	return ""
}

// noteResolved notes whether an app's host was found. With the first answer what
// was left open for its sake is settled.
func (t *Table) noteResolved(w Want, set Set) {
	t.mu.Lock()
	_, waited := t.unresolved[w.App]
	if set.Unresolved {
		if t.unresolved == nil {
			t.unresolved = make(map[string]int)
		}
		t.unresolved[w.App] = w.Port
	} else {
		delete(t.unresolved, w.App)
	}
	settle := waited && !set.Unresolved && t.settled
	t.mu.Unlock()
	if settle {
		t.closeUnclaimed()
	}
}
