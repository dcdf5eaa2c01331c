package proxy

// Drain makes the proxy leave. When it returns, nothing is accepted any more;
// only then are connections moved, if there is a worker to move them to, or else
// do answers begin to say `Connection: close`. In this order no client meets a
// closed door: one that is told to connect anew reaches another worker. What was
// accepted and is not moved is served, and idle connections keep their time-out
// and are served if they speak again.
func (p *Proxy) Drain() {
	p.mu.Lock()
	listeners := p.listeners
	p.listeners = make(map[string]*listener)
	p.leaving = true
	p.mu.Unlock()
	for _, l := range listeners {
		l.close()
	}
	if m := p.mover.Load(); m != nil {
		m.freeze()
	}
	p.draining.Store(true)
	if m := p.mover.Load(); m != nil {
		m.start()
	}
	p.checkDrained()
}

// parting reports whether the client has to be told that its connection ends
// with this answer: the proxy leaves, and the connection is not to be moved, or
// there is nobody any more who takes it.
func (c *conn) parting() bool {
	return c.proxy.draining.Load() && !(c.freeze.Load() && c.proxy.moving())
}

// moving reports whether there is a mover that takes connections.
func (p *Proxy) moving() bool {
	m := p.mover.Load()
	if m == nil {
		return false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return !m.closed
}

// Drained is closed when Drain was called and the last client connection has
// ended.
func (p *Proxy) Drained() <-chan struct{} { return p.drained }

// checkDrained closes drained when its time has come. Nobody comes in any more
// once draining is set, so a count of zero is final.
func (p *Proxy) checkDrained() {
	if p.draining.Load() && p.gate.n.Load() == 0 {
		p.told.Do(func() { close(p.drained) })
	}
}
