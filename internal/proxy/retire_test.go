package proxy

import (
	"sync"
	"sync/atomic"
	"testing"
)

// TestRetirement: requests begun on an instance end there, none begins after
// Apply, and the end is reported once, and again with each table.
func TestRetirement(t *testing.T) {
	gate := make(chan struct{})
	one, two := gatedApp(t, "one", gate), gatedApp(t, "two", nil)
	r := newRig(t, nil)
	r.serve(one.addr)
	slow, idle := r.dial(), r.dial()
	slow.send("GET /wait HTTP/1.1\r\nHost: h\r\n\r\n")
	if got := idle.get("/"); got != "one" {
		t.Fatalf("before: %s", got)
	}
	eventually(t, "both have begun", func() bool { return r.counters().Instances[0].Requests == 2 })
	r.serve(two.addr)
	if got := idle.get("/"); got != "two" {
		t.Errorf("a request after Apply went to %s", got)
	}
	r.apply()
	r.notDrained()
	close(gate)
	if got := slow.answer(); got != "one" {
		t.Errorf("the request in flight was answered by %s", got)
	}
	r.waitDrained("demo/1")
	r.apply() // each table has it told again
	r.waitDrained("demo/1")
	r.notDrained()

	// Back, and away again.
	r.serve(one.addr)
	r.waitDrained("demo/2")
	if got := idle.get("/"); got != "one" {
		t.Errorf("after the roll-back: %s", got)
	}
	r.serve(two.addr)
	r.waitDrained("demo/1")
	r.app().Instances = r.app().Instances[1:]
	r.apply()
	r.notDrained()
	if n := len(r.counters().Instances); n != 1 {
		t.Errorf("%d instances are left", n)
	}
}

// TestRetirementUnderLoad: with clients on it all the while, an instance that is
// retired gets no request after Apply has returned, and none is lost.
func TestRetirementUnderLoad(t *testing.T) {
	var retired [2]atomic.Bool
	var late atomic.Int64
	instance := func(i int) *backend {
		return newBackend(t, func(p *peer) {
			for p.head() != "" {
				// What began before Apply may still come in, but not
				// after the report.
				if retired[i].Load() {
					late.Add(1)
				}
				p.send(ok0)
			}
		})
	}
	apps := [2]*backend{instance(0), instance(1)}
	r := newRig(t, nil)
	r.serve(apps[0].addr)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 8 {
		c := r.dial()
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				c.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n")
				if h := c.head(); h != ok0 {
					t.Errorf("got %q", h)
					return
				}
			}
		})
	}
	for i := range 50 {
		next := (i + 1) % 2
		retired[next].Store(false)
		r.serve(apps[next].addr)
		r.waitDrained("demo/" + itoa(i%2+1))
		retired[i%2].Store(true)
	}
	close(stop)
	wg.Wait()
	if n := late.Load(); n > 0 {
		t.Errorf("%d requests reached an instance that was reported as drained", n)
	}
}

// TestBalance: several instances share the load.
func TestBalance(t *testing.T) {
	r := newRig(t, nil)
	r.serve(gatedApp(t, "a", nil).addr, gatedApp(t, "b", nil).addr, gatedApp(t, "c", nil).addr)
	c := r.dial()
	got := map[string]int{}
	for range 30 {
		got[c.get("/")]++
	}
	if got["a"] != 10 || got["b"] != 10 || got["c"] != 10 {
		t.Errorf("shared as %v", got)
	}
}
