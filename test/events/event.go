package events

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
)

// Env is the environment variable with the path of the Receiver's socket.
const Env = "GV_TEST_EVENTS"

// Kind is what has happened.
type Kind string

// The kinds of events.
const (
	// Up: the app listens on Address.
	Up Kind = "up"
	// Signal: the stop signal named by Detail has been received.
	Signal Kind = "signal"
	// Exiting: the process ends as soon as this has been sent.
	Exiting Kind = "exiting"
	// Forked: PID is a process that the app has started; Detail tells how.
	Forked Kind = "forked"
	// Request: a request has come that its sender asked to be told of; Detail
	// is what the sender calls it.
	Request Kind = "request"
)

// Event is one thing that happened to an instance of the test app.
type Event struct {
	Kind Kind `json:"kind"`
	PID  int  `json:"pid"`
	// Instance is what the daemon calls the instance, or empty outside of it.
	Instance string `json:"instance,omitempty"`
	// Address is the HOST:PORT or the path that the app listens on.
	Address string `json:"address,omitempty"`
	Detail  string `json:"detail,omitempty"`
}

func (e Event) String() string {
	return fmt.Sprintf("%s pid %d instance %q address %q %s", e.Kind, e.PID, e.Instance, e.Address, e.Detail)
}

// Send tells e to the Receiver that Env names. That the Receiver has gone is
// no error: its test is over.
func Send(e Event) error {
	path := os.Getenv(Env)
	if path == "" {
		return nil
	}
	datagram, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("send event: %w", err)
	}
	conn, err := net.Dial("unixgram", path)
	if errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.ECONNREFUSED) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("send event: %w", err)
	}
	_, err = conn.Write(datagram)
	if errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ECONNRESET) {
		err = nil
	}
	return errors.Join(err, conn.Close())
}
