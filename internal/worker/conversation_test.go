package worker

import (
	"os"
	"strings"
	"testing"

	"gracevisor/internal/wire"
)

func TestGreeting(t *testing.T) {
	k := start(t)
	if ready := k.greet(); ready.PID != os.Getpid() {
		t.Errorf("got %+v", *ready)
	}
	k.say(&wire.Ping{Number: 4711})
	if pong := next[*wire.Pong](k.supervisor); pong.Number != 4711 {
		t.Errorf("got %+v", *pong)
	}
}

// TestProtocolErrors: a supervisor that does not keep to the protocol is left,
// with an error that says why.
func TestProtocolErrors(t *testing.T) {
	wrongRevision := func(k *task) {
		memfd, err := wire.WriteTable(&wire.Table{Revision: 2})
		if err != nil {
			t.Fatal(err)
		}
		defer memfd.Close()
		k.say(&wire.TableOrder{Revision: 3}, memfd)
	}
	noTable := func(k *task) {
		f, err := os.CreateTemp(t.TempDir(), "")
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		k.say(&wire.TableOrder{Revision: 1}, f)
	}
	for name, k := range map[string]struct {
		greeted bool
		say     func(*task)
		want    string
	}{
		"another version":         {false, func(k *task) { k.say(&wire.Hello{Version: wire.Version + 1}) }, "it speaks version 2"},
		"no greeting":             {false, func(k *task) { k.say(&wire.Drain{}) }, "it says *wire.Drain before Hello"},
		"an end before the Hello": {false, func(k *task) { k.conn.Close() }, "wait for the supervisor: EOF"},
		"a second greeting":       {true, func(k *task) { k.say(&wire.Hello{Version: wire.Version}) }, "unexpected *wire.Hello"},
		"what a worker says":      {true, func(k *task) { k.say(&wire.Ack{Revision: 1}) }, "unexpected *wire.Ack"},
		"another table":           {true, wrongRevision, "it is 2, not 3 as announced"},
		"no table":                {true, noTable, "read table"},
	} {
		t.Run(name, func(t *testing.T) {
			w := start(t)
			if k.greeted {
				w.greet()
			}
			k.say(w)
			if err := w.end(); err == nil || !strings.Contains(err.Error(), k.want) {
				t.Errorf("got %v, want %q", err, k.want)
			}
		})
	}
}

// TestTable: a table is in force when it is acknowledged, and what of it can not
// be is told.
func TestTable(t *testing.T) {
	k := begin(t)
	first, second := newInstance(t, "a/1"), newInstance(t, "a/2")
	l := k.listen("a")
	k.app("a", first.Instance)
	k.apply()
	c := dial(t, l)
	c.served(first)

	k.table.Apps[0].Instances = []wire.Instance{second.Instance}
	k.apply()
	next[*wire.Drained](k.supervisor)
	c.served(second)

	k.app("b")
	revision := k.order()
	if ack := next[*wire.Ack](k.supervisor); ack.Revision != revision || !strings.Contains(ack.Error, `no listener "b"`) {
		t.Errorf("got %+v", *ack)
	}
	c.served(second)
}

// TestUnusableFile: a file that is no listener is told of in the log, and the
// worker goes on.
func TestUnusableFile(t *testing.T) {
	k := begin(t)
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	k.say(&wire.Files{Names: []string{"a"}}, f)
	k.say(&wire.Ping{Number: 1})
	next[*wire.Pong](k.supervisor)
	if log := k.log.String(); !strings.Contains(log, "cannot use file from the supervisor") || !strings.Contains(log, "file=a") {
		t.Errorf("got %q", log)
	}
}

// TestAckBeforeDrained: that an instance has drained by a table is told after
// that table is acknowledged, with its revision; and again with each table, for a
// supervisor that has taken over.
func TestAckBeforeDrained(t *testing.T) {
	k := begin(t)
	old, fresh := newInstance(t, "a/1"), newInstance(t, "a/2")
	l := k.listen("a")
	k.app("a", old.Instance)
	k.apply()
	dial(t, l).served(old)
	drains := func(id string) {
		t.Helper()
		if drained := next[*wire.Drained](k.supervisor); drained.Instance != id || drained.Revision != k.table.Revision {
			t.Errorf("table %d: got %+v", k.table.Revision, *drained)
		}
	}
	old.Role = wire.RoleDraining
	k.table.Apps[0].Instances = []wire.Instance{old.Instance, fresh.Instance}
	for range 3 {
		k.apply() // next fails if Drained comes before the Ack
		drains("a/1")
	}

	// What is in flight is told of when it has ended.
	c := dial(t, l)
	c.ask()
	<-fresh.asked
	fresh.Role = wire.RoleDraining
	third := newInstance(t, "a/3")
	k.table.Apps[0].Instances = []wire.Instance{fresh.Instance, third.Instance}
	k.apply()
	dial(t, l).served(third)
	k.say(&wire.Ping{Number: 1})
	next[*wire.Pong](k.supervisor) // and no Drained
	fresh.let <- struct{}{}
	c.answered()
	drains("a/2")
}

// TestProbe: probes are made on order, and not after it was taken back.
func TestProbe(t *testing.T) {
	k := begin(t)
	i := newInstance(t, "a/1")
	i.let <- struct{}{}
	target := wire.Target{Network: "tcp", Address: i.Address}
	k.say(&wire.Probe{Instance: "a/1", Targets: []wire.Target{target}, Path: "/health", Host: "h", Timeout: deadMan, Interval: deadMan})
	if r := next[*wire.ProbeResult](k.supervisor); r.Instance != "a/1" || r.Verdict != wire.Passing || r.Target != target {
		t.Errorf("got %+v", *r)
	}
	k.say(&wire.Unprobe{Instance: "a/1"})
	k.say(&wire.Ping{Number: 1})
	next[*wire.Pong](k.supervisor)
}
