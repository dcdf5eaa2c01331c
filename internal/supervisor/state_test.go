package supervisor

import (
	"bytes"
	"encoding/json"
	"testing"

	"gracevisor/internal/config"
)

// TestStateHoldsEachPlanOnce: what is left out is found again, and a plan that
// is another one than the state's is not lost.
func TestStateHoldsEachPlanOnce(t *testing.T) {
	old := newApp("demo", 8080, func(a *config.App) { a.Command = []string{"old-command", "{port}"} })
	now := newApp("demo", 8080, func(a *config.App) { a.Command = []string{"new-command", "{port}"} })
	a := &app{name: "demo", plan: old, attempt: &attempt{plan: now}}
	a.instances = []*instance{{app: a, plan: old, number: 1}, {app: a, plan: now, number: 2}, {app: a, plan: old, number: 3}}
	whole := plan(now)
	raw, err := json.Marshal(a.save(whole.App("demo")))
	if err != nil {
		t.Fatal(err)
	}
	state := &State{Plan: whole, Apps: []json.RawMessage{raw}}
	data, err := state.Encode()
	if err != nil {
		t.Fatal(err)
	}
	// The app's own, and the attempt's and one instance's, which differ from it.
	if o, n := bytes.Count(data, []byte("old-command")), bytes.Count(data, []byte("new-command")); o != 1 || n != 3 {
		t.Errorf("the old plan is there %d times and the new one %d times: %s", o, n, data)
	}
	read, err := ReadState(data)
	if err != nil {
		t.Fatal(err)
	}
	var saved appState
	if err := json.Unmarshal(read.Apps[0], &saved); err != nil {
		t.Fatal(err)
	}
	saved.fill(read.Plan)
	got := []*config.App{saved.Plan, saved.Attempt.Plan, saved.Instances[0].Plan, saved.Instances[1].Plan, saved.Instances[2].Plan}
	for n, want := range []string{"old", "new", "old", "new", "old"} {
		if got[n] == nil || got[n].Command[0] != want+"-command" {
			t.Errorf("plan %d is %+v, not the %s one", n, got[n], want)
		}
	}
	a.plan, a.attempt.plan = now, old
	if saved := a.save(whole.App("demo")); saved.Plan != nil || saved.Attempt.Plan == nil {
		t.Errorf("beside a plan that has it so the app is saved as %+v", saved)
	}
}
