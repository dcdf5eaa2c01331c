package supervisor

import (
	"context"
	"fmt"
	"sort"
	"strings"
	"time"
)

// Summary is the state of all apps in short, for the service manager.
type Summary struct {
	Serving, Starting, Stopped int
	// Failed are the names of apps that failed, sorted.
	Failed []string
	// Settled: a worker serves, and each app that is to run serves or has
	// failed.
	Settled bool
	// Stopping: the daemon is being stopped, which takes ShutdownTimeout at
	// most.
	Stopping        bool
	ShutdownTimeout time.Duration
	// LastCrash is when the daemon last crashed, if it has.
	LastCrash time.Time
}

// String is one line: "3 apps serving, 1 failed: billing".
func (s Summary) String() string {
	var parts []string
	add := func(n int, what string) {
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, what))
		}
	}
	if s.Stopping {
		parts = append(parts, "stopping")
	}
	switch s.Serving {
	case 1:
		parts = append(parts, "1 app serving")
	default:
		parts = append(parts, fmt.Sprintf("%d apps serving", s.Serving))
	}
	add(s.Starting, "starting")
	add(s.Stopped, "stopped")
	if len(s.Failed) > 0 {
		parts = append(parts, fmt.Sprintf("%d failed: %s", len(s.Failed), strings.Join(s.Failed, ", ")))
	}
	text := strings.Join(parts, ", ")
	if !s.LastCrash.IsZero() {
		text += "; last crash of the daemon: " + s.LastCrash.Format(time.RFC3339)
	}
	return text
}

// summary counts the apps.
func (s *Supervisor) summary() Summary {
	sum := Summary{Stopping: s.stopping != nil, ShutdownTimeout: s.plan.ShutdownTimeout}
	for _, a := range s.apps {
		switch a.state() {
		case "serving", "restarting":
			sum.Serving++
		case "failed":
			sum.Failed = append(sum.Failed, a.name)
		case "starting":
			sum.Starting++
		default:
			sum.Stopped++
		}
	}
	if n := len(s.crashes); n > 0 {
		sum.LastCrash = s.crashes[n-1]
	}
	sort.Strings(sum.Failed)
	sum.Settled = s.agreed() > 0 && sum.Starting == 0
	return sum
}

// Summary tells how all apps are. That it answers shows that the goroutine which
// owns the state is alive.
func (s *Supervisor) Summary(ctx context.Context) (Summary, error) {
	reply := make(chan Summary, 1)
	return ask(ctx, s, askSummary{reply}, reply)
}
