package events

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
)

// maxDatagram bounds an event in bytes; longer ones arrive cut and are faults.
const maxDatagram = 64 << 10

// Receiver collects events.
type Receiver struct {
	path string
	conn *net.UnixConn
	done chan struct{} // closed when receive has ended

	mu     sync.Mutex
	events []Event
	fault  error
	more   chan struct{} // closed, and replaced, whenever events or fault change
}

// Listen makes the socket at path, which every user may write to, and begins
// to receive. Close ends that, and removes the socket.
func Listen(path string) (*Receiver, error) {
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return nil, fmt.Errorf("listen for events: %w", err)
	}
	// Apps run as other users, and a send is a write to the socket's inode.
	if err := os.Chmod(path, 0o777); err != nil {
		return nil, errors.Join(fmt.Errorf("listen for events: %w", err), conn.Close())
	}
	r := &Receiver{path: path, conn: conn, done: make(chan struct{}), more: make(chan struct{})}
	go r.receive() // ends when Close closes conn
	return r, nil
}

func (r *Receiver) receive() {
	defer close(r.done)
	buf := make([]byte, maxDatagram)
	for {
		n, _, err := r.conn.ReadFromUnix(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		var e Event
		if err == nil {
			err = json.Unmarshal(buf[:n], &e)
		}
		r.mu.Lock()
		if err != nil {
			r.fault = errors.Join(r.fault, fmt.Errorf("receive event: %w", err))
		} else {
			r.events = append(r.events, e)
		}
		close(r.more)
		r.more = make(chan struct{})
		r.mu.Unlock()
	}
}

// All returns the events so far, oldest first.
func (r *Receiver) All() []Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Event(nil), r.events...)
}

// Fault returns what has come and was no event, or nil.
func (r *Receiver) Fault() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.fault
}

// Wait returns the first event at or after index from that matches, and the
// index that follows it; it waits for one until ctx ends.
func (r *Receiver) Wait(ctx context.Context, from int, match func(Event) bool) (Event, int, error) {
	for {
		r.mu.Lock()
		events, more := r.events, r.more
		r.mu.Unlock()
		for ; from < len(events); from++ {
			if match(events[from]) {
				return events[from], from + 1, nil
			}
		}
		select {
		case <-ctx.Done():
			return Event{}, from, fmt.Errorf("wait for event: %w", context.Cause(ctx))
		case <-more:
		}
	}
}

// Close stops receiving and removes the socket. Further events are lost, and
// their senders do not mind.
func (r *Receiver) Close() error {
	err := r.conn.Close()
	<-r.done
	return errors.Join(err, os.Remove(r.path))
}
