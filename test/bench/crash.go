package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"gracevisor/test/bench/rig"
)

// measureCrash kills apps, each one once, as repeated crashes of one are
// followed by pauses.
func measureCrash(ctx context.Context, s *stage) error {
	r, err := s.startAll(ctx, plan{name: "crash", apps: s.samples})
	if err != nil {
		return err
	}
	var starts, served []time.Duration
	for n := range s.samples {
		crashed, replacement, err := s.crash(ctx, r, n)
		if err != nil {
			return err
		}
		starts = append(starts, replacement.Started-crashed)
		served = append(served, replacement.Served-crashed)
	}
	table := timesTable("from a crash (aim: 20 ms to the start)")
	addTimes(table, "to the start of the replacement", starts)
	addTimes(table, "to its first request", served)
	fmt.Println()
	table.Print(os.Stdout)
	return nil
}

// crash kills an app, asks it as soon as it is dead, and tells when it was
// killed and what its replacement says.
func (s *stage) crash(ctx context.Context, r *running, n int) (time.Duration, life, error) {
	visitor := r.visit(n)
	defer visitor.close()
	before, err := visitor.ask(ctx)
	if err != nil {
		return 0, life{}, err
	}
	crashed, err := rig.Monotonic()
	if err != nil {
		return 0, life{}, err
	}
	if err := kill(before.PID); err != nil {
		return 0, life{}, err
	}
	replacement, err := visitor.askUntil(ctx, func(l life) bool { return l.PID != before.PID })
	return crashed, replacement, err
}

// kill kills a process and waits for its end: before that it would still take
// connections, and reset them.
func kill(pid int) error {
	pidfd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return fmt.Errorf("kill app: %w", err)
	}
	defer unix.Close(pidfd)
	if err := unix.PidfdSendSignal(pidfd, unix.SIGKILL, nil, 0); err != nil {
		return fmt.Errorf("kill app: %w", err)
	}
	ended := []unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}
	for {
		_, err := unix.Poll(ended, -1)
		switch {
		case err == nil:
			return nil
		case !errors.Is(err, unix.EINTR):
			return fmt.Errorf("wait for the end of the app: %w", err)
		}
	}
}
