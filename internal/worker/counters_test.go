package worker

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"

	"gracevisor/internal/wire"
)

// TestCountersInParts: many apps are told of in several messages, each of which
// comes again when something in it has changed, and is empty once its apps have
// gone.
func TestCountersInParts(t *testing.T) {
	k := begin(t)
	const apps = 2*perPart + 1
	i := newInstance(t, "app0/1")
	l := k.listen("app0")
	k.app("app0", i.Instance)
	for _, name := range names(apps)[1:] {
		k.app(name)
		k.table.Apps[len(k.table.Apps)-1].Listeners = nil
	}
	k.apply()
	parts := make(map[int]*wire.Counters)
	collect := func(what string, enough func() bool) {
		t.Helper()
		for !enough() {
			m, ok := k.heard().(*wire.Counters)
			if !ok {
				t.Fatalf("got %T while waiting for %s", m, what)
			}
			parts[m.Part] = m
		}
	}
	count := func() int {
		all := make(map[string]bool)
		for _, part := range parts {
			if len(part.Apps) > perPart {
				t.Fatalf("%d apps in a part", len(part.Apps))
			}
			for _, a := range part.Apps {
				all[a.Name] = true
			}
		}
		return len(all)
	}
	collect("all apps", func() bool { return count() == apps })
	if len(parts) != 3 {
		t.Errorf("they came in %d parts", len(parts))
	}
	of := func(name string) wire.AppCounters {
		for _, part := range parts {
			for _, a := range part.Apps {
				if a.Name == name {
					return a
				}
			}
		}
		return wire.AppCounters{}
	}
	c := dial(t, l)
	c.served(i)
	collect("a request", func() bool { return of("app0").Requests == 1 })
	if n := of("app0"); n.Status[1] != 1 || n.Connections != 1 || n.Instances[0].Requests != 1 {
		t.Errorf("got %+v", n)
	}
	c.Close()
	collect("no connection", func() bool { return of("app0").Connections == 0 })

	k.table.Apps = k.table.Apps[:1]
	k.apply()
	collect("no other apps", func() bool { return count() == 1 })
}

// TestCountersOfManyInstances: however many there are, each message fits into a
// datagram, and nothing is told twice.
func TestCountersOfManyInstances(t *testing.T) {
	const most = math.MaxUint64
	buckets := make([]uint64, len(wire.LatencyBounds)+1)
	for i := range buckets {
		buckets[i] = most
	}
	long := strings.Repeat("n", 64)
	all := wire.Counters{Connections: 3}
	wanted := 0
	for _, n := range []int{0, 1, 125, 126, 127, 128, 1000, 0} {
		a := wire.AppCounters{Name: fmt.Sprintf("%s%d", long, len(all.Apps)), Requests: 1, Errors: most, Held: most,
			Status: [5]uint64{most, most, most, most, most}, Retries: most, BytesIn: most, BytesOut: most, LatencyBuckets: buckets}
		for i := range n {
			a.Instances = append(a.Instances, wire.InstanceCounters{ID: fmt.Sprintf("%s/%d", a.Name, i), Requests: most,
				Status: a.Status, Retries: most, BytesIn: most, BytesOut: most, LatencyBuckets: buckets})
		}
		all.Apps = append(all.Apps, a)
		wanted += n
	}
	apps, instances := make(map[string]uint64), make(map[string]bool)
	for n, part := range inParts(all) {
		text, err := json.Marshal(part)
		if err != nil {
			t.Fatal(err)
		}
		if len(text) > 120<<10 || part.Part != n || part.Connections != 3 {
			t.Errorf("part %d takes %d bytes: %.100s", n, len(text), text)
		}
		for _, a := range part.Apps {
			apps[a.Name] += a.Requests
			for _, i := range a.Instances {
				instances[i.ID] = true
			}
		}
	}
	for name, n := range apps {
		if n != 1 {
			t.Errorf("%s is told %d times", name, n)
		}
	}
	if len(apps) != len(all.Apps) || len(instances) != wanted {
		t.Errorf("%d apps with %d instances, not %d with %d", len(apps), len(instances), len(all.Apps), wanted)
	}
}

// TestLastCounters: what was counted is told once more at a drain, before the
// worker hangs up.
func TestLastCounters(t *testing.T) {
	for range 20 {
		k := begin(t)
		i := newInstance(t, "a/1")
		l := k.listen("a")
		k.app("a", i.Instance)
		k.apply()
		c := dial(t, l)
		c.ask()
		<-i.asked
		k.say(&wire.Drain{})
		k.say(&wire.Ping{Number: 1})
		next[*wire.Pong](k.supervisor) // it has drained
		i.let <- struct{}{}
		if !c.answered() {
			t.Error("the last answer does not say so")
		}
		c.Close()
		var last *wire.Counters
		for m := k.heard(); m != nil; m = k.heard() {
			if counters, ok := m.(*wire.Counters); ok {
				last = counters
			}
		}
		if err := k.end(); err != nil {
			t.Fatal(err)
		}
		if last == nil || len(last.Apps) != 1 || last.Apps[0].Requests != 1 || last.Connections != 0 {
			t.Fatalf("the last counters are %+v", last)
		}
	}
}
