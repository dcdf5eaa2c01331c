package supervisor

import (
	"time"

	"gracevisor/internal/supervisor/lifecycle"
)

// clock is a timer whose message counts only as long as it is the one that its
// owner refers to: a stopped one may have posted already.
type clock struct{ timer *time.Timer }

// startClock posts what message makes of the clock after d.
func (s *Supervisor) startClock(d time.Duration, message func(*clock) message) *clock {
	c := new(clock)
	c.timer = time.AfterFunc(d, func() { s.post(message(c)) })
	return c
}

// stop stops the clock; a nil one is stopped already.
func (c *clock) stop() {
	if c != nil {
		c.timer.Stop()
	}
}

// instanceClock is the clock of an instance: at most one thing bounds it at a
// time.
type instanceClock struct{ timer *time.Timer }

// setClock lets event happen to the instance after d; 0 means never. What was
// set before is off.
func (s *Supervisor) setClock(i *instance, d time.Duration, event lifecycle.Event) {
	i.stopClock()
	if d <= 0 {
		return
	}
	c := new(instanceClock)
	c.timer = time.AfterFunc(d, func() { s.post(instanceTimer{i, c, event}) })
	i.clock = c
}

func (i *instance) stopClock() {
	if i.clock != nil {
		i.clock.timer.Stop()
		i.clock = nil
	}
}
