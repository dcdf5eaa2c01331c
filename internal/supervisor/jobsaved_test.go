package supervisor

import (
	"testing"
	"time"

	"gracevisor/internal/control"
)

// TestNothingIsToldUnsaved: what a crash takes back nobody has heard of, so that
// no number is given to two jobs, and nothing is said to be called off that is
// not.
func TestNothingIsToldUnsaved(t *testing.T) {
	run(t, plan(newApp("demo", 8080)), func(r *rig) {
		r.alone("demo")
		r.heard()
		began, old := make(chan operationAnswer, 1), r.life
		r.crashAfter(askOperation{control.Request{Verb: control.VerbRestart, Apps: []string{"demo"}}, began})
		if told := r.heardFrom(old); len(began)+len(told) > 0 {
			t.Errorf("an operation was said to have begun: %q", told)
		}
		r.always("demo", behaviour{readyAfter: time.Hour})
		r.do(control.VerbRestart, "demo")
		r.hears("new 1 restart demo")

		canceled, list := make(chan error, 1), make(chan []control.Job, 1)
		r.crashAfter(askCancel{1, "", canceled}, askJobs{list})
		if len(canceled)+len(list) > 0 {
			t.Error("a job was said to be called off")
		}
		r.hears()
		r.hasJobs("1 restart demo running")
	})
}

// TestFreezeTellsFirst: a successor takes what has happened as told.
func TestFreezeTellsFirst(t *testing.T) {
	run(t, plan(newApp("demo", 8080)), func(r *rig) {
		r.alone("demo")
		r.heard()
		old := r.life
		began, frozen, thaw := make(chan operationAnswer, 1), make(chan error, 1), make(chan struct{})
		r.s.post(together{
			askOperation{control.Request{Verb: control.VerbKill, Apps: []string{"demo"}}, began},
			askFreeze{false, frozen, thaw},
		})
		if err := <-frozen; err != nil || len(began) != 1 {
			t.Fatalf("frozen: %v, with %d answers", err, len(began))
		}
		r.hears("new 1 kill demo", "removed 1 kill demo done")
		old.thaw = func() { close(thaw) }
		close(old.over)
		r.settle()
		r.succeed(old)
		r.hears()
	})
}

// TestReadersDoNotHoldUp: an operation is answered while others ask again and
// again.
func TestReadersDoNotHoldUp(t *testing.T) {
	run(t, plan(newApp("demo", 8080)), func(r *rig) {
		r.alone("demo")
		began := make(chan operationAnswer, 1)
		reader := &again{left: 10 * longestBatch, other: began}
		r.s.post(together{reader, askOperation{control.Request{Verb: control.VerbStop, Apps: []string{"demo"}}, began}})
		r.settle()
		if reader.left > 0 || !reader.seen {
			t.Error("it was answered after all others")
		}
	})
}

// again is a message of the tests that comes as often as it says.
type again struct {
	left  int
	other chan operationAnswer
	seen  bool // while it came, the other was answered
}

func (m *again) deliver(s *Supervisor) {
	m.seen = m.seen || len(m.other) > 0
	if m.left--; m.left > 0 {
		s.inbox <- m // in the place of the one that was taken out
	}
}
