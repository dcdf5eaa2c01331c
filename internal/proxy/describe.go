package proxy

import (
	"time"

	"gracevisor/internal/proxy/handoff"
)

// describe says what the next owner of a connection that has stopped needs to
// know. The descriptors stay ours.
func (c *conn) describe() *handoff.Connection {
	h := &handoff.Connection{
		Kind: handoff.HTTP, App: c.home.name, Listener: c.listener.name, Served: c.served,
		Left: until(c.resumeBy), Files: []int{c.sock.fd},
	}
	if c.peer.IsValid() {
		h.Peer = c.peer.String()
	}
	t := c.tunnel.Load()
	switch {
	case t != nil:
		h.Kind, h.Instance, h.Upgraded = handoff.Tunnel, t.instance.id, t.upgraded
		h.Files = append(h.Files, t.upstream.fd)
		h.Files = t.up.describe(&h.Up, h.Files)
		h.Files = t.down.describe(&h.Down, h.Files)
	case c.tcp:
		h.Kind = handoff.Waiting
	case c.x != nil:
		h.Up.Data = c.x.in.unread()
	}
	return h
}

// describe says what there is of a direction, and adds its descriptor to files.
func (t *transfer) describe(h *handoff.Direction, files []int) []int {
	h.Over = t.over
	h.ReadLeft, h.WriteLeft = until(t.readBy), until(t.writeBy)
	h.Data = t.rest
	if t.held != nil {
		h.Piped = t.held.held
		files = append(files, t.held.r)
	}
	return files
}

// until is the time to a deadline, or 0 if there is none.
func until(by int64) time.Duration {
	if by == 0 {
		return 0
	}
	return max(time.Duration(by-monotime()), 1)
}

// forget lets go of a connection that is another worker's, without a trace in
// it. Who calls it gives its place back.
func (c *conn) forget() {
	if c.x != nil {
		c.giveBack()
	}
	c.sock.close()
	if c.tunnel.Load() != nil {
		c.leaveTunnel()
	}
}
