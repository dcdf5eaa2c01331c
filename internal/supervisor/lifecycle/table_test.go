package lifecycle

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the golden file")

// TestEveryCellIsDecidedOnce fails if a pair of state and event is forgotten,
// or decided in two ways.
func TestEveryCellIsDecidedOnce(t *testing.T) {
	for s := range rows {
		for e := Event(0); e < numEvents; e++ {
			n := 0
			if _, ok := rows[s].on[e]; ok {
				n++
			}
			n += count(rows[s].ignore, e) + count(rows[s].never, e)
			if n != 1 {
				t.Errorf("%v in %v: decided %d times", e, State(s), n)
			}
		}
	}
}

func count(list []Event, e Event) (n int) {
	for _, x := range list {
		if x == e {
			n++
		}
	}
	return n
}

func TestTableIsTheGoldenOne(t *testing.T) {
	const golden = "testdata/table.golden"
	got := dump()
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the table differs from %s; if that is meant, run go test -update\n%s", golden, got)
	}
}

func dump() string {
	var b strings.Builder
	for s := State(0); s < numStates; s++ {
		fmt.Fprintf(&b, "%v\n", s)
		for e := Event(0); e < numEvents; e++ {
			transition, err := Step(s, e)
			switch {
			case err != nil:
				fmt.Fprintf(&b, "  %-16v error\n", e)
			case transition.Ignored:
				fmt.Fprintf(&b, "  %-16v ignored\n", e)
			default:
				fmt.Fprintf(&b, "  %-16v → %-10v %v\n", e, transition.Next, transition.Effects)
			}
		}
	}
	return b.String()
}

func TestEveryStateIsReachedAndEnds(t *testing.T) {
	for s := State(0); s < numStates; s++ {
		if !reaches(Starting, s) {
			t.Errorf("%v is never reached", s)
		}
		if !reaches(s, Gone) {
			t.Errorf("from %v there is no way to the end", s)
		}
	}
}

func reaches(from, goal State) bool {
	seen := map[State]bool{from: true}
	for todo := []State{from}; len(todo) > 0; todo = todo[1:] {
		for e := Event(0); e < numEvents; e++ {
			if next := table[todo[0]][e]; next.decided && !seen[next.Next] {
				seen[next.Next] = true
				todo = append(todo, next.Next)
			}
		}
	}
	return seen[goal]
}

// TestStopSignalOnlyAfterDraining: an instance that has served is never sent
// its stop signal before it is drained.
func TestStopSignalOnlyAfterDraining(t *testing.T) {
	for s := State(0); s < numStates; s++ {
		for e := Event(0); e < numEvents; e++ {
			for _, effect := range table[s][e].Effects {
				if effect == SendStop && s != Draining && s != Probing {
					t.Errorf("%v in %v sends the stop signal", e, s)
				}
			}
		}
	}
}

// TestRoutingChangesArePublished: a step that changes whether new requests go
// to an instance tells the workers.
func TestRoutingChangesArePublished(t *testing.T) {
	for s := State(0); s < numStates; s++ {
		for e := Event(0); e < numEvents; e++ {
			cell := table[s][e]
			if !cell.decided || s.Routed() == cell.Next.Routed() {
				continue
			}
			published := false
			for _, effect := range cell.Effects {
				published = published || effect == Publish
			}
			if !published {
				t.Errorf("%v in %v changes the routing and does not publish it", e, s)
			}
		}
	}
}

func TestStepRefuses(t *testing.T) {
	for _, c := range []struct {
		s State
		e Event
	}{{Gone, Exited}, {Serving, Launched}, {State(-1), Kill}, {numStates, Kill}, {Serving, numEvents}} {
		if _, err := Step(c.s, c.e); err == nil {
			t.Errorf("Step(%v, %v) gives no error", c.s, c.e)
		}
	}
}

func TestStateText(t *testing.T) {
	for s := State(0); s < numStates; s++ {
		text, _ := s.MarshalText()
		var back State
		if err := back.UnmarshalText(text); err != nil || back != s {
			t.Errorf("%v reads back as %v, %v", s, back, err)
		}
	}
	var s State
	if err := s.UnmarshalText([]byte("resting")); err == nil {
		t.Error("an unknown name is read")
	}
}
