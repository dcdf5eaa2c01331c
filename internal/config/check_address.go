package config

// listener is an external address and who listens on it.
type listener struct {
	Address
	app *appDraft
}

// addresses finds addresses that two would listen on.
//
// An external port inside port_range is a warning and no fault. The supervisor
// hands out no port that Plan.Reserved names, so such a configuration works; but
// when an update adds it while an instance holds that very port, the listener
// cannot be bound until the instance has gone. Refusing it would forbid
// configurations that never meet that case, the wide ranges of test set-ups
// among them.
func (c *checker) addresses(d *daemonDraft, apps []*appDraft) {
	taken := make(map[int][]listener)
	for _, a := range apps {
		l := listener{a.External, a}
		// A file that is no app at all has no address worth a fault.
		if a.faulty["external_host"] || a.faulty["external_port"] || a.Name == "" && l.at() == a.at {
			continue
		}
		if a.has("external_socket") {
			continue // see sockets
		}
		if !c.clashes(l, taken[l.Port]) {
			taken[l.Port] = append(taken[l.Port], l)
		}
		c.withDaemon(d, l)
	}
	rpc := d.RPC.Address()
	if rpc.Port != 0 && inRange(d, rpc.Port) {
		c.warnings.add(d.where("rpc.port"), "rpc.port: %d lies within port_range", rpc.Port)
	}
}

// clashes reports the first of others that meets l.
func (c *checker) clashes(l listener, others []listener) bool {
	for _, other := range others {
		if !l.Overlaps(other.Address) {
			continue
		}
		at, before := l.at(), other.at()
		if at == before { // both have it from one merged mapping
			at, before = l.app.where("name"), other.app.where("name")
		}
		c.found.add(at, "external address %s clashes with %s of app %q, at %s%s",
			l, other, other.app.Name, before, l.defaulted())
		return true
	}
	return false
}

// at is the place to change the address at.
func (l listener) at() place { return l.app.where("external_port", "external_host", "name") }

// defaulted says that nobody wrote the port that clashes.
func (l listener) defaulted() string {
	if l.app.has("external_port") {
		return ""
	}
	return "; set external_port, which is 8080 by default"
}

func (c *checker) withDaemon(d *daemonDraft, l listener) {
	if d.RPC.Port != 0 && !d.faulty["rpc.host"] && !d.faulty["rpc.port"] && l.Overlaps(d.RPC.Address()) {
		c.found.add(l.at(), "external address %s clashes with the RPC server on %s, at %s",
			l, d.RPC.Address(), d.where("rpc.port", "rpc.host"))
	}
	if inRange(d, l.Port) {
		c.warnings.add(l.at(), "external_port: %d lies within port_range (%d to %d): "+
			"an instance may hold it when the app is added later", l.Port, d.Ports.From, d.Ports.To)
	}
}

func inRange(d *daemonDraft, port int) bool {
	return d.Ports.From <= port && port <= d.Ports.To
}
