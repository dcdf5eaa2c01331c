package load

import (
	"fmt"
	"sync/atomic"
	"time"
)

// client is one client of a load. All but its atomic fields belongs to the
// goroutine of run.
type client struct {
	load   *Load
	kind   Kind
	number int
	record *record

	conn     *conn // nil: none is open
	sequence int   // of the request under way, from 1

	completed atomic.Int64
	begun     atomic.Bool // see Load.AwaitConnected
}

// afterFailure keeps a client from spinning while nothing answers.
const afterFailure = 5 * time.Millisecond

func (c *client) name() string { return fmt.Sprintf("%s/%d", c.kind, c.number) }

// id names the request under way.
func (c *client) id() string {
	return fmt.Sprintf("%s-%s-%d-%d", c.load.name, c.kind, c.number, c.sequence)
}

// run makes requests until the load is stopped.
func (c *client) run() {
	defer c.part()
	switch c.kind {
	case Idle:
		if err := c.connect(); err != nil {
			c.record.failed(c.id(), err)
		}
		<-c.load.stop
		c.request()
	case IdleKept:
		c.request()
		<-c.load.stop
		c.request()
	default:
		for !c.stopped() && c.sequence < c.load.options.MaxRequests {
			pause := c.load.options.Pause
			if !c.request() {
				pause = afterFailure
			}
			c.pause(pause)
		}
	}
}

// request makes one request, on a new connection if need be, and records how
// it went.
func (c *client) request() bool {
	c.sequence++
	pid, reusable, err := c.exchange()
	c.record.ended(c.id(), pid, err)
	switch {
	case err != nil || !reusable:
		c.drop()
	case c.conn.exchanges == c.load.options.PerConnection:
		c.part()
	}
	c.completed.Add(1)
	c.begun.Store(true)
	c.load.tell()
	return err == nil
}

func (c *client) exchange() (pid string, reusable bool, err error) {
	// A tunnel (its process is known) must not end before its client ends it.
	if c.conn != nil && c.conn.pid == "" && c.conn.closedWhileIdle() {
		c.record.idleClosed()
		c.drop()
	}
	if c.conn == nil {
		if err := c.connect(); err != nil {
			return "", false, err
		}
	}
	c.conn.exchanges++
	return behaviours[c.kind].request(c)
}

func (c *client) connect() error {
	conn, err := dial(c.load.options, c.record)
	if err == nil {
		c.conn = conn
	}
	if c.kind != IdleKept {
		c.begun.Store(true)
		c.load.tell()
	}
	return err
}

// part ends a connection that is in order as its protocol wants it.
func (c *client) part() {
	if c.conn == nil {
		return
	}
	if farewell := behaviours[c.kind].farewell; farewell != nil && c.conn.exchanges > 0 {
		if err := farewell(c); err != nil {
			c.record.failed(c.id(), fmt.Errorf("end connection: %w", err))
		}
	}
	c.drop()
}

// drop closes a connection of which nothing more is expected.
func (c *client) drop() {
	if c.conn != nil {
		_ = c.conn.Close() // the other side may have reset it already
	}
	c.conn = nil
}

func (c *client) stopped() bool {
	select {
	case <-c.load.stop:
		return true
	default:
		return false
	}
}

// pause waits for d, or until the load is stopped.
func (c *client) pause(d time.Duration) {
	if d == 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-c.load.stop:
	}
}
