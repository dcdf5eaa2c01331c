package main

import (
	"errors"
	"fmt"
	"os"
	"os/signal"

	"gracevisor/internal/config"
	"gracevisor/internal/daemon"
	"gracevisor/internal/process"
	"gracevisor/internal/worker"
)

func main() {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case process.LaunchRole:
			os.Exit(process.LaunchMain())
		case daemon.WorkerRole:
			os.Exit(exitStatus(worker.Main()))
		case daemon.CheckRole:
			os.Exit(exitStatus(daemon.CheckState(os.NewFile(daemon.CheckFD, "snapshot"))))
		case process.HolderRole:
			os.Exit(exitStatus(process.HolderMain()))
		case process.HoldRole:
			process.HoldMain()
		}
	}
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, daemon.SignalsWanted...)
	os.Exit(exitStatus(run(os.Args[1:], signals)))
}

// errTold is the error of which everything has been told already.
var errTold = errors.New("told already")

// exitStatus tells an error and gives the status to exit with: 0 without one, 2
// for wrong usage, else 1.
func exitStatus(err error) int {
	var usage usageError
	var faults config.Faults
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errTold):
		return 1
	case errors.As(err, &usage):
		fmt.Fprintf(os.Stderr, "gracevisord: %v\nTry 'gracevisord --help'.\n", err)
		return 2
	case errors.As(err, &faults):
		for _, line := range faults.Lines() {
			fmt.Fprintln(os.Stderr, line)
		}
		fmt.Fprintln(os.Stderr, "gracevisord: the configuration is not valid; nothing was started")
		return 1
	}
	fmt.Fprintf(os.Stderr, "gracevisord: %v\n", err)
	return 1
}
