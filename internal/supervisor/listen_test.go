package supervisor

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"gracevisor/internal/control"
)

// leadsTo waits until an address leads to an app at every worker.
func (r *rig) leadsTo(address, app string) {
	r.t.Helper()
	r.await(address+" leads to "+app, func() bool {
		for _, w := range r.livingWorkers() {
			if fmt.Sprint(w.route(app).Listeners) != "["+address+"]" {
				return false
			}
		}
		return true
	})
}

// boundOnce fails if an address was bound more than once, so that connections
// were refused in between.
func (r *rig) boundOnce(addresses ...string) {
	r.t.Helper()
	for _, address := range addresses {
		if n := r.count("bound " + address); n != 1 {
			r.t.Errorf("%s was bound %d times:\n%s", address, n, r.tale())
		}
		if r.count("in use "+address) > 0 {
			r.t.Errorf("%s was in the way of itself:\n%s", address, r.tale())
		}
	}
}

func TestAddressInUseIsTriedOn(t *testing.T) {
	prepare := func(r *rig) { r.occupy("127.0.0.1:8080", true) }
	runWith(t, plan(newApp("a", 8080), newApp("b", 8081)), prepare, func(r *rig) {
		r.alone("a")
		r.leadsTo("127.0.0.1:8081", "b")
		r.pass(time.Minute)
		if e := r.status("a").ListenError; !strings.Contains(e, "in use") {
			t.Errorf("listen error %q", e)
		}
		if n := r.count("log ERROR cannot listen"); n != 1 {
			t.Errorf("it was logged %d times", n)
		}
		sockets, err := r.s.Sockets(context.Background())
		if err != nil || len(sockets) != 2 || sockets[0].Error == "" {
			t.Errorf("sockets: %+v, %v", sockets, err)
		}
		r.occupy("127.0.0.1:8080", false)
		r.leadsTo("127.0.0.1:8080", "a")
		if e := r.status("a").ListenError; e != "" {
			t.Errorf("listen error %q", e)
		}
	})
}

// TestMove: the new address is bound when the new instance serves, the old one
// closed after that.
func TestMove(t *testing.T) {
	run(t, plan(newApp("a", 8080)), func(r *rig) {
		r.alone("a")
		r.always("a", behaviour{readyAfter: time.Minute})
		update := r.apply(control.VerbUpdate, plan(newApp("a", 9090)))
		r.pass(30 * time.Second)
		r.leadsTo("127.0.0.1:8080", "a")
		update.gives(control.ResultDone)
		r.leadsTo("127.0.0.1:9090", "a")
		sockets, _ := r.s.Sockets(context.Background())
		if len(sockets) != 1 || sockets[0].Address != "127.0.0.1:9090" {
			t.Errorf("sockets: %+v", sockets)
		}
	})
}

// TestMoveToAnAddressInUse: it stays reachable where it was.
func TestMoveToAnAddressInUse(t *testing.T) {
	run(t, plan(newApp("a", 8080)), func(r *rig) {
		r.alone("a")
		r.occupy("127.0.0.1:9090", true)
		r.apply(control.VerbUpdate, plan(newApp("a", 9090))).gives(control.ResultDone)
		r.pass(time.Minute)
		r.leadsTo("127.0.0.1:8080", "a")
		r.occupy("127.0.0.1:9090", false)
		r.leadsTo("127.0.0.1:9090", "a")
	})
}

// TestAddressPassesOn: from an app that goes to one that comes, whatever the
// first one is doing, with the same socket.
func TestAddressPassesOn(t *testing.T) {
	for name, prepare := range map[string]func(*rig){
		"which serves":        func(*rig) {},
		"which is stopped":    func(r *rig) { r.do(control.VerbStop, "a").gives(control.ResultDone) },
		"which has a request": func(r *rig) { r.worker(1).request("a") },
	} {
		t.Run(name, func(t *testing.T) {
			run(t, plan(newApp("a", 8080)), func(r *rig) {
				r.alone("a")
				prepare(r)
				r.apply(control.VerbUpdate, plan(newApp("b", 8080))).gives(control.ResultDone)
				r.leadsTo("127.0.0.1:8080", "b")
				r.worker(1).answered("a/1")
				r.await("the end of a", func() bool { return len(r.living("a")) == 0 })
				r.leadsTo("127.0.0.1:8080", "b")
				r.boundOnce("127.0.0.1:8080")
			})
		})
	}
}

// TestSwap: two apps change places. No address is closed on the way, however
// long one of them takes.
func TestSwap(t *testing.T) {
	run(t, plan(newApp("a", 8080), newApp("b", 8081)), func(r *rig) {
		r.alone("a")
		r.alone("b")
		r.always("b", behaviour{readyAfter: time.Minute})
		r.apply(control.VerbUpdate, plan(newApp("a", 8081), newApp("b", 8080))).gives(control.ResultDone)
		r.leadsTo("127.0.0.1:8081", "a")
		r.leadsTo("127.0.0.1:8080", "b")
		r.boundOnce("127.0.0.1:8080", "127.0.0.1:8081")
	})
}

// TestSwapThatFails: what nobody wants any more is closed when the attempt to
// move there has been given up.
func TestSwapThatFails(t *testing.T) {
	run(t, plan(newApp("a", 8080), newApp("b", 8081)), func(r *rig) {
		r.alone("a")
		r.alone("b")
		r.always("b", behaviour{startErr: context.Canceled})
		r.apply(control.VerbUpdate, plan(newApp("a", 8081), newApp("b", 8080))).wait()
		r.leadsTo("127.0.0.1:8081", "a")
		sockets, _ := r.s.Sockets(context.Background())
		if len(sockets) != 1 {
			t.Errorf("sockets: %+v", sockets)
		}
	})
}

// TestAddressComesBack: taken over by another app while its own was being
// removed, and given back to it in one update.
func TestAddressComesBack(t *testing.T) {
	run(t, plan(newApp("a", 8080)), func(r *rig) {
		r.alone("a")
		r.worker(1).request("a") // it drains on
		r.apply(control.VerbUpdate, plan(newApp("b", 8080))).gives(control.ResultDone)
		r.leadsTo("127.0.0.1:8080", "b")
		r.apply(control.VerbUpdate, plan(newApp("a", 8080), newApp("b", 8081))).gives(control.ResultDone)
		r.leadsTo("127.0.0.1:8080", "a")
		r.leadsTo("127.0.0.1:8081", "b")
		r.boundOnce("127.0.0.1:8080", "127.0.0.1:8081")
		r.worker(1).answered("a/1")
	})
}

// TestMovesInARow: a second move that comes while the first is being bound.
func TestMovesInARow(t *testing.T) {
	prepare := func(r *rig) { r.binding = time.Second }
	runWith(t, plan(newApp("a", 8080)), prepare, func(r *rig) {
		r.leadsTo("127.0.0.1:8080", "a")
		r.alone("a")
		for _, port := range []int{9090, 9091, 9090} {
			r.apply(control.VerbUpdate, plan(newApp("a", port))).gives(control.ResultDone)
		}
		r.leadsTo("127.0.0.1:9090", "a")
		if r.count("in use 127.0.0.1:9090") > 0 {
			t.Errorf("it was in the way of itself:\n%s", r.tale())
		}
	})
}

// TestRemovedIsRefused: also while the app has requests that it was given before.
// What another app has taken over by then is left alone.
func TestRemovedIsRefused(t *testing.T) {
	run(t, plan(newApp("a", 8080), newApp("b", 8081)), func(r *rig) {
		r.alone("a")
		r.alone("b")
		w := r.worker(1)
		w.request("a")
		w.request("b")
		r.apply(control.VerbUpdate, plan(newApp("c", 8081))).gives(control.ResultDone)
		r.alone("c")
		r.leadsTo("127.0.0.1:8081", "c")
		r.pass(time.Second)
		sockets, err := r.s.Sockets(context.Background())
		if err != nil || len(sockets) != 1 || sockets[0].Apps[0] != "c" {
			t.Errorf("sockets: %+v, %v\n%s", sockets, err, r.tale())
		}
		if len(r.living("a")) != 1 || len(r.living("b")) != 1 {
			t.Errorf("requests are cut off:\n%s", r.tale())
		}
		r.apply(control.VerbUpdate, plan(newApp("a", 8080), newApp("c", 8081)))
		r.leadsTo("127.0.0.1:8080", "a")
		r.boundOnce("127.0.0.1:8081")
	})
}

// TestRemovedWhileItIsBound: the socket that comes too late is closed.
func TestRemovedWhileItIsBound(t *testing.T) {
	prepare := func(r *rig) { r.binding = time.Minute }
	runWith(t, plan(newApp("a", 8080)), prepare, func(r *rig) {
		r.alone("a")
		r.apply(control.VerbUpdate, plan()).gives(control.ResultDone)
		r.pass(2 * time.Minute)
		if n := r.count("bound"); n != 1 {
			t.Errorf("it was bound %d times", n)
		}
		if sockets, _ := r.s.Sockets(context.Background()); len(sockets) != 0 {
			t.Errorf("sockets: %+v", sockets)
		}
	})
}
