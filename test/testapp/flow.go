package main

import (
	"bufio"
	"fmt"
	"io"
	"log"
	"net"
	"strings"
	"sync"

	"gracevisor/test/flow"
)

// flows is what an app in the mode "flow" does with connections: the first line
// of each says what it is for.
//
//	echo         sends back every byte, and the end
//	source NAME  awaits the client's end, and then sends the flow of that name,
//	             until somebody says "stop"
//	sink NAME    ends its own direction at once, and takes the flow of that name
//	sum NAME     answers with the length of the flow that "sink NAME" has taken
//	stop         ends all sources
//
// A flow is that of package flow.
type flows struct {
	stop chan struct{}
	once sync.Once

	mu    sync.Mutex
	sinks map[string]chan string // each takes one answer
}

// newFlows makes what serves the connections of the mode "flow".
func newFlows() func(net.Conn) {
	f := &flows{stop: make(chan struct{}), sinks: make(map[string]chan string)}
	return func(c net.Conn) {
		defer c.Close()
		if err := f.serve(c.(*net.TCPConn)); err != nil {
			log.Printf("flow: %v", err)
		}
	}
}

func (f *flows) serve(c *net.TCPConn) error {
	r := bufio.NewReaderSize(c, 64<<10)
	line, err := r.ReadString('\n')
	if err != nil {
		return err
	}
	verb, name, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
	switch verb {
	case "echo":
		if _, err := io.Copy(c, r); err != nil {
			return err
		}
		return c.CloseWrite()
	case "source":
		return f.source(c, r, name)
	case "sink":
		if err := c.CloseWrite(); err != nil {
			return err
		}
		n, err := flow.Check(r, name)
		f.sum(name) <- fmt.Sprintf("%d %v\n", n, err)
		return nil
	case "sum":
		_, err := io.WriteString(c, <-f.sum(name))
		return err
	case "stop":
		f.once.Do(func() { close(f.stop) })
		return nil
	}
	return fmt.Errorf("unknown verb %q", verb)
}

func (f *flows) sum(name string) chan string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.sinks[name] == nil {
		f.sinks[name] = make(chan string, 1)
	}
	return f.sinks[name]
}

// source sends once the client has sent its end.
func (f *flows) source(c *net.TCPConn, r io.Reader, name string) error {
	if n, err := io.Copy(io.Discard, r); n > 0 || err != nil {
		return fmt.Errorf("%d bytes from who was to send none, %w", n, err)
	}
	from := flow.Bytes(name)
	for {
		select {
		case <-f.stop:
			return c.CloseWrite()
		default:
		}
		if _, err := io.CopyN(c, from, 64<<10); err != nil {
			return err
		}
	}
}
