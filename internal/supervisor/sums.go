package supervisor

import "gracevisor/internal/wire"

// appSum is what workers have counted for an app.
type appSum struct {
	wire.AppCounters
	instances map[string]wire.InstanceCounters
}

// sumCounters adds up what all workers have counted, also those that have gone.
func (s *Supervisor) sumCounters() map[string]*appSum {
	sums := make(map[string]*appSum)
	for _, a := range s.apps {
		sum := &appSum{instances: make(map[string]wire.InstanceCounters)}
		if a.past != nil {
			sum.add(a.past)
		}
		sums[a.name] = sum
	}
	for _, w := range s.workers {
		w.eachCount(func(c *wire.AppCounters) {
			if sum := sums[c.Name]; sum != nil {
				sum.add(c)
			}
		})
	}
	return sums
}

// eachCount is what a worker has counted, app by app; one with many instances
// comes several times.
func (w *worker) eachCount(f func(*wire.AppCounters)) {
	for _, part := range w.counters {
		for n := range part.Apps {
			f(&part.Apps[n])
		}
	}
}

// keepCounters keeps what a worker that has gone has counted, so that sums do not
// become less: of instances as long as they are there.
func (s *Supervisor) keepCounters(w *worker) {
	kept := make(map[string]*appSum)
	w.eachCount(func(c *wire.AppCounters) {
		a := s.apps[c.Name]
		if a == nil {
			return
		}
		if kept[c.Name] == nil {
			kept[c.Name] = &appSum{instances: make(map[string]wire.InstanceCounters)}
			if a.past != nil {
				kept[c.Name].add(a.past)
			}
		}
		kept[c.Name].add(c)
	})
	for name, sum := range kept {
		a := s.apps[name]
		past := sum.AppCounters
		past.Connections, past.Holding, past.Upgraded, past.Streams = 0, 0, 0, 0
		for _, i := range a.instances {
			if c, ok := sum.instances[i.id()]; ok {
				c.ID, c.InFlight = i.id(), 0
				past.Instances = append(past.Instances, c)
			}
		}
		a.past = &past
		a.encoded = nil
	}
}

func (sum *appSum) add(c *wire.AppCounters) {
	sum.Connections += c.Connections
	sum.Requests += c.Requests
	addStatus(&sum.Status, &c.Status)
	sum.Errors += c.Errors
	sum.Retries += c.Retries
	sum.Held += c.Held
	sum.Holding += c.Holding
	sum.Upgraded += c.Upgraded
	sum.Streams += c.Streams
	sum.BytesIn += c.BytesIn
	sum.BytesOut += c.BytesOut
	addBuckets(&sum.LatencyBuckets, c.LatencyBuckets)
	for n := range c.Instances {
		sum.addInstance(&c.Instances[n])
	}
}

func (sum *appSum) addInstance(i *wire.InstanceCounters) {
	total := sum.instances[i.ID]
	total.InFlight += i.InFlight
	total.Requests += i.Requests
	addStatus(&total.Status, &i.Status)
	total.Retries += i.Retries
	total.BytesIn += i.BytesIn
	total.BytesOut += i.BytesOut
	addBuckets(&total.LatencyBuckets, i.LatencyBuckets)
	sum.instances[i.ID] = total
}

func addStatus(sum, more *[5]uint64) {
	for n := range more {
		sum[n] += more[n]
	}
}

// addBuckets adds a histogram, which may be of a worker that knows other bounds.
func addBuckets(sum *[]uint64, more []uint64) {
	if *sum == nil {
		*sum = make([]uint64, len(wire.LatencyBounds)+1)
	}
	for n := range min(len(more), len(*sum)) {
		(*sum)[n] += more[n]
	}
}
