package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"time"

	"gracevisor/internal/control"
	"gracevisor/test/bench/rig"
)

// measureMany prints how long many instances take to start, and what memory
// each costs: the difference to a daemon with one.
func measureMany(ctx context.Context, s *stage) error {
	one, err := s.startAll(ctx, plan{name: "one", apps: 1})
	if err != nil {
		return err
	}
	with1, err := memoryOf(ctx, one)
	if err != nil {
		return err
	}
	if err := one.Stop(); err != nil {
		return err
	}
	table := &rig.Table{Head: []string{fmt.Sprintf("starting %d instances", s.many), "all listen", "all serve", "CPU of supervisor", "of worker"}}
	var withAll [2]rig.Memory
	for _, parallel := range []int{0, s.parallel} {
		fmt.Fprintf(os.Stderr, "many: parallel_restarts %d\n", parallel)
		r, err := s.startMany(ctx, table, parallel)
		if err != nil {
			return err
		}
		if withAll, err = memoryOf(ctx, r); err != nil {
			return err
		}
		if err := r.Stop(); err != nil {
			return err
		}
	}
	fmt.Println()
	table.Print(os.Stdout)
	fmt.Println()
	printMemory(with1, withAll, s.many)
	return nil
}

// startMany starts a daemon with many apps, and adds a row with the times.
func (s *stage) startMany(ctx context.Context, table *rig.Table, parallel int) (*running, error) {
	name := fmt.Sprintf("parallel_restarts: %d", parallel)
	if parallel == 0 {
		name = fmt.Sprintf("parallel_restarts: %d (default)", runtime.NumCPU())
	}
	r, err := s.start(plan{name: fmt.Sprintf("many-%d", parallel), apps: s.many, parallel: parallel})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	if err := s.awaitUp(ctx, s.many); err != nil {
		return nil, fmt.Errorf("start %d apps: %w; the daemon says:\n%s", s.many, err, r.LastOutput())
	}
	listening, err := rig.Monotonic()
	if err != nil {
		return nil, err
	}
	status, err := r.AwaitServing(ctx)
	if err != nil {
		return nil, err
	}
	serving, err := rig.Monotonic()
	if err != nil {
		return nil, err
	}
	cpu, err := cpuOf(status)
	if err != nil {
		return nil, err
	}
	table.Add(name, seconds(listening-r.begun), seconds(serving-r.begun), seconds(cpu[0]), seconds(cpu[1]))
	return r, nil
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }

// roles are the processes of a daemon, in the order of the arrays of this file.
var roles = [2]string{"supervisor", "worker"}

func pidsOf(status *control.Status) [2]int { return [2]int{status.PID, status.Workers[0].PID} }

// memoryOf is the memory of a daemon at rest.
func memoryOf(ctx context.Context, r *running) (m [2]rig.Memory, err error) {
	status, err := r.AwaitServing(ctx)
	if err != nil {
		return m, err
	}
	if err := rest(ctx, settleTime); err != nil {
		return m, err
	}
	for n, pid := range pidsOf(status) {
		if m[n], err = rig.MemoryOf(pid); err != nil {
			return m, err
		}
	}
	return m, nil
}

// cpuOf is the CPU time of a daemon so far.
func cpuOf(status *control.Status) (cpu [2]time.Duration, err error) {
	for n, pid := range pidsOf(status) {
		if cpu[n], err = rig.CPUTime(pid); err != nil {
			return cpu, err
		}
	}
	return cpu, nil
}

func printMemory(with1, withAll [2]rig.Memory, many int) {
	table := &rig.Table{Head: []string{"memory (aim: 60 KiB per instance of the supervisor)", "1 instance",
		fmt.Sprintf("%d instances", many), "per instance", "per instance (PSS)"}}
	for n, role := range roles {
		table.Add(role, mebibytes(with1[n].Resident), mebibytes(withAll[n].Resident),
			perInstance(withAll[n].Resident-with1[n].Resident, many-1),
			perInstance(withAll[n].Proportional-with1[n].Proportional, many-1))
	}
	table.Print(os.Stdout)
}

func mebibytes(n int64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }

func perInstance(n int64, instances int) string {
	return fmt.Sprintf("%.1f KiB", float64(n)/float64(instances)/1024)
}
