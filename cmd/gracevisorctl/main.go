package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	err := run(os.Args[1:])
	os.Exit(exitStatus(err))
}

// run does what the arguments say, and tells what went wrong before it returns
// it.
func run(args []string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// A second signal ends us at once.
	context.AfterFunc(ctx, stop)
	p := newProgram(os.Stdout, os.Stderr)
	root := p.rootCommand()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	err = p.interruption(ctx, err)
	if err != nil && !p.running {
		err = asUsage(err)
	}
	p.report(err)
	return err
}
