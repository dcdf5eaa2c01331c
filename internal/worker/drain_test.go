package worker

import (
	"os"
	"strings"
	"syscall"
	"testing"

	"gracevisor/internal/wire"
)

// TestDrain: whatever makes a worker leave, it accepts nothing more, goes on for
// the clients that it has, and ends without an error when the last has gone.
func TestDrain(t *testing.T) {
	for name, leave := range map[string]func(*task){
		"order":   func(k *task) { k.say(&wire.Drain{}) },
		"signal":  func(k *task) { k.terminate <- syscall.SIGTERM },
		"hang-up": func(k *task) { k.conn.Close() },
		"all of it": func(k *task) {
			k.say(&wire.Drain{})
			k.say(&wire.Drain{})
			k.terminate <- os.Interrupt
			k.conn.Close()
		},
	} {
		t.Run(name, func(t *testing.T) { checkDrain(t, leave) })
	}
}

func checkDrain(t *testing.T, leave func(*task)) {
	k := begin(t)
	i := newInstance(t, "a/1")
	l := k.listen("a")
	k.app("a", i.Instance)
	k.apply()
	busy, idle, other := dial(t, l), dial(t, l), dial(t, l)
	idle.served(i)
	busy.ask()
	<-i.asked
	leave(k)

	// Nothing is accepted once an answer says that it is the last: what comes
	// then is left to the next acceptor, here the test.
	i.let <- struct{}{}
	if last := busy.answered(); !last {
		for !other.served(i) {
		}
	}
	late := dial(t, l)
	accepted, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer accepted.Close()
	if got, want := accepted.RemoteAddr().String(), late.LocalAddr().String(); got != want {
		t.Errorf("got the connection of %s, not %s", got, want)
	}

	busy.Close()
	other.Close()
	k.running()
	if !idle.served(i) { // an idle connection is served when it speaks again
		t.Error("the last answer does not say so")
	}
	idle.Close()
	if err := k.end(); err != nil {
		t.Errorf("got %v", err)
	}
}

// TestHangUpIsTold: that the supervisor has gone stands in the log.
func TestHangUpIsTold(t *testing.T) {
	k := begin(t)
	k.conn.Close()
	if err := k.end(); err != nil {
		t.Errorf("got %v", err)
	}
	if log := k.log.String(); !strings.Contains(log, "the supervisor has gone; draining") {
		t.Errorf("got %q", log)
	}
}
