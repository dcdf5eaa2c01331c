package proxy

import (
	"sync"
	"sync/atomic"

	"gracevisor/internal/wire"
)

// An instance is an instance of an app, as long as a table names it or it has
// requests in flight. All tables that name it share the one object, so that its
// count is right whichever of them a request began under.
//
// No request begins on it after Apply has retired it. That takes no lock: who
// begins a request counts itself in and then looks at retired; who retires sets
// retired and then looks at the count. Both are sequentially consistent (Go
// memory model), so at least one of the two sees the other (Dekker).
type instance struct {
	id, app string
	address endpoint
	pool    pool
	drained func(id string)

	inflight atomic.Int64
	retired  atomic.Bool
	counters counters

	mu   sync.Mutex // guards told, and changes of retired
	told bool       // the end of this retirement was reported
}

func newInstance(app string, w wire.Instance, hub *sweeper, drained func(string)) (*instance, error) {
	in := &instance{id: w.ID, app: app, drained: drained}
	in.pool.hub = hub
	var err error
	in.address, err = readEndpoint(wire.Target{Network: w.Network, Address: w.Address})
	return in, err
}

// enter begins a request; false means that the instance is retired and that the
// caller has to look for another by the newest table.
func (in *instance) enter() bool {
	in.inflight.Add(1)
	if in.retired.Load() {
		in.leave()
		return false
	}
	return true
}

// adopt counts in what was begun in another worker, also if the instance is
// retired.
func (in *instance) adopt() {
	in.mu.Lock()
	in.told = false
	in.inflight.Add(1)
	in.mu.Unlock()
}

// leave ends what enter or adopt began.
func (in *instance) leave() {
	if in.inflight.Add(-1) == 0 && in.retired.Load() {
		in.report()
	}
}

// retire makes enter fail from now on, and reports whether it did not before.
func (in *instance) retire() (fresh bool) {
	in.mu.Lock()
	if fresh = !in.retired.Load(); fresh {
		in.told = false
		in.retired.Store(true)
	}
	in.mu.Unlock()
	in.pool.close()
	return fresh
}

// revive takes a retirement back: a roll-back made it serve again.
func (in *instance) revive() {
	in.mu.Lock()
	in.retired.Store(false)
	in.mu.Unlock()
	in.pool.open()
}

// report tells, when the last request ends, that nothing is in flight any more.
func (in *instance) report() { in.tell(false) }

// remind tells it again: each table makes the proxy say it anew, for a
// supervisor that has taken over from the one that was told.
func (in *instance) remind() { in.tell(true) }

// tell tells under the lock: said later, after the instance was revived and
// retired once more, it would be taken for the end of that retirement.
func (in *instance) tell(again bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.retired.Load() && (again || !in.told) && in.inflight.Load() == 0 {
		in.told = true
		in.drained(in.id)
	}
}

// over reports whether nothing will happen on the instance any more unless a
// table names it again.
func (in *instance) over() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.retired.Load() && in.told
}
