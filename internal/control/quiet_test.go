package control

import (
	"testing"
	"time"
)

func TestQuieterCountsWhatItHolds(t *testing.T) {
	var q Quieter
	now := time.Unix(1000, 0)
	for _, c := range []struct {
		after   time.Duration
		skipped int
		ok      bool
	}{
		{0, 0, true},
		{time.Second, 0, false},
		{quietTime - time.Nanosecond, 0, false},
		{quietTime, 2, true},
		{2 * quietTime, 0, true},
	} {
		if skipped, ok := q.Pass(now.Add(c.after)); skipped != c.skipped || ok != c.ok {
			t.Errorf("after %s: %d, %v", c.after, skipped, ok)
		}
	}
}

func TestQuieterLetsABurstPass(t *testing.T) {
	q := Quieter{Burst: 2}
	now := time.Unix(1000, 0)
	for n, want := range []bool{true, true, true, false, false} {
		if _, ok := q.Pass(now.Add(time.Duration(n) * time.Second)); ok != want {
			t.Errorf("number %d passes: %v", n, ok)
		}
	}
	if skipped, ok := q.Pass(now.Add(quietTime)); !ok || skipped != 2 {
		t.Errorf("later: %d, %v", skipped, ok)
	}
}
