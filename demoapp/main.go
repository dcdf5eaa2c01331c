package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"
)

// version is set by the build: -ldflags "-X main.version=1.2.3".
var version = "devel"

// patience bounds how long requests may take to end after a TERM.
const patience = time.Minute

type options struct {
	port       int
	exitAtOnce bool
}

func main() {
	err := run(os.Args[1:], os.Stdout, os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
	case errors.Is(err, errUsage):
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "demoapp:", err)
		os.Exit(1)
	}
}

// run serves until TERM or INT. Every line of its output goes to out; faults
// of the command line are explained on diagnostics.
func run(args []string, out, diagnostics io.Writer) error {
	o, err := parseOptions(args, diagnostics)
	if err != nil {
		return err
	}
	// Before anything can be told to stop, be ready to hear it.
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, os.Interrupt)
	defer signal.Stop(stop)

	listener, err := net.Listen("tcp", net.JoinHostPort("localhost", strconv.Itoa(o.port)))
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "demoapp %s, pid %d, listens on http://%s/\n", version, os.Getpid(), listener.Addr())
	server := &http.Server{Handler: pages(), ReadHeaderTimeout: 10 * time.Second}
	failed := make(chan error, 1)
	// Ends when the server is shut down, or with the process.
	go func() { failed <- server.Serve(listener) }()

	select {
	case err := <-failed:
		return err
	case s := <-stop:
		fmt.Fprintf(out, "demoapp %s, pid %d, stops on %s\n", version, os.Getpid(), s)
	}
	if o.exitAtOnce {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil {
		return fmt.Errorf("finish requests: %w", err)
	}
	return nil
}

const usage = `demoapp %s: a web app to try gracevisor with

Usage: demoapp [--port=PORT] [--exit-at-once]

  --port=PORT     listen on this port of localhost (8000); 0 picks a free one
  --exit-at-once  on TERM exit at once, dropping the requests under way
%s`

var errUsage = errors.New("wrong usage")

func parseOptions(args []string, diagnostics io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("demoapp", flag.ContinueOnError)
	flags.SetOutput(diagnostics)
	flags.IntVar(&o.port, "port", 8000, "")
	flags.BoolVar(&o.exitAtOnce, "exit-at-once", false, "")
	flags.Usage = func() { fmt.Fprintf(diagnostics, usage, version, pageList) }
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return o, err
		}
		return o, fmt.Errorf("%w: %w", errUsage, err)
	}
	if flags.NArg() > 0 {
		fmt.Fprintf(diagnostics, "unexpected argument %q\n", flags.Arg(0))
		flags.Usage()
		return o, fmt.Errorf("%w: unexpected argument %q", errUsage, flags.Arg(0))
	}
	return o, nil
}
