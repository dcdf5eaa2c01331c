package proxy

import (
	"time"

	"gracevisor/internal/proxy/handoff"
)

// A connection that is to be moved stops by itself, in its own goroutine, and
// only where what it is can be told in few words: between two requests, in a head
// of which only a part has come, before it has an instance (relay), or in a
// tunnel. There its waits are ended by freeze; everywhere else it goes on until
// it comes to such a place.

// stop stops a connection in the wait that has just been ended.
func (c *conn) stop() {
	c.stopped = true
	c.resumeBy = c.sock.readBy.Load()
	if c.x != nil && c.x.in.empty() {
		c.giveBack()
	}
}

// stopBetween stops it between two requests, of which the next may have come
// already. One that has brought too much stays until that is served.
func (c *conn) stopBetween() bool {
	if c.x != nil && c.x.in.len() > handoff.MaxData {
		return false
	}
	by := c.resumeBy // of a wait that it came here in the middle of, and has not gone on with
	c.stop()
	c.resumeBy = by
	return true
}

// resumed is the deadline of a wait: the one that it has stopped in goes on.
func (c *conn) resumed(patience time.Duration) int64 {
	by := c.resumeBy
	c.resumeBy = 0
	if by == 0 {
		by = deadline(patience)
	}
	return by
}
