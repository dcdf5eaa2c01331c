package proxy

import (
	"os"
	"sync"
	"time"

	"gracevisor/internal/proxy/handoff"
)

const (
	// waveSize is how many connections are woken at a time: about a batch, so
	// that none waits for many others.
	waveSize = 200
	// wavePause is how long a wave gets to stop before the next one is woken.
	wavePause = 2 * time.Millisecond
	// answerPatience bounds the wait for the other worker's answer, in which
	// the connections of a batch are nobody's.
	answerPatience = 3 * time.Second
)

// A mover gives the connections of a proxy that leaves to another worker, in
// batches, as they stop. Those that the other does not take go on here.
type mover struct {
	proxy   *Proxy
	conn    *handoff.Conn
	answers chan *handoff.Answer // closed when the other side has gone
	over    chan struct{}        // closed by end
	ready   chan struct{}        // something has stopped
	quit    chan struct{}        // closed when another mover takes over
	begin   sync.Once
	retire  sync.Once

	mu     sync.Mutex
	urgent []*conn // those that have stopped in the middle of something
	queue  []*conn // those that were idle
	closed bool    // takes no more

	moved, kept int
}

// MoveTo makes the proxy give its connections to the worker at the other end of
// a socket, once it leaves. It takes the file over. A later call takes the place
// of an earlier one.
func (p *Proxy) MoveTo(f *os.File) error {
	link, err := handoff.NewConn(f)
	if err != nil {
		return err
	}
	m := &mover{
		proxy: p, conn: link, answers: make(chan *handoff.Answer),
		over: make(chan struct{}), ready: make(chan struct{}, 1), quit: make(chan struct{}),
	}
	p.mu.Lock()
	if p.closed() {
		p.mu.Unlock()
		link.Close()
		return errClosed
	}
	old := p.mover.Swap(m)
	p.wg.Go(m.listen) // ended by end
	p.mu.Unlock()
	if old != nil {
		old.resign()
	}
	if p.draining.Load() {
		m.freeze()
		m.start()
	}
	return nil
}

// resign ends the mover when the batch under way is settled.
func (m *mover) resign() {
	m.retire.Do(func() { close(m.quit) })
	m.begin.Do(func() { m.end() }) // it has never started
}

// freeze tells all connections to stop where they can. None is accepted any more
// when it is called, so that it sees them all.
func (m *mover) freeze() (all []*conn) {
	w := m.proxy.sweep
	for i := range w.shards {
		sh := &w.shards[i]
		sh.mu.Lock()
		for s := range sh.socks {
			if s.owner != nil {
				s.owner.freeze.Store(true)
				all = append(all, s.owner)
			}
		}
		sh.mu.Unlock()
	}
	return all
}

// start begins to move.
func (m *mover) start() {
	m.begin.Do(func() { m.proxy.wg.Go(m.run) }) // ends with the other side, resign or Close
}

// run moves until nobody takes any more.
func (m *mover) run() {
	defer m.end()
	waves := m.freeze()
	for number := uint32(1); ; number++ {
		n := min(waveSize, len(waves))
		for _, c := range waves[:n] {
			c.wake()
		}
		waves = waves[n:]
		batch := m.take()
		switch {
		case len(batch) > 0:
			if !m.move(number, batch) {
				return
			}
		case !m.await(len(waves) > 0):
			return
		}
	}
}

// wake makes a connection look whether it has to stop.
func (c *conn) wake() {
	c.sock.wake()
	if t := c.tunnel.Load(); t != nil {
		t.upstream.wake()
	}
}

// await waits until something has stopped, or it is time for another wave.
func (m *mover) await(another bool) bool {
	var pause <-chan time.Time
	if another {
		pause = time.After(wavePause)
	}
	select {
	case <-m.ready:
		return true
	case <-pause:
		return true
	case <-m.quit:
	case <-m.proxy.stop:
	case <-m.answers: // of nothing, or the end
	}
	return false
}

// listen passes on what the other side says, until its end.
func (m *mover) listen() {
	defer close(m.answers)
	for {
		said, err := m.conn.Receive()
		if err != nil {
			return
		}
		answer, ok := said.(*handoff.Answer)
		if !ok {
			return
		}
		select {
		case m.answers <- answer:
		case <-m.over:
		}
	}
}

// giveAway gives a connection that has stopped to the mover. If there is none
// that takes it, it goes on.
func (p *Proxy) giveAway(c *conn) bool {
	m := p.mover.Load()
	if m != nil && m.enqueue(c) {
		return true
	}
	p.thaw(c, m)
	return false
}

func (m *mover) enqueue(c *conn) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return false
	}
	if c.tunnel.Load() != nil || c.resumeBy == 0 {
		m.urgent = append(m.urgent, c)
	} else {
		m.queue = append(m.queue, c)
	}
	select {
	case m.ready <- struct{}{}:
	default:
	}
	return true
}

// thaw lets a connection that m has not moved go on, unless there is another
// mover, which it is for then.
func (p *Proxy) thaw(c *conn, m *mover) {
	c.freeze.Store(false)
	if p.mover.Load() != m {
		c.freeze.Store(true) // it may have been told in between
	}
}

// keep lets connections go on here.
func (m *mover) keep(list []*conn) {
	for _, c := range list {
		m.proxy.thaw(c, m)
		m.proxy.wg.Go(c.serve) // ends with the connection
	}
	m.kept += len(list)
}

// take takes a batch: first those that are waited for.
func (m *mover) take() []*conn {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := min(len(m.urgent), waveSize)
	batch := m.urgent[:n:n]
	m.urgent = m.urgent[n:]
	n = min(len(m.queue), waveSize-n)
	batch = append(batch, m.queue[:n]...)
	m.queue = m.queue[n:]
	return batch
}

// end lets go on what is left. What stops later finds no mover.
func (m *mover) end() {
	m.mu.Lock()
	m.closed = true
	left := append(m.urgent, m.queue...)
	m.urgent, m.queue = nil, nil
	m.mu.Unlock()
	m.keep(left)
	close(m.over)
	m.conn.Close()
	if m.moved+m.kept > 0 {
		m.proxy.log.Info("moved connections to another worker", "moved", m.moved, "kept", m.kept)
	}
}
