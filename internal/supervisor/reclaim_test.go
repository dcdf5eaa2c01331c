package supervisor

import (
	"bytes"
	"testing"
	"time"

	"gracevisor/internal/config"
	"gracevisor/internal/control"
)

// atHost has an app reached at a name.
func atHost(host string) func(*config.App) {
	return func(a *config.App) { a.External.Host = host }
}

// neverLost fails if a worker closes the listener of an address in the next
// minute.
func (r *rig) neverLost(address string) {
	r.t.Helper()
	for range 600 {
		r.pass(100 * time.Millisecond)
		for _, w := range r.livingWorkers() {
			if !w.holds(address) {
				r.t.Fatalf("worker %d has closed %s:\n%s", w.generation, address, r.tale())
			}
		}
	}
}

// eachWayByName is eachWay with an app, demo, that is reached at the address of a
// name, and another one, when both serve.
func eachWayByName(t *testing.T, test func(r *rig, takeOver func())) {
	t.Helper()
	p := plan(newApp("demo", 8080, atHost("app.test")), newApp("other", 8081))
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			prepare := func(r *rig) { r.name("app.test", "127.0.0.1", false) }
			runWith(t, p, prepare, func(r *rig) {
				r.alone("demo")
				r.alone("other")
				r.leadsTo("127.0.0.1:8080", "demo")
				test(r, func() { way(r) })
			})
		})
	}
}

// TestTakeOverWhileTheNameIsGone: what an app was reached at it is reached at, and
// when its name is found again, at another address, it is reached there.
func TestTakeOverWhileTheNameIsGone(t *testing.T) {
	eachWayByName(t, func(r *rig, takeOver func()) {
		r.name("app.test", "", false)
		for range 3 {
			takeOver()
			r.neverLost("127.0.0.1:8080")
			r.leadsTo("127.0.0.1:8080", "demo")
		}
		if e := r.status("demo").ListenError; e == "" {
			r.t.Error("nobody is told that the name is not found")
		}
		r.do(control.VerbRestart, "demo").gives(control.ResultDone)
		r.boundOnce("127.0.0.1:8080", "127.0.0.1:8081")
		r.name("app.test", "127.0.0.2", false)
		r.leadsTo("127.0.0.2:8080", "demo")
		r.look(func(s *Supervisor) {
			if len(s.sockets) != 2 {
				r.t.Errorf("sockets: %v", s.sockets)
			}
		})
	})
}

// TestTakeOverWhileNoNameServerAnswers: no app waits for it, neither that whose
// name is asked for.
func TestTakeOverWhileNoNameServerAnswers(t *testing.T) {
	eachWayByName(t, func(r *rig, takeOver func()) {
		r.name("app.test", "127.0.0.1", true)
		for range 3 {
			takeOver()
			for _, app := range []string{"demo", "other"} {
				r.do(control.VerbRestart, app).gives(control.ResultDone)
			}
			r.neverLost("127.0.0.1:8080")
		}
		r.boundOnce("127.0.0.1:8080", "127.0.0.1:8081")
	})
}

// TestTakeOverOfAMovedAddress: it is of the app that took it last, whatever the
// other one was called that had it before.
func TestTakeOverOfAMovedAddress(t *testing.T) {
	p := plan(newApp("a", 8080, atHost("app.test")), newApp("b", 8081))
	prepare := func(r *rig) { r.name("app.test", "127.0.0.1", false) }
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			runWith(t, p, prepare, func(r *rig) {
				r.alone("a")
				r.alone("b")
				r.occupy("127.0.0.1:9090", true)
				r.apply(control.VerbUpdate, plan(newApp("a", 9090), newApp("b", 8080, atHost("app.test")))).gives(control.ResultDone)
				r.leadsTo("127.0.0.1:8080", "b")
				r.name("app.test", "", false)
				way(r)
				r.neverLost("127.0.0.1:8080")
				r.leadsTo("127.0.0.1:8080", "b")
			})
		})
	}
}

// TestStateWithoutListeners: that of a version which did not save them.
func TestStateWithoutListeners(t *testing.T) {
	eachWay(t, plan(newApp("demo", 8080)), func(r *rig, takeOver func()) {
		r.alone("demo")
		r.leadsTo("127.0.0.1:8080", "demo")
		r.whileNobodyIsThere(takeOver, func() {
			r.mu.Lock()
			defer r.mu.Unlock()
			saved := r.lives[len(r.lives)-1].saved
			without := bytes.ReplaceAll(saved, []byte(`,"listeners":["127.0.0.1:8080"]`), nil)
			if bytes.Equal(without, saved) {
				r.t.Errorf("the state names no listeners: %s", saved)
			}
			r.lives[len(r.lives)-1].saved = without
			r.binding = time.Second
		})
		r.neverLost("127.0.0.1:8080")
		r.boundOnce("127.0.0.1:8080")
	})
}
