package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"regexp"
	"time"
)

// options are what the flags say.
type options struct {
	gracevisord string
	rounds      int
	window      time.Duration
	warmUp      time.Duration
	cases       []scenario
	idle        int
	headers     bool
	procs       int
	// machine is what it was like when the run began.
	machine string
}

func parseOptions(args []string) (options, error) {
	var o options
	f := flag.NewFlagSet("benchproxy", flag.ContinueOnError)
	f.StringVar(&o.gracevisord, "gracevisord", "bin/gracevisord", "the `binary` to measure")
	f.IntVar(&o.rounds, "rounds", 3, "rounds per case")
	f.DurationVar(&o.window, "time", 500*time.Millisecond, "for how long a proxy is measured in a round")
	f.DurationVar(&o.warmUp, "warm-up", 150*time.Millisecond, "for how long it has load before")
	pattern := f.String("cases", "", "only cases whose name matches this `regexp`")
	list := f.Bool("list", false, "list the cases and exit")
	f.IntVar(&o.idle, "idle", 10_000, "idle connections for the memory of one; 0: do not measure it")
	f.BoolVar(&o.headers, "headers", false, "nginx and HAProxy set the same headers as gracevisor")
	f.IntVar(&o.procs, "procs", 0, "GOMAXPROCS of gracevisor and ReverseProxy; 0: what Go's runtime chooses")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	match, err := regexp.Compile(*pattern)
	switch {
	case err != nil:
		return o, fmt.Errorf("read -cases: %w", err)
	case f.NArg() > 0:
		return o, fmt.Errorf("unexpected argument %q", f.Arg(0))
	case o.rounds < 1 || o.window <= 0 || o.warmUp < 0 || o.idle < 0 || o.procs < 0:
		return o, errors.New("-rounds and -time are more than 0, -warm-up, -idle and -procs not less")
	}
	for _, s := range scenarios() {
		if match.MatchString(s.String()) {
			o.cases = append(o.cases, s)
		}
	}
	if *list {
		for _, s := range o.cases {
			fmt.Fprintln(os.Stdout, s)
		}
		return o, flag.ErrHelp
	}
	return o, nil
}

// goEnv is the environment of the proxies that are Go programs.
func (o options) goEnv() []string {
	if o.procs == 0 {
		return nil
	}
	return []string{fmt.Sprintf("GOMAXPROCS=%d", o.procs)}
}
