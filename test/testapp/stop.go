package main

import (
	"os"
	"os/signal"
	"syscall"

	"gracevisor/test/events"
)

// stopSignals are those that a configuration may name as the stop signal and
// that can be caught.
var stopSignals = []os.Signal{
	syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGWINCH,
}

// catchSignals makes every stop signal known as an event, and returns a
// channel that gets the first one that the app obeys.
func (a *app) catchSignals() <-chan os.Signal {
	caught := make(chan os.Signal, 16)
	signal.Notify(caught, stopSignals...)
	stop := make(chan os.Signal, 1)
	// Ends with the process.
	go func() {
		for s := range caught {
			a.tell(events.Event{Kind: events.Signal, Detail: s.String()})
			switch {
			case a.ignoreStop:
				continue
			case a.exitAtOnce:
				a.exit(0)
			}
			pause(a.stopDelay, nil)
			select {
			case stop <- s:
			default: // it is stopping
			}
		}
	}()
	return stop
}
