package daemon

import (
	"log/slog"
	"testing"
	"time"

	"gracevisor/internal/activation"
	"gracevisor/internal/config"
	"gracevisor/internal/supervisor"
)

func TestCrashWait(t *testing.T) {
	now := time.Now()
	at := func(ages ...time.Duration) (times []time.Time) {
		for _, age := range ages {
			times = append(times, now.Add(-age))
		}
		return times
	}
	s := time.Second
	for _, c := range []struct {
		name    string
		crashes []time.Time
		want    time.Duration
	}{
		{"none", nil, 0},
		{"four at once", at(3*s, 2*s, s, 0), 0},
		{"five at once", at(4*s, 3*s, 2*s, s, 0), firstCrashWait},
		{"five in an hour", at(3600*s, 1800*s, 900*s, 60*s, 0), 0},
		{"seven at once", at(6*s, 5*s, 4*s, 3*s, 2*s, s, 0), 4 * firstCrashWait},
		{"ten at once", at(9*s, 8*s, 7*s, 6*s, 5*s, 4*s, 3*s, 2*s, s, 0), longestWait},
	} {
		if got := crashWait(c.crashes, now); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

func TestCrashesAreRemembered(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	long := time.Now().Add(-time.Hour)
	p := newPredecessor(t, &supervisor.State{})
	for range crashesKept {
		p.state.Crashes = append(p.state.Crashes, long)
	}
	p.noteCrash(log, false)
	if n := len(p.state.Crashes); n != crashesKept || p.state.Crashes[n-1].Equal(long) {
		t.Errorf("%d crashes are kept, the last at %s", n, p.state.Crashes[n-1])
	}
	planned := newPredecessor(t, &supervisor.State{Planned: true, UpdateDue: true})
	planned.noteCrash(log, false)
	if len(planned.state.Crashes) != 0 {
		t.Error("a restart counts as a crash")
	}
	var none *predecessor
	none.noteCrash(log, false)
	(&predecessor{}).noteCrash(log, false)
}

// TestCrashesWhileTakingOver: a daemon that crashes before it has taken over is
// counted, after a restart as well, and the configuration stays due.
func TestCrashesWhileTakingOver(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	first := newPredecessor(t, &supervisor.State{Plan: &config.Plan{}, Planned: true, UpdateDue: true})
	first.noteCrash(log, false)
	for n := range tooManyCrashes - 1 {
		next := readPredecessor(first.snapshot.File())
		if next.err != nil {
			t.Fatal(next.err)
		}
		next.noteCrash(log, false)
		if len(next.state.Crashes) != n+1 || !next.state.UpdateDue {
			t.Errorf("after %d crashes: %+v", n+1, next.state)
		}
	}
}

// newPredecessor has left a state.
func newPredecessor(t *testing.T, state *supervisor.State) *predecessor {
	t.Helper()
	snapshot, err := activation.NewSnapshot()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { snapshot.File().Close() })
	return &predecessor{snapshot: snapshot, state: state}
}
