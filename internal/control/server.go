package control

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
)

// Server serves Operations at its doors. NewServer starts nothing. The
// goroutines of a door end with its connections, all of which Shutdown ends.
type Server struct {
	ops    Operations
	log    *slog.Logger
	bounds bounds
	peers  peerRule
	// unix and tcp bound the connections of all Unix doors and of all TCP
	// doors: the one kind never takes from the other.
	unix, tcp capacity
	outliving outliving
	// life ends when Shutdown has ended all connections.
	life context.Context
	end  context.CancelFunc

	mu     sync.Mutex
	closed bool
	doors  map[*door]struct{}
}

// TCPAccess says whom a TCP door lets in.
type TCPAccess struct {
	// Host is the configured rpc.host. A request's Host has to be it, a
	// loopback name or address, or the address that the client connected to.
	Host string
	// Token is what every request has to bring; see LoadToken.
	Token string
}

// NewServer makes a server without doors. Refusals and failures are logged to
// log; that an operation was asked for is logged by whoever implements ops.
func NewServer(ops Operations, log *slog.Logger) *Server {
	life, end := context.WithCancel(context.Background())
	return &Server{
		ops:    ops,
		log:    log,
		bounds: standardBounds(),
		peers:  newPeerRule(uint32(os.Geteuid())),
		unix:   newCapacity(),
		tcp:    newCapacity(),
		life:   life,
		end:    end,
		doors:  make(map[*door]struct{}),
	}
}

// ServeUnix serves the Unix door on l, which yields *net.UnixConn, until l is
// closed or Shutdown is called; in both cases it returns nil once the last of
// its connections has ended. It closes l.
func (s *Server) ServeUnix(l net.Listener) error {
	return s.serve(l, s.unix, unixGuard{s.peers})
}

// ServeTCP serves the TCP door on l as ServeUnix does. An address that has
// several listeners is served by several calls.
func (s *Server) ServeTCP(l net.Listener, access TCPAccess) error {
	if err := checkToken(access.Token); err != nil {
		l.Close()
		return fmt.Errorf("serve %s: %w", l.Addr(), err)
	}
	return s.serve(l, s.tcp, newTCPGuard(access))
}

func (s *Server) serve(l net.Listener, c capacity, g guard) error {
	d := s.newDoor(c, g)
	if !s.add(d) {
		return l.Close()
	}
	defer s.remove(d)
	err := d.http.Serve(&slotListener{Listener: l, slots: c.slots, closed: make(chan struct{})})
	if !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
		err = fmt.Errorf("accept on %s: %w", l.Addr(), err)
	} else {
		err = nil
	}
	// The connections that are left end by themselves, or by Shutdown.
	d.close()
	_ = d.http.Shutdown(s.life)
	return err
}

// Shutdown closes the doors: no connection is accepted any more, and those who
// follow output are let go. It waits for the operations that clients wait for,
// until ctx ends, then cuts the rest off and returns the error of ctx.
func (s *Server) Shutdown(ctx context.Context) error {
	defer s.end()
	doors := s.shut()
	var err error
	for _, d := range doors {
		d.close()
		if e := d.http.Shutdown(ctx); e != nil {
			err = e
			d.http.Close()
		}
	}
	return err
}

// shut marks the server as closed and returns the doors that are open.
func (s *Server) shut() []*door {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	var doors []*door
	for d := range s.doors {
		doors = append(doors, d)
	}
	return doors
}

func (s *Server) add(d *door) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.doors[d] = struct{}{}
	return true
}

func (s *Server) remove(d *door) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.doors, d)
}
