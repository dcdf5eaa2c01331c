package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"gracevisor/test/bench/rig"
)

// benchmark measures everything and prints the tables as they get ready.
func benchmark(ctx context.Context, o options) error {
	o.machine = rig.Machine()
	if o.idle > 0 {
		if err := withField(ctx, o, measureIdle); err != nil {
			return err
		}
	}
	if len(o.cases) == 0 {
		return nil
	}
	return withField(ctx, o, measureLoad)
}

// withField runs something with fresh proxies. If it fails it is told what has
// become of them.
func withField(ctx context.Context, o options, measure func(context.Context, options, *field) error) error {
	f, err := openField(ctx, o)
	if err != nil {
		return err
	}
	err = measure(ctx, o, f)
	if err != nil {
		err = errors.Join(err, f.world.Check())
	}
	return errors.Join(err, f.close())
}

// samples are what was measured of a contender in a case.
type samples struct {
	// perRequest is CPU time, one value per round.
	perRequest []time.Duration
	latencies  []time.Duration
}

// measureLoad is the comparison under load.
func measureLoad(ctx context.Context, o options, f *field) error {
	report := newReport(o, f)
	for _, c := range f.contenders { // for whoever wants to look closer, with perf(1)
		fmt.Fprintf(os.Stderr, "%s: pid %d\n", c.name, c.pid)
	}
	for n, s := range o.cases {
		results := make([]samples, len(f.contenders))
		fmt.Fprintf(os.Stderr, "%d of %d: %s\n", n+1, len(o.cases), s)
		for round := range o.rounds {
			for k := range f.contenders {
				at := (round + k) % len(f.contenders)
				if err := measureOne(ctx, o, s, f.contenders[at], &results[at]); err != nil {
					return fmt.Errorf("measure %s of %s: %w", s, f.contenders[at].name, err)
				}
			}
		}
		report.add(s, results)
	}
	report.print(os.Stdout)
	return nil
}

// measureOne measures a contender once, if it takes part in the case.
func measureOne(ctx context.Context, o options, s scenario, c *contender, into *samples) error {
	if c.ports[s.door] == 0 {
		return nil
	}
	l := loadFor(c, s)
	l.warmUp, l.window, l.latencies = o.warmUp, o.window, s.clients == 1
	var readings []time.Duration
	got, err := runLoad(ctx, l, func() error {
		cpu, err := rig.CPUTime(c.pid)
		readings = append(readings, cpu)
		return err
	})
	if err != nil {
		return err
	}
	if got.bytes == 0 {
		return errors.New("nothing was served in the window")
	}
	requests := float64(got.bytes) / float64(s.size)
	into.perRequest = append(into.perRequest, time.Duration(float64(readings[1]-readings[0])/requests))
	into.latencies = append(into.latencies, got.latencies...)
	return nil
}
