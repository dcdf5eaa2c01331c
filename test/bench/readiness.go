package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"gracevisor/internal/control"
	"gracevisor/test/bench/rig"
)

// measureReadiness prints the time from an app's readiness to its first
// request: of one that waits already, and of a client that asks without a pause
// while the app is replaced.
func measureReadiness(ctx context.Context, s *stage) error {
	table := timesTable("from readiness to the first request (aim: 5 ms)")
	for _, checked := range []bool{false, true} {
		name := "no healthcheck"
		if checked {
			name = "healthcheck"
		}
		r, err := s.startAll(ctx, plan{name: fmt.Sprintf("readiness-%v", checked), apps: 1, checked: checked})
		if err != nil {
			return err
		}
		starts, err := s.sampleStarts(ctx, r)
		if err != nil {
			return err
		}
		restarts, err := s.sampleRestarts(ctx, r)
		if err != nil {
			return err
		}
		addTimes(table, "start, the request waits; "+name, starts)
		addTimes(table, "restart, a client asks all the time; "+name, restarts)
		if err := r.Stop(); err != nil {
			return err
		}
	}
	fmt.Println()
	table.Print(os.Stdout)
	return nil
}

// timesTable is for rows of addTimes.
func timesTable(title string) *rig.Table {
	return &rig.Table{Head: []string{title, "median", "p90", "worst", "samples"}}
}

func addTimes(t *rig.Table, name string, times []time.Duration) {
	t.Add(name, milliseconds(rig.Median(times)), milliseconds(rig.Quantile(times, 0.9)),
		milliseconds(rig.Quantile(times, 1)), fmt.Sprint(len(times)))
}

func milliseconds(d time.Duration) string {
	return fmt.Sprintf("%.2f ms", float64(d)/float64(time.Millisecond))
}

// alone waits until the only app has one instance, or none if it is stopped.
func alone(ctx context.Context, r *running, state string, instances int) error {
	_, err := r.Await(ctx, func(status *control.Status) bool {
		return status.Apps[0].State == state && len(status.Apps[0].Instances) == instances
	})
	return err
}

// sampleStarts stops the app, and starts it while a request waits.
func (s *stage) sampleStarts(ctx context.Context, r *running) ([]time.Duration, error) {
	return s.sample(ctx, r, control.VerbStart, func() error {
		if err := r.Begin(ctx, control.Request{Verb: control.VerbStop, Apps: []string{appName(0)}}); err != nil {
			return err
		}
		return alone(ctx, r, "stopped", 0)
	})
}

// sampleRestarts replaces the app.
func (s *stage) sampleRestarts(ctx context.Context, r *running) ([]time.Duration, error) {
	return s.sample(ctx, r, control.VerbRestart, func() error { return nil })
}

func (s *stage) sample(ctx context.Context, r *running, verb control.Verb, prepare func() error) ([]time.Duration, error) {
	visitor := r.visit(0)
	defer visitor.close()
	var times []time.Duration
	for range s.samples {
		before, err := visitor.ask(ctx)
		if err != nil {
			return nil, err
		}
		if err := prepare(); err != nil {
			return nil, err
		}
		if err := r.Begin(ctx, control.Request{Verb: verb, Apps: []string{appName(0)}}); err != nil {
			return nil, err
		}
		after, err := visitor.askUntil(ctx, func(l life) bool { return l.PID != before.PID })
		if err != nil {
			return nil, err
		}
		times = append(times, after.Served-after.ready())
		if err := alone(ctx, r, "serving", 1); err != nil {
			return nil, err
		}
	}
	return times, nil
}
