package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"gracevisor/test/bench/rig"
)

// init keeps the main goroutine on its thread, which children are bound to
// (package rig).
func init() { runtime.LockOSThread() }

func main() {
	if err := run(os.Args[1:]); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) > 0 && args[0] == appRole {
		return appMain(args[1:])
	}
	o, err := parseOptions(args)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	return measure(ctx, o)
}

// measure runs the chosen measurements, each in a World of its own.
func measure(ctx context.Context, o options) error {
	fmt.Printf("Measured on %s, by the kernel's clocks; other work on the machine disturbs the figures.\n", rig.Machine())
	for _, m := range measurements {
		if !o.only.MatchString(m.name) {
			continue
		}
		fmt.Fprintln(os.Stderr, m.name)
		if err := inStage(o, func(s *stage) error { return m.run(ctx, s) }); err != nil {
			return fmt.Errorf("measure %s: %w", m.name, err)
		}
	}
	return nil
}

// measurements in the order in which they run.
var measurements = []struct {
	name string
	run  func(context.Context, *stage) error
}{
	{"readiness", measureReadiness},
	{"crash", measureCrash},
	{"many", measureMany},
	{"idle", measureIdle},
}
