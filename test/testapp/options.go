package main

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"
)

// options are the ways to behave. The texts of the flags say what each does.
type options struct {
	mode, host, socket string
	port               int

	exitAtOnce, ignoreStop bool
	stopDelay              time.Duration
	exitAfter              time.Duration
	exitCode               int
	neverListen            bool
	listenAfter            time.Duration

	healthStatus int
	healthFile   string

	children, grandchildren int
	stubborn                bool

	say, sayError   string
	closeStdout     bool
	longLine        int
	binary          int
	writeRate       float64
	writeTotal      float64
	resetReused     string
	idleTimeout     time.Duration
	idleReset       bool
	seenFile        string
	optionsFile     string
	closeEachAnswer bool
}

func (o *options) flags() *flag.FlagSet {
	f := flag.NewFlagSet("testapp", flag.ContinueOnError)
	f.StringVar(&o.mode, "mode", "http", "http; tcp: answers each line with \"PID line\"; flow: streams of bytes over TCP")
	f.StringVar(&o.host, "host", "localhost", "listen on this host; ::1 for IPv6 only")
	f.IntVar(&o.port, "port", 0, "listen on this port; 0 picks one")
	f.StringVar(&o.socket, "socket", "", "listen on this Unix socket instead")

	f.BoolVar(&o.exitAtOnce, "exit-at-once", false, "exit in the middle of everything when told to stop")
	f.BoolVar(&o.ignoreStop, "ignore-stop", false, "do nothing when told to stop")
	f.DurationVar(&o.stopDelay, "stop-delay", 0, "wait for so long when told to stop, then stop")
	f.DurationVar(&o.exitAfter, "exit-after", -1, "exit so long after the start")
	f.IntVar(&o.exitCode, "exit-code", 0, "exit status of --exit-after")
	f.BoolVar(&o.neverListen, "never-listen", false, "run, but do not listen")
	f.DurationVar(&o.listenAfter, "listen-after", 0, "listen so long after the start")

	f.IntVar(&o.healthStatus, "health-status", 200, "status of /health, until POST /health?status=N; 0: it never answers")
	f.StringVar(&o.healthFile, "health-file", "", "while this file exists, it holds the status of /health")

	f.IntVar(&o.children, "children", 0, "start so many children, which do nothing")
	f.IntVar(&o.grandchildren, "grandchildren", 0, "start so many grandchildren, orphans in sessions of their own")
	f.BoolVar(&o.stubborn, "stubborn", false, "children and grandchildren ignore all signals but KILL")

	f.StringVar(&o.say, "say", "", "write this line to standard output at the start")
	f.StringVar(&o.sayError, "say-error", "", "write this line to standard error at the start")
	f.BoolVar(&o.closeStdout, "close-stdout", false, "close standard output at the start")
	f.IntVar(&o.longLine, "long-line", 0, "write a line of so many bytes")
	f.IntVar(&o.binary, "binary", 0, "write so many bytes of all values, and no line end")
	f.Float64Var(&o.writeRate, "write-rate", 0, "write so many megabytes per second, in numbered lines of 100 bytes")
	f.Float64Var(&o.writeTotal, "write-total", 0, "end --write-rate after so many megabytes; 0: never")

	f.StringVar(&o.resetReused, "reset-reused", "", "reset a kept-alive connection as its next request arrives: "+
		"before or after the request counts as seen")
	f.DurationVar(&o.idleTimeout, "idle-timeout", 0, "close kept-alive connections that are idle for so long")
	f.BoolVar(&o.idleReset, "idle-reset", false, "reset them instead")
	f.BoolVar(&o.closeEachAnswer, "close-each-answer", false, "answer everything with Connection: close")
	f.StringVar(&o.seenFile, "seen-file", "", "append the X-Load-Id of each request to this file")
	f.StringVar(&o.optionsFile, "options-file", "", "read more flags from this file, if it exists, one on each line")
	return f
}

// parseOptions reads the flags, and after them those of the options file.
func parseOptions(args []string) (options, error) {
	var o options
	if err := o.parse(args); err != nil || o.optionsFile == "" {
		return o, err
	}
	text, err := os.ReadFile(o.optionsFile)
	if errors.Is(err, fs.ErrNotExist) {
		return o, nil
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "testapp: read options file:", err)
		return o, err
	}
	all := append([]string(nil), args...)
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" {
			all = append(all, line)
		}
	}
	o = options{}
	return o, o.parse(all)
}

func (o *options) parse(args []string) error {
	f := o.flags()
	if err := f.Parse(args); err != nil {
		return err
	}
	var err error
	switch {
	case f.NArg() > 0:
		err = fmt.Errorf("unexpected argument %q", f.Arg(0))
	case o.mode != "http" && o.mode != "tcp" && o.mode != "flow":
		err = fmt.Errorf("unknown mode %q", o.mode)
	case o.resetReused != "" && o.resetReused != "before" && o.resetReused != "after":
		err = fmt.Errorf("--reset-reused is before or after, not %q", o.resetReused)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "testapp:", err)
	}
	return err
}
