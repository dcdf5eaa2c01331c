package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/godbus/dbus/v5"

	"gracevisor/internal/control"
)

// Service is the door. New starts nothing.
type Service struct {
	ops control.Operations
	log *slog.Logger
	// load are the calls, by client, asking those for which a user may be asked
	// for a password, by user.
	load   load[string]
	asking load[uint32]
	// refusals keeps those who are turned away from filling the log.
	refusals control.Quieter
	// subscribersFile remembers who is subscribed.
	subscribersFile string

	mu sync.Mutex
	// watch hears what happens, as long as somebody may want to know.
	watch *control.Watch
}

// New makes the door. It hears of all that happens from now on. What it has to
// remember is kept in dir.
func New(ops control.Operations, log *slog.Logger, dir string) *Service {
	return &Service{
		ops: ops, log: log, load: newLoad[string](), asking: newLoad[uint32](),
		subscribersFile: filepath.Join(dir, "bus-subscribers.json"), watch: ops.Watch(),
	}
}

var (
	// errRefused says that the bus has no policy for the name, as for a daemon
	// that somebody runs by hand.
	errRefused = errors.New("the bus refuses the name " + Name)
	// errTaken says that another daemon has the name.
	errTaken = errors.New("another daemon has the name " + Name)
	// errLost says that the connection has ended.
	errLost = errors.New("the connection to the bus has ended")
)

// The pauses before the bus is looked for again: a bus that was there is coming
// back soon, others are looked for now and then.
const (
	firstPause   = 50 * time.Millisecond
	longestPause = 5 * time.Second
	rarePause    = 15 * time.Second
)

// Run keeps the name on the bus until ctx ends.
func (s *Service) Run(ctx context.Context) {
	defer s.stopWatching()
	pause, told := firstPause, ""
	for ctx.Err() == nil {
		began := time.Now()
		err := s.connection(ctx)
		if ctx.Err() != nil {
			return
		}
		s.stopWatching() // who wants to know asks when the name is back
		rare := errors.Is(err, errNoBus) || errors.Is(err, errRefused) || errors.Is(err, errTaken)
		switch {
		case errors.Is(err, errLost):
			s.log.Warn("lost the system bus; looking for it", "error", err)
			told = "" // that it is back is news
			if time.Since(began) > longestPause {
				pause = firstPause
			}
		case told == "" || rare && told != err.Error():
			told = err.Error()
			s.log.Info("not on D-Bus; all else works", "reason", err)
		}
		wait := pause
		pause = min(2*pause, longestPause)
		if rare && wait == longestPause {
			wait = rarePause
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
	}
}

func (s *Service) stopWatching() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.watch != nil {
		s.watch.Close()
		s.watch = nil
	}
}

// watching returns the watch, a new one if there is none.
func (s *Service) watching() *control.Watch {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.watch == nil {
		s.watch = s.ops.Watch()
	}
	return s.watch
}

// Flush waits until what has happened is sent and the calls that are being served
// are answered, if there is a bus, or until ctx ends.
func (s *Service) Flush(ctx context.Context) {
	s.settleWatch(ctx) // first: the answer to a call may take longer than there is time
	s.load.settle(ctx)
	s.settleWatch(ctx) // what the calls have begun
}

func (s *Service) settleWatch(ctx context.Context) {
	s.mu.Lock()
	watch := s.watch
	s.mu.Unlock()
	if watch != nil {
		watch.Settle(ctx)
	}
}

// noteRefusal logs who was turned away.
func (s *Service) noteRefusal(who caller, message string) {
	if skipped, now := s.refusals.Pass(time.Now()); now {
		s.log.Warn("control request refused", "peer", who.String(), "reason", message, "unlogged", skipped)
	}
}

// session is one connection to the bus.
type session struct {
	service *Service
	conn    *dbus.Conn
	// ready: conn may be used.
	ready atomic.Bool
	// life ends with the connection.
	life context.Context
	end  context.CancelFunc
	subscribers
}

// connection serves on a connection until that ends.
func (s *Service) connection(ctx context.Context) error {
	life, end := context.WithCancel(ctx)
	defer end()
	t := &session{service: s, life: life, end: end}
	t.subscribers.init(s.subscribersFile)
	conn, err := connect(life, dbus.WithHandler(t), dbus.WithSignalHandler(t), dbus.WithIncomingInterceptor(redirectMachineID))
	if err != nil {
		return err
	}
	t.conn = conn
	t.ready.Store(true)
	defer t.leave()
	defer func() { go conn.Close() }() // which waits for writes, writeTimeout at most
	context.AfterFunc(conn.Context(), end)
	if err := t.takeName(); err != nil {
		return err
	}
	s.log.Info("on the system bus", "name", Name)
	return t.tell(s.watching())
}

// takeName takes the name. Subscribers of the daemon before this are remembered
// first, so that they miss nothing.
func (t *session) takeName() error {
	ctx, cancel := context.WithTimeout(t.life, connectTimeout)
	defer cancel()
	t.restore(ctx)
	var reply uint32
	err := t.conn.BusObject().CallWithContext(ctx, busName+".RequestName", 0, Name, uint32(dbus.NameFlagDoNotQueue)).Store(&reply)
	e, isAnswer := errors.AsType[dbus.Error](err)
	switch {
	case isAnswer && e.Name == "org.freedesktop.DBus.Error.AccessDenied":
		return errRefused
	case err != nil:
		return fmt.Errorf("take the name %s: %w", Name, err)
	case dbus.RequestNameReply(reply) == dbus.RequestNameReplyPrimaryOwner || dbus.RequestNameReply(reply) == dbus.RequestNameReplyAlreadyOwner:
		return nil
	}
	return errTaken
}

// DeliverSignal implements dbus.SignalHandler, in the goroutine that reads.
func (t *session) DeliverSignal(iface, name string, s *dbus.Signal) {
	if iface != busName || s.Sender != busName {
		return
	}
	switch name {
	case "NameLost":
		if len(s.Body) > 0 && s.Body[0] == Name {
			t.end()
		}
	case "NameOwnerChanged":
		if len(s.Body) == 3 && s.Body[2] == "" {
			gone, _ := s.Body[0].(string)
			t.forget(gone)
		}
	}
}
