package proxy

import (
	"errors"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"gracevisor/internal/proxy/handoff"
)

// oneIdle is a rig with an idle connection.
func oneIdle(t *testing.T) (*rig, *peer) {
	t.Helper()
	r := newRig(t, nil)
	r.serve(gatedApp(t, "one", nil).addr)
	c := r.dial()
	if got := c.get("/"); got != "one" {
		t.Fatal(got)
	}
	return r, c
}

// TestDeathOfTheReceiver: before the commit, whenever it dies the connections
// are the old worker's, which goes on with them.
func TestDeathOfTheReceiver(t *testing.T) {
	for name, die := range map[string]func(*otherWorker){
		"at once":             func(*otherWorker) {},
		"before it looks":     func(w *otherWorker) { w.offered() },
		"after a wrong word":  func(w *otherWorker) { w.offered(); w.Answer(handoff.Answer{Number: 99}) },
		"after a strange one": func(w *otherWorker) { w.offered(); w.Commit(1) },
		"after it refused": func(w *otherWorker) {
			o := w.offered()
			w.Answer(handoff.Answer{Number: o.Number, Refused: []int{0}})
			w.Receive()
		},
	} {
		t.Run(name, func(t *testing.T) {
			r, c := oneIdle(t)
			w := r.takeFrom(t)
			r.proxy.Drain()
			die(w)
			w.Close()
			if got := c.get("/"); got != "one" {
				t.Errorf("got %q", got)
			}
			c.Close()
			r.left()
		})
	}
}

// TestDeathOfTheReceiverInARequest: a connection that was to be moved after its
// answer, and that nobody takes any more, ends with it.
func TestDeathOfTheReceiverInARequest(t *testing.T) {
	gate := make(chan struct{})
	r := newRig(t, nil)
	r.serve(gatedApp(t, "one", gate).addr)
	c := r.dial()
	c.send("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n")
	eventually(t, "the app has the request", func() bool {
		n := r.counters().Instances
		return len(n) == 1 && n[0].InFlight == 1
	})
	w := r.takeFrom(t)
	r.proxy.Drain()
	w.Close()
	eventually(t, "it is noticed", func() bool { return !r.proxy.moving() })
	close(gate)
	if head := c.head(); !strings.Contains(head, "Connection: close") {
		t.Errorf("got %q", head)
	}
	c.expect("one")
	r.left()
}

// TestDeathOfTheReceiverInATunnel: it goes on where it was.
func TestDeathOfTheReceiverInATunnel(t *testing.T) {
	r := newRig(t, tcpMode)
	r.serve(newBackend(t, echo).addr)
	c := r.dial()
	c.send("one")
	c.expect("one")
	w := r.takeFrom(t)
	r.proxy.Drain()
	o := w.offered()
	c.send("two")
	closeOffer(o)
	w.Close()
	c.expect("two")
	next := r.successor()
	r.handOut(next) // the next one that stands in gets it
	r.left()
	c.send("three")
	c.expect("three")
}

// TestDeathAfterCommit: what was given away is not touched any more.
func TestDeathAfterCommit(t *testing.T) {
	r, c := oneIdle(t)
	w := r.takeFrom(t)
	r.proxy.Drain()
	o := w.offered()
	w.Answer(handoff.Answer{Number: o.Number})
	if said, err := w.Receive(); err != nil {
		t.Fatalf("got %T, %v", said, err)
	}
	r.left()
	c.send("x") // only the test could answer now
	if n, err := recvAll(o.Connections[0].Files[0]); n != 1 || err != nil {
		t.Errorf("got %d bytes, %v", n, err)
	}
	closeOffer(o)
	if got, err := c.rest(); got != "" {
		t.Errorf("got %q, %v", got, err)
	}
}

// recvAll waits for bytes of a socket and counts them.
func recvAll(fd int) (int, error) {
	for {
		n, errno := recv(fd, make([]byte, 10), 0)
		if !again(errno) {
			if errno != 0 {
				return 0, errno
			}
			return n, nil
		}
	}
}

// offer makes an offer of a connection to r's app.
func offer(t *testing.T, w *otherWorker, kind handoff.Kind, files ...int) {
	t.Helper()
	var b handoff.Batch
	h := &handoff.Connection{Kind: kind, App: "demo", Listener: "main", Files: files}
	if kind == handoff.Tunnel {
		h.Instance = "demo/1"
		h.Up.Data = []byte("held")
	}
	if err := b.Add(h); err != nil {
		t.Fatal(err)
	}
	if err := w.Offer(1, &b); err != nil {
		t.Fatal(err)
	}
}

func (w *otherWorker) answered(refused int) {
	w.t.Helper()
	said, err := w.Receive()
	a, ok := said.(*handoff.Answer)
	if !ok || a.Number != 1 || len(a.Refused) != refused {
		w.t.Fatalf("got %T %+v, %v", said, said, err)
	}
}

// TestDeathOfTheSender: what it has offered and not taken back is served.
func TestDeathOfTheSender(t *testing.T) {
	for name, c := range map[string]struct {
		say    func(*otherWorker)
		served bool
	}{
		"before the answer": {func(*otherWorker) {}, true},
		"after it":          {func(w *otherWorker) { w.answered(0) }, true},
		"after the commit":  {func(w *otherWorker) { w.answered(0); w.Commit(1) }, true},
		"withdrawn":         {func(w *otherWorker) { w.answered(0); w.Withdraw(1) }, false},
		"withdrawn blindly": {func(w *otherWorker) { w.Withdraw(1) }, false},
		"out of order":      {func(w *otherWorker) { w.answered(0); w.Commit(7) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, nil)
			r.serve(gatedApp(t, "one", nil).addr)
			client, fd := socketPair(t)
			client.send(getRequest)
			w := r.giveTo(t)
			offer(t, w, handoff.HTTP, fd)
			c.say(w)
			w.Close()
			if c.served {
				if got := client.answer(); got != "one" {
					t.Errorf("got %q", got)
				}
				return
			}
			eventually(t, "it is forgotten", func() bool { return r.proxy.gate.n.Load() == 0 && noSocks(r.proxy) })
			if n, err := recvAll(fd); n == 0 || err != nil {
				t.Errorf("somebody has read from it: %d, %v", n, err)
			}
			if n := r.counters().Requests; n != 0 {
				t.Errorf("%d requests were served", n)
			}
		})
	}
}

func noSocks(p *Proxy) bool {
	for i := range p.sweep.shards {
		sh := &p.sweep.shards[i]
		sh.mu.Lock()
		defer sh.mu.Unlock()
		if len(sh.socks) > 0 {
			return false
		}
	}
	return true
}

// TestTunnelBetweenTwo: as long as it is offered a tunnel counts in the new
// worker, and no more once it is withdrawn.
func TestTunnelBetweenTwo(t *testing.T) {
	r := newRig(t, tcpMode)
	r.serve(newBackend(t, echo).addr)
	client, fd := socketPair(t)
	server, fd2 := socketPair(t)
	for _, commit := range []bool{false, true} {
		w := r.giveTo(t)
		offer(t, w, handoff.Tunnel, fd, fd2)
		w.answered(0)
		if n := r.counters().Instances[0].InFlight; n != 1 {
			t.Errorf("%d in flight", n)
		}
		if !commit {
			w.Withdraw(1)
			eventually(t, "it is forgotten", func() bool { return r.counters().Instances[0].InFlight == 0 })
			continue
		}
		w.Commit(1)
		server.expect("held")
		client.send("more")
		server.expect("more")
	}
}

// TestRefusalByVersion: an offer of a version that is not known is refused as a
// whole, and nothing of it is touched.
func TestRefusalByVersion(t *testing.T) {
	r := newRig(t, nil)
	r.serve(gatedApp(t, "one", nil).addr)
	client, fd := socketPair(t)
	client.send("x")
	for version := range 3 {
		w := r.giveTo(t)
		w.SpeakVersion(uint16(version + handoff.Version + 1))
		offer(t, w, handoff.HTTP, fd)
		w.answered(1)
		w.Commit(1)
		w.Close()
	}
	w := r.giveTo(t)
	offer(t, w, "strange", fd)
	w.answered(1)
	if n, err := recvAll(fd); n != 1 || err != nil {
		t.Errorf("somebody has read from it: %d, %v", n, err)
	}
	if n := r.proxy.gate.n.Load(); n != 0 {
		t.Errorf("%d connections", n)
	}
}

// TestMoveToAProxyThatLeaves: it takes no more.
func TestMoveToAProxyThatLeaves(t *testing.T) {
	r, c := oneIdle(t)
	next := r.successor()
	next.proxy.Drain()
	r.moveTo(next)
	eventually(t, "it is refused", func() bool { return !anyFrozen(r.proxy) })
	if got := c.get("/"); got != "one" {
		t.Errorf("got %q", got)
	}
	c.Close()
	r.left()
}

// TestMoveOn: a worker that takes over and leaves itself gives away what it got.
func TestMoveOn(t *testing.T) {
	r, c := oneIdle(t)
	second := r.successor()
	third := second.successor()
	second.handOut(third)
	r.moveTo(second)
	r.left()
	second.proxy.Drain()
	second.left()
	c.send(getRequest)
	c.stays("one")
	if n := third.counters(); n.Connections != 1 || n.Requests != 1 {
		t.Errorf("counted %+v", n)
	}
}

// TestMoveOnOfALateOne: a connection that is let in, and has its socket only when
// the worker has told all others to stop, is moved on too.
func TestMoveOnOfALateOne(t *testing.T) {
	r, c := oneIdle(t)
	client, fd := socketPair(t)
	own, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	late, _ := r.proxy.claim(&handoff.Connection{Kind: handoff.HTTP, App: "demo", Listener: "main"})
	next := r.successor()
	r.moveTo(next)
	eventually(t, "the other one is moved", func() bool { return next.counters().Connections == 1 })
	if err := late.own(own); err != nil {
		t.Fatal(err)
	}
	(&receiver{proxy: r.proxy, parked: []*conn{late}}).serve()
	r.left()
	for _, c := range []*peer{c, client} {
		c.send(getRequest)
		c.stays("one")
	}
}

// TestMoveOnInAHead: a client that has sent a part of a head gets no more time for
// the rest when it passes through a worker that leaves itself.
func TestMoveOnInAHead(t *testing.T) {
	r := newRig(t, nil)
	r.serve(gatedApp(t, "one", nil).addr)
	client, fd := socketPair(t)
	from, to := r.giveTo(t), r.takeFrom(t)
	const left = time.Hour
	h := &handoff.Connection{Kind: handoff.HTTP, App: "demo", Listener: "main", Left: left, Files: []int{fd}}
	h.Up.Data = []byte("GET / HT")
	var b handoff.Batch
	if err := errors.Join(b.Add(h), from.Offer(1, &b)); err != nil {
		t.Fatal(err)
	}
	from.answered(0)
	r.proxy.Drain()
	if err := from.Commit(1); err != nil {
		t.Fatal(err)
	}
	o := to.offered()
	defer closeOffer(o)
	if got := o.Connections[0]; string(got.Up.Data) != "GET / HT" || got.Left <= 0 || got.Left > left {
		t.Errorf("moved on with %q and %s left", got.Up.Data, got.Left)
	}
	client.Close()
}

// TestAnotherMover: who is told to move to another worker gives it what the
// first has not taken.
func TestAnotherMover(t *testing.T) {
	r, c := oneIdle(t)
	w := r.takeFrom(t)
	r.proxy.Drain()
	o := w.offered()
	next := r.successor()
	r.handOut(next)
	w.Answer(handoff.Answer{Number: o.Number, Refused: []int{0}})
	r.left()
	closeOffer(o)
	c.send(getRequest)
	c.stays("one")
}

// TestCloseInAMove: a proxy that is closed with an offer under way ends.
func TestCloseInAMove(t *testing.T) {
	r, c := oneIdle(t)
	w := r.takeFrom(t)
	r.proxy.Drain()
	closeOffer(w.offered())
	r.proxy.Close()
	if got, _ := c.rest(); got != "" {
		t.Errorf("got %q", got)
	}
	never := newRig(t, nil)
	never.takeFrom(t)
	never.giveTo(t)
	never.proxy.Close()
}
