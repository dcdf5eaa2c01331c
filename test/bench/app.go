package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"gracevisor/test/bench/rig"
	"gracevisor/test/events"
)

// appRole is the first argument of the app.
const appRole = "app"

// healthPath is the app's health check.
const healthPath = "/health"

// life is what an app notes about itself, by rig.Monotonic; 0: not yet.
type life struct {
	PID int
	// Started is when main began, Listening when connections could come,
	// Checked when the first health check was answered, and Served when the
	// first request had come.
	Started, Listening, Checked, Served time.Duration
}

// ready is when it could serve.
func (l life) ready() time.Duration { return max(l.Listening, l.Checked) }

// app is this process as an app.
type app struct {
	mu   sync.Mutex
	life life
}

// appMain serves until the leash is let go; a signal ends it at once.
func appMain(args []string) error {
	started, err := rig.Monotonic()
	if err != nil {
		return err
	}
	f := flag.NewFlagSet(appRole, flag.ContinueOnError)
	leash := f.String("leash", "", "exit when this `socket` ends")
	port := f.Int("port", 0, "listen on this port")
	if err := f.Parse(args); err != nil {
		return err
	}
	released, err := rig.HoldLeash(*leash)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", *port))
	if err != nil {
		return err
	}
	a := &app{life: life{PID: os.Getpid(), Started: started}}
	if a.life.Listening, err = rig.Monotonic(); err != nil {
		return err
	}
	told, err := json.Marshal(a.life)
	if err != nil {
		return err
	}
	go a.serve(listener) // ends with the process
	instance := os.Getenv("GRACEVISOR_INSTANCE")
	if err := events.Send(events.Event{Kind: events.Up, PID: os.Getpid(), Instance: instance, Detail: string(told)}); err != nil {
		return err
	}
	<-released
	return nil
}

func (a *app) serve(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err == nil {
			go a.serveConn(conn) // ends with the connection
		}
	}
}

// serveConn answers requests without a body with the app's life so far.
func (a *app) serveConn(conn net.Conn) {
	defer conn.Close()
	buf := make([]byte, 4<<10)
	have := 0
	for {
		n, err := conn.Read(buf[have:])
		if err != nil {
			return
		}
		have += n
		if !bytes.HasSuffix(buf[:have], []byte("\r\n\r\n")) && have < len(buf) {
			continue
		}
		answer, err := a.answer(strings.HasPrefix(string(buf[:have]), "GET "+healthPath+" "))
		if err != nil {
			fmt.Fprintln(os.Stderr, "app:", err)
			return
		}
		if _, err := conn.Write(answer); err != nil {
			return
		}
		have = 0
	}
}

// answer notes a request or a health check.
func (a *app) answer(check bool) ([]byte, error) {
	now, err := rig.Monotonic()
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	noted := &a.life.Served
	if check {
		noted = &a.life.Checked
	}
	if *noted == 0 {
		*noted = now
	}
	body, err := json.Marshal(a.life)
	if err != nil {
		return nil, err
	}
	head := fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", len(body))
	return append([]byte(head), body...), nil
}
