package config

// sockets finds what is wrong with the Unix sockets that apps are reached by:
// those that come besides an address, that the kernel would refuse, and that
// two would listen on.
func (c *checker) sockets(apps []*appDraft) {
	taken := make(map[string]*appDraft)
	for _, a := range apps {
		n := a.values["external_socket"]
		if n == nil || a.faulty["external_socket"] {
			continue
		}
		if a.has("external_host") || a.has("external_port") {
			c.found.add(n.at, "external_socket: it stands in place of an address: leave out external_host and external_port, at %s",
				a.where("external_port", "external_host"))
		}
		path := absolute(c.wd, a.ExternalSocket)
		if len(path) > maxSocketPath {
			c.found.add(n.at, "external_socket: the path of a Unix socket has at most %d bytes, with the working directory before it, not %d",
				maxSocketPath, len(path))
			continue
		}
		other := taken[path]
		if other == nil {
			taken[path] = a
			continue
		}
		at, before := n.at, other.where("external_socket")
		if at == before { // both have it from one merged mapping
			at, before = a.where("name"), other.where("name")
		}
		c.found.add(at, "external_socket: %s is that of app %q, at %s", n.describe(), other.Name, before)
	}
}
