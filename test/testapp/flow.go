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
//	             until somebody says "stop NAME"
//	sink NAME    ends its own direction at once, and takes the flow of that name
//	sum NAME     answers with the length of the flow that "sink NAME" has taken
//	stop NAME    ends the source of that name, be it yet to begin
//
// A flow is that of package flow.
type flows struct {
	mu      sync.Mutex
	sinks   map[string]chan string   // each takes one answer
	sources map[string]chan struct{} // closed when it is to end
}

// newFlows makes what serves the connections of the mode "flow".
func newFlows() func(net.Conn) {
	f := &flows{sinks: make(map[string]chan string), sources: make(map[string]chan struct{})}
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
		close(f.end(name)) // nobody says it twice
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

func (f *flows) end(name string) chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.sources[name] == nil {
		f.sources[name] = make(chan struct{})
	}
	return f.sources[name]
}

// source sends once the client has sent its end.
func (f *flows) source(c *net.TCPConn, r io.Reader, name string) error {
	if n, err := io.Copy(io.Discard, r); n > 0 || err != nil {
		return fmt.Errorf("%d bytes from who was to send none, %w", n, err)
	}
	from, end := flow.Bytes(name), f.end(name)
	for {
		select {
		case <-end:
			return c.CloseWrite()
		default:
		}
		if _, err := io.CopyN(c, from, 64<<10); err != nil {
			return err
		}
	}
}
