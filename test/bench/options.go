package main

import (
	"errors"
	"flag"
	"fmt"
	"regexp"
	"time"
)

// options are what the flags say.
type options struct {
	gracevisord string
	only        *regexp.Regexp
	samples     int
	many        int
	parallel    int
	checked     int
	idleTime    time.Duration
}

func parseOptions(args []string) (options, error) {
	var o options
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.StringVar(&o.gracevisord, "gracevisord", "bin/gracevisord", "the `binary` to measure")
	only := f.String("only", "", "only measurements whose name matches this `regexp`: readiness, crash, many, idle")
	f.IntVar(&o.samples, "samples", 30, "starts, restarts and crashes")
	f.IntVar(&o.many, "many", 500, "instances to start together")
	f.IntVar(&o.parallel, "parallel", 16, "parallel_restarts to start them with, beside the default")
	f.IntVar(&o.checked, "checked", 100, "apps of the idle daemon")
	f.DurationVar(&o.idleTime, "idle-time", 20*time.Second, "for how long it is watched")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	var err error
	o.only, err = regexp.Compile(*only)
	switch {
	case err != nil:
		return o, fmt.Errorf("read -only: %w", err)
	case f.NArg() > 0:
		return o, fmt.Errorf("unexpected argument %q", f.Arg(0))
	case o.samples < 1 || o.many < 2 || o.parallel < 1 || o.checked < 1 || o.idleTime <= 0:
		return o, errors.New("numbers and times have to be more than 0, and -many more than 1")
	}
	return o, nil
}
