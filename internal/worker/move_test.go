package worker

import (
	"io"
	"net"
	"os"
	"testing"

	"gracevisor/internal/proxy/handoff"
	"gracevisor/internal/wire"
)

// ends are those of a socket between two workers.
func ends(t *testing.T) (from, to *os.File) {
	t.Helper()
	from, to, err := wire.Pair()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		from.Close()
		to.Close()
	})
	return from, to
}

// tie makes one worker give its connections to another.
func (s *supervisor) tie(next *supervisor) {
	s.t.Helper()
	from, to := ends(s.t)
	next.say(&wire.TakeOver{Generation: 7}, to)
	s.say(&wire.MoveTo{Generation: 8}, from)
	from.Close()
	to.Close()
	s.say(&wire.Drain{})
}

// echoInstance is an instance that sends back what it gets.
func echoInstance(t *testing.T, id string) wire.Instance {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() { // ends with the listener
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { // ends with the connection
				defer c.Close()
				_, _ = io.Copy(c, c)
			}()
		}
	}()
	return wire.Instance{ID: id, Role: wire.RoleServing, Network: "tcp", Address: l.Addr().String()}
}

// twoProcesses are two workers that go by the same table, with a listener for
// HTTP and one for TCP, of which the second accepts on neither.
func twoProcesses(t *testing.T) (first, second *child, i *instance, http, tcp net.Listener) {
	t.Helper()
	first, second = spawn(t), spawn(t)
	i = newInstance(t, "a/1")
	line := echoInstance(t, "line/1")
	for _, c := range []*child{first, second} {
		if ready := c.greet(); ready.Moves != handoff.Version {
			t.Errorf("got %+v", *ready)
		}
		h, l := c.listen("a"), c.listen("line")
		if c == first {
			http, tcp = h, l
		}
		c.app("a", i.Instance)
		c.app("line", line)
		c.table.Apps[1].Mode = "tcp"
		c.apply()
	}
	return first, second, i, http, tcp
}

func (c *client) echoed(text string) {
	c.t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		c.t.Fatal(err)
	}
	got := make([]byte, len(text))
	if _, err := io.ReadFull(c, got); err != nil || string(got) != text {
		c.t.Fatalf("got %q, %v", got, err)
	}
}

// TestMoveBetweenProcesses: the process that leaves has nothing left, and its
// clients are served by the other.
func TestMoveBetweenProcesses(t *testing.T) {
	first, second, i, http, tcp := twoProcesses(t)
	kept, busy, stream := dial(t, http), dial(t, http), dial(t, tcp)
	kept.served(i)
	stream.echoed("one")
	busy.ask()
	<-i.asked
	first.tie(second.supervisor)
	i.let <- struct{}{}
	if busy.answered() {
		t.Error("the answer says that it is the last")
	}
	first.end()
	stream.echoed("two")
	for _, c := range []*client{kept, busy} {
		if c.served(i) {
			t.Error("the answer says that it is the last")
		}
	}
}

// TestMoveToAProcessThatHasGone: the one that was to leave goes on.
func TestMoveToAProcessThatHasGone(t *testing.T) {
	first, second, i, http, tcp := twoProcesses(t)
	kept, stream := dial(t, http), dial(t, tcp)
	kept.served(i)
	stream.echoed("one")
	second.conn.Close()
	second.end()
	from, to := ends(t)
	first.say(&wire.MoveTo{Generation: 8}, from)
	from.Close()
	to.Close()
	first.say(&wire.Drain{})
	stream.echoed("two")
	for !kept.served(i) { // until it knows
	}
	kept.Close()
	stream.Close()
	first.end()
}
