package supervisor

import (
	"testing"
	"time"

	"gracevisor/internal/control"
)

func TestRestartGoesStepByStep(t *testing.T) {
	run(t, plan(newApp("demo", 8080)), func(r *rig) {
		r.alone("demo")
		w := r.worker(1)
		if got := w.request("demo"); got != "demo/1" {
			t.Fatalf("the request goes to %q", got)
		}
		r.forget()
		r.always("demo", behaviour{readyAfter: time.Second, stopTakes: time.Second, lingers: time.Second})
		r.do(control.VerbRestart, "demo").gives(control.ResultDone)
		r.pass(time.Minute)
		if r.count("signal") > 0 {
			t.Fatalf("stopped with a request in flight:\n%s", r.all())
		}
		w.answered("demo/1")
		r.alone("demo")
		r.inOrder(
			"clone demo/2",
			"launched demo/2",
			"table 3 at worker 1: demo serving demo/1=draining demo/2=serving [127.0.0.1:8080]",
			"ack 3 by worker 1",
			"result restart demo done",
			"drained demo/1 at worker 1",
			"signal demo/1 SIGTERM",
			"exit demo/1",
			"empty demo/1",
		)
		r.look(func(s *Supervisor) {
			if _, err := s.ports.Take(); err != nil {
				t.Error(err)
			}
		})
	})
}
