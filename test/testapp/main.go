package main

import (
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"os"
	"time"

	"gracevisor/test/events"
)

func main() {
	inherited := readInherited() // before anything of ours opens a file
	log.SetFlags(log.Lmicroseconds)
	if role := os.Getenv(roleEnv); role != "" {
		childMain(role)
		return
	}
	o, err := parseOptions(os.Args[1:])
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		os.Exit(2) // the flag package has told why
	}
	a := &app{options: o, inherited: inherited, instance: os.Getenv("GRACEVISOR_INSTANCE")}
	if err := a.run(); err != nil {
		fmt.Fprintln(os.Stderr, "testapp:", err)
		a.exit(1)
	}
	a.exit(0)
}

// app is this process as an app.
type app struct {
	options
	inherited inherited
	instance  string
}

// run does what the options say, in the order in which apps do it.
func (a *app) run() error {
	stop := a.catchSignals()
	if err := a.write(); err != nil {
		return err
	}
	if err := a.fork(); err != nil {
		return err
	}
	if a.exitAfter >= 0 {
		if a.exitAfter == 0 {
			a.exit(a.exitCode)
		}
		// Ends with the process.
		time.AfterFunc(a.exitAfter, func() { a.exit(a.exitCode) })
	}
	if a.neverListen {
		<-stop
		return nil
	}
	if !pause(a.listenAfter, stop) {
		return nil
	}
	listener, err := a.listen()
	if err != nil {
		return err
	}
	a.tell(events.Event{Kind: events.Up, Address: listener.Addr().String()})
	switch a.mode {
	case "tcp":
		return a.serveTCP(listener, stop, echoLines)
	case "flow":
		return a.serveTCP(listener, stop, newFlows())
	}
	return a.serveHTTP(listener, stop)
}

func (a *app) listen() (net.Listener, error) {
	if a.socket != "" {
		return net.Listen("unix", a.socket)
	}
	return net.Listen("tcp", net.JoinHostPort(a.host, fmt.Sprint(a.port)))
}

// tell sends an event in the name of this process, unless it names another.
func (a *app) tell(e events.Event) {
	if e.PID == 0 {
		e.PID = os.Getpid()
	}
	e.Instance = a.instance
	if err := events.Send(e); err != nil {
		log.Print(err)
	}
}

// exit ends the process at once, whatever it is doing.
func (a *app) exit(code int) {
	a.tell(events.Event{Kind: events.Exiting, Detail: fmt.Sprint(code)})
	os.Exit(code)
}

// pause waits for d, and reports whether stop has not come in between.
func pause(d time.Duration, stop <-chan os.Signal) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-stop:
		return false
	}
}
