package proxy

import (
	"cmp"
	"maps"
	"slices"
	"sync/atomic"

	"gracevisor/internal/wire"
)

// counters are those of an app or an instance, in shards, so that connections on different
// CPUs do not fight for a cache line. Readers add the shards up.
type counters struct {
	shards [8]tally
}

// A tally is one shard. It fills whole cache lines.
type tally struct {
	requests, errors, retries, held atomic.Uint64
	bytesIn, bytesOut               atomic.Uint64
	status                          [5]atomic.Uint64
	latency                         [len(wire.LatencyBounds) + 1]atomic.Uint64
	_                               [56]byte
}

// of is the shard for a connection.
func (n *counters) of(c *conn) *tally { return &n.shards[c.sock.shard] }

// countHead counts a request that has come.
func (c *conn) countHead(n int) {
	t := c.x.app.counters.of(c)
	t.requests.Add(1)
	c.x.log.head = int64(n)
}

// countAnswer counts the final answer of an app.
func (c *conn) countAnswer(status int) {
	x := c.x
	took := monotime() - x.began
	i := 0
	for i < len(wire.LatencyBounds) && took > int64(wire.LatencyBounds[i]) {
		i++
	}
	for _, t := range [...]*tally{x.app.counters.of(c), x.instance.counters.of(c)} {
		t.status[class(status)].Add(1)
		t.latency[i].Add(1)
	}
	x.log.status = status
}

// countRetry counts a request that is to be sent again.
func (c *conn) countRetry() {
	c.x.app.counters.of(c).retries.Add(1)
	c.x.retry.last.counters.of(c).retries.Add(1)
}

// countBytes counts those of a request that is over. They belong to the instance
// that was asked last.
func (c *conn) countBytes() {
	x := c.x
	in, out := uint64(x.log.head+x.log.in), uint64(x.log.out)
	t := x.app.counters.of(c)
	t.bytesIn.Add(in)
	t.bytesOut.Add(out)
	if last := x.retry.last; last != nil {
		t = last.counters.of(c)
		t.bytesIn.Add(in)
		t.bytesOut.Add(out)
	}
}

// countOwn counts an answer that the proxy made itself.
func (c *conn) countOwn(status int) {
	t := c.x.app.counters.of(c)
	t.status[class(status)].Add(1)
	if status >= 502 && status <= 504 {
		t.errors.Add(1)
	}
	c.x.log.status = status
}

func class(status int) int { return min(max(status/100-1, 0), 4) }

// Counters returns what was counted since the proxy was made, for the apps and
// instances that the newest table names and the instances that still have
// requests in flight, in the order of their names.
func (p *Proxy) Counters() wire.Counters {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := wire.Counters{
		Connections: int(p.gate.n.Load()), MovedIn: p.movedIn.Load(), MovedOut: p.movedOut.Load(),
	}
	at := make(map[string]int, len(p.apps))
	for _, name := range slices.Sorted(maps.Keys(p.apps)) {
		at[name] = len(all.Apps)
		all.Apps = append(all.Apps, p.apps[name].count())
	}
	for id, in := range p.instances {
		i, ok := at[in.app]
		if !ok {
			continue
		}
		all.Apps[i].Instances = append(all.Apps[i].Instances, in.count(id))
	}
	for i := range all.Apps {
		slices.SortFunc(all.Apps[i].Instances, func(a, b wire.InstanceCounters) int { return cmp.Compare(a.ID, b.ID) })
	}
	return all
}

// count is what was counted for an app.
func (a *app) count() wire.AppCounters {
	n := a.counters.sum()
	n.Name, n.Connections, n.Holding = a.name, int(a.gate.n.Load()), a.queue.len()
	n.Upgraded, n.Streams = int(a.upgraded.Load()), int(a.streams.Load())
	return n
}

// count is what was counted for an instance.
func (in *instance) count(id string) wire.InstanceCounters {
	n := in.counters.sum()
	return wire.InstanceCounters{
		ID: id, InFlight: int(in.inflight.Load()), Requests: n.Requests, Status: n.Status, Retries: n.Retries,
		BytesIn: n.BytesIn, BytesOut: n.BytesOut, LatencyBuckets: n.LatencyBuckets,
	}
}

// sum adds the shards up.
func (c *counters) sum() wire.AppCounters {
	n := wire.AppCounters{LatencyBuckets: make([]uint64, len(wire.LatencyBounds)+1)}
	for i := range c.shards {
		t := &c.shards[i]
		n.Requests += t.requests.Load()
		n.Errors += t.errors.Load()
		n.Retries += t.retries.Load()
		n.Held += t.held.Load()
		n.BytesIn += t.bytesIn.Load()
		n.BytesOut += t.bytesOut.Load()
		for k := range t.status {
			n.Status[k] += t.status[k].Load()
		}
		for k := range t.latency {
			n.LatencyBuckets[k] += t.latency[k].Load()
		}
	}
	return n
}
