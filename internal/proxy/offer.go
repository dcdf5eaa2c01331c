package proxy

import (
	"errors"
	"time"

	"golang.org/x/sys/unix"

	"gracevisor/internal/proxy/handoff"
)

// move offers connections, and reports whether there may be more. Nothing is
// done to them until it is settled whose they are (package handoff).
func (m *mover) move(number uint32, list []*conn) bool {
	var batch handoff.Batch
	n := 0
	for n < len(list) && batch.Add(list[n].describe()) == nil {
		n++
	}
	m.putBack(list[n:])
	list = list[:n]
	if n == 0 {
		return true
	}
	if err := m.conn.Offer(number, &batch); err != nil {
		m.proxy.log.Warn("cannot move connections to another worker; they stay", "connections", n, "error", err)
		m.keep(list)
		return false
	}
	answer := m.answerTo(number)
	if answer == nil {
		m.withdraw(number, list)
		return false
	}
	taken, refused := divide(list, answer.Refused)
	if err := m.conn.Commit(number); err != nil {
		m.withdraw(number, list)
		return false
	}
	for _, c := range taken {
		c.forget()
		m.proxy.movedOut.Add(1)
		m.proxy.leave(c.home)
	}
	m.moved += len(taken)
	m.keep(refused)
	return true
}

// putBack returns connections that a batch had no room for to the front of the
// queue.
func (m *mover) putBack(list []*conn) {
	if len(list) == 0 {
		return
	}
	m.mu.Lock()
	m.urgent = append(list, m.urgent...)
	m.mu.Unlock()
	select {
	case m.ready <- struct{}{}:
	default:
	}
}

// answerTo waits for the answer to an offer. It is nil if none has come in time.
func (m *mover) answerTo(number uint32) *handoff.Answer {
	patience := time.NewTimer(answerPatience)
	defer patience.Stop()
	select {
	case answer := <-m.answers:
		if answer != nil && answer.Number == number {
			return answer
		}
	case <-patience.C:
	case <-m.proxy.stop:
	}
	return nil
}

// withdraw takes an offer back, which one that has died need not be told. If it
// lives and can not be told the connections are its own: it may serve them.
func (m *mover) withdraw(number uint32, list []*conn) {
	err := m.conn.Withdraw(number)
	if err == nil || errors.Is(err, unix.EPIPE) || errors.Is(err, unix.ECONNRESET) {
		m.keep(list)
		return
	}
	m.proxy.log.Error("cannot take back connections from another worker", "connections", len(list), "error", err)
	for _, c := range list {
		c.forget()
		m.proxy.leave(c.home)
	}
}

// divide splits a list by the places that are refused.
func divide(list []*conn, places []int) (taken, refused []*conn) {
	out := make(map[int]bool, len(places))
	for _, i := range places {
		out[i] = true
	}
	for i, c := range list {
		if out[i] {
			refused = append(refused, c)
		} else {
			taken = append(taken, c)
		}
	}
	return taken, refused
}
