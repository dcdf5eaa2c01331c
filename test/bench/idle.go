package main

import (
	"context"
	"fmt"
	"os"

	"gracevisor/test/bench/rig"
)

// measureIdle prints the CPU time of a daemon that does nothing but check its
// apps each second.
func measureIdle(ctx context.Context, s *stage) error {
	r, err := s.startAll(ctx, plan{name: "idle", apps: s.checked, checked: true, parallel: s.parallel})
	if err != nil {
		return err
	}
	if err := rest(ctx, settleTime); err != nil {
		return err
	}
	status, err := r.Status(ctx)
	if err != nil {
		return err
	}
	begun, err := rig.Monotonic()
	if err != nil {
		return err
	}
	before, err := cpuOf(status)
	if err != nil {
		return err
	}
	if err := rest(ctx, s.idleTime); err != nil {
		return err
	}
	after, err := cpuOf(status)
	if err != nil {
		return err
	}
	ended, err := rig.Monotonic()
	if err != nil {
		return err
	}
	table := &rig.Table{Head: []string{fmt.Sprintf("CPU with %d apps, each checked each second, over %v", s.checked, s.idleTime),
		"of one core (aim: 1 %)"}}
	share := func(n int) float64 { return 100 * (after[n] - before[n]).Seconds() / (ended - begun).Seconds() }
	for n, role := range roles {
		table.Add(role, fmt.Sprintf("%.2f %%", share(n)))
	}
	table.Add("both", fmt.Sprintf("%.2f %%", share(0)+share(1)))
	fmt.Println()
	table.Print(os.Stdout)
	// It has to be the same worker, and all apps well.
	if _, err := rig.CPUTime(status.Workers[0].PID); err != nil {
		return err
	}
	_, err = r.AwaitServing(ctx)
	return err
}
