package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"gracevisor/test/bench/rig"
)

// upstreamKept is how many idle connections to the backend each proxy may keep,
// as far as that can be set: as many as there are clients.
const upstreamKept = 1024

// maxRequests is how many requests a proxy may serve on a connection. nginx
// closes it after 1000 otherwise.
const maxRequests = 1_000_000_000

// contender is a running proxy.
type contender struct {
	name string
	// pid is that of the process that serves.
	pid int
	// ports are those of the doors; 0 where there is none.
	ports [doors]int
}

func (c *contender) address(d door) string { return fmt.Sprintf("127.0.0.1:%d", c.ports[d]) }

// field is the proxies and the backend between which they are compared.
type field struct {
	world *rig.World
	self  string
	// backendPort and backendPath are where the backend listens for nginx,
	// HAProxy and ReverseProxy, and tcpPort where that of TCP mode does.
	backendPort, tcpPort int
	backendPath          string

	contenders []*contender
	// version says what was compared.
	versions []string
}

// openField starts everything, and waits until each door answers.
func openField(ctx context.Context, o options) (*field, error) {
	world, err := rig.Open()
	if err != nil {
		return nil, err
	}
	f := &field{world: world, backendPath: world.Path("backend.sock")}
	if err := f.start(ctx, o); err != nil {
		return nil, errors.Join(err, world.Check(), world.Close())
	}
	return f, nil
}

func (f *field) start(ctx context.Context, o options) (err error) {
	if f.self, err = os.Executable(); err != nil {
		return fmt.Errorf("find own binary: %w", err)
	}
	if f.backendPort, err = f.world.TakePorts(2); err != nil {
		return err
	}
	f.tcpPort = f.backendPort + 1
	// gracevisor first: it starts the backend.
	for _, start := range []func(context.Context, options) (*contender, error){
		f.startGracevisor, f.startHAProxy, f.startNginx, f.startReverseProxy,
	} {
		c, err := start(ctx, o)
		if err != nil {
			return err
		}
		f.contenders = append(f.contenders, c)
		if err := f.awaitDoors(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

// close ends everything.
func (f *field) close() error { return f.world.Close() }

// backends are the addresses behind the doors, as NETWORK:ADDRESS.
func (f *field) backend(d door) string {
	switch d {
	case httpToTCP:
		return fmt.Sprintf("tcp:127.0.0.1:%d", f.backendPort)
	case httpToUnix:
		return "unix:" + f.backendPath
	}
	return fmt.Sprintf("tcp:127.0.0.1:%d", f.tcpPort)
}

// takePorts gives a contender a port for each of the doors.
func (f *field) takePorts(c *contender, wanted ...door) error {
	first, err := f.world.TakePorts(len(wanted))
	for n, d := range wanted {
		c.ports[d] = first + n
	}
	return err
}

// doorTime is how long a proxy may take to serve at all of its doors.
const doorTime = 20 * time.Second

// awaitDoors waits until a proxy serves at each of its doors.
func (f *field) awaitDoors(ctx context.Context, c *contender) error {
	ctx, cancel := context.WithTimeout(ctx, doorTime)
	defer cancel()
	for d, port := range c.ports {
		if port == 0 {
			continue
		}
		if err := awaitPort(ctx, c.address(door(d))); err != nil {
			return fmt.Errorf("wait for %s at %s: %w", c.name, door(d), err)
		}
		s := scenario{door(d), small, 1}
		if _, err := runLoad(ctx, loadFor(c, s), nil); err != nil {
			return fmt.Errorf("try %s at %s: %w", c.name, door(d), err)
		}
	}
	return nil
}

// awaitPort waits until somebody listens.
func awaitPort(ctx context.Context, address string) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return errors.Join(context.Cause(ctx), err)
		}
	}
}

// version is a line of what a program prints about its version.
func version(output []byte, err error) string {
	if err != nil {
		return err.Error()
	}
	line, _, _ := strings.Cut(strings.TrimSpace(string(output)), "\n")
	return line
}
