package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"gracevisor/test/bench/rig"
)

// settleTime is how long a proxy has to give back what it does not need.
const settleTime = 2 * time.Second

// idleBatch is how many connections are opened at once: more would need more
// memory for a moment than idle ones do.
const idleBatch = 32

// measureIdle prints what an idle connection costs that has had an answer.
func measureIdle(ctx context.Context, o options, f *field) error {
	table := rig.Table{Head: []string{"", "before", fmt.Sprintf("with %d idle", o.idle), "per connection"}}
	for _, c := range f.contenders {
		fmt.Fprintf(os.Stderr, "idle connections: %s\n", c.name)
		before, with, err := idleMemory(ctx, c, o.idle)
		if err != nil {
			return fmt.Errorf("measure idle connections of %s: %w", c.name, err)
		}
		table.Add(c.name, mebibytes(before), mebibytes(with),
			fmt.Sprintf("%.1f KiB", float64(with-before)/float64(o.idle)/1024))
	}
	fmt.Println("Resident memory of idle client connections, each of which has had an answer (the kernel's memory for sockets is not in it):")
	fmt.Println()
	table.Print(os.Stdout)
	fmt.Println()
	return nil
}

func mebibytes(n int64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }

// idleMemory is a proxy's resident memory without idle connections, but after a
// few requests, and with them.
func idleMemory(ctx context.Context, c *contender, idle int) (before, with int64, err error) {
	l := loadFor(c, scenario{httpToTCP, small, idleBatch})
	l.window = settleTime / 10
	if _, err := runLoad(ctx, l, nil); err != nil {
		return 0, 0, err
	}
	if before, err = settled(ctx, c.pid); err != nil {
		return 0, 0, err
	}
	var open []*loop
	defer func() {
		for _, r := range open {
			r.close()
		}
	}()
	l.window = 0
	for left := idle; left > 0; left -= idleBatch {
		r, err := openLoop(l, min(left, idleBatch))
		if err != nil {
			return 0, 0, err
		}
		open = append(open, r)
		for _, c := range r.clients {
			if err := r.ask(c); err != nil {
				return 0, 0, err
			}
		}
		if err := r.until(ctx, func() bool { return r.asking == 0 }); err != nil {
			return 0, 0, err
		}
	}
	with, err = settled(ctx, c.pid)
	return before, with, err
}

// settled is the resident memory of a process after a moment without work.
func settled(ctx context.Context, pid int) (int64, error) {
	rest := time.NewTimer(settleTime)
	defer rest.Stop()
	select {
	case <-rest.C:
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
	m, err := rig.MemoryOf(pid)
	return m.Resident, err
}
