package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"gracevisor/test/bench/rig"
	"gracevisor/test/events"
)

// startTime bounds how long a daemon may take to start all of its apps.
const startTime = 3 * time.Minute

// settleTime is how long a daemon rests before its memory or CPU time is read.
const settleTime = 3 * time.Second

// stage is where daemons are measured: a World, and a receiver of what their
// apps tell.
type stage struct {
	options
	world *rig.World
	self  string
	told  *events.Receiver
	// seen is how many events have been looked at.
	seen int
}

// inStage runs something on a stage, and takes it down.
func inStage(o options, do func(*stage) error) (err error) {
	s := &stage{options: o}
	if s.self, err = os.Executable(); err != nil {
		return fmt.Errorf("find own binary: %w", err)
	}
	if s.world, err = rig.Open(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.world.Close()) }()
	if s.told, err = events.Listen(s.world.Path("events")); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.told.Close()) }()
	if err := do(s); err != nil {
		return errors.Join(err, s.world.Check(), s.told.Fault())
	}
	return nil
}

// plan is the configuration of a daemon with some apps, all alike.
type plan struct {
	name string
	apps int
	// checked gives them a healthcheck, made each second.
	checked bool
	// parallel is parallel_restarts; 0 is its default.
	parallel int
}

// running is a daemon that has been started.
type running struct {
	*rig.Daemon
	// firstPort is that of the first app; the others follow.
	firstPort int
	begun     time.Duration
}

// appName is that of the nth app, from 0.
func appName(n int) string { return fmt.Sprintf("app-%03d", n) }

// start starts a daemon, and does not wait.
func (s *stage) start(p plan) (*running, error) {
	external, err := s.world.TakePorts(p.apps)
	if err != nil {
		return nil, err
	}
	spare := 20 + p.apps/10 // for replacements
	internal, err := s.world.TakePorts(p.apps + spare)
	if err != nil {
		return nil, err
	}
	text := s.configuration(p, external, internal, internal+p.apps+spare-1)
	r := &running{firstPort: external}
	if r.begun, err = rig.Monotonic(); err != nil {
		return nil, err
	}
	r.Daemon, err = s.world.StartDaemon(s.gracevisord, p.name, text)
	return r, err
}

// configuration is that of a daemon with these ports.
func (s *stage) configuration(p plan, external, from, to int) string {
	var text strings.Builder
	fmt.Fprintf(&text, "port_range: {from: %d, to: %d}\nrpc: {port: 0}\nlogger: {log_dir: %s}\n",
		from, to, s.world.Path(p.name+"-log"))
	if p.parallel > 0 {
		fmt.Fprintf(&text, "parallel_restarts: %d\n", p.parallel)
	}
	text.WriteString("apps:\n")
	for n := range p.apps {
		fmt.Fprintf(&text, "    - name: %s\n      command: %s %s -leash %s -port {port}\n      environment: [%s=%s]\n"+
			"      internal_host: 127.0.0.1\n      external_host: 127.0.0.1\n      external_port: %d\n",
			appName(n), s.self, appRole, s.world.Leash(), events.Env, s.world.Path("events"), external+n)
		if p.checked {
			fmt.Fprintf(&text, "      healthcheck: %s\n", healthPath)
		}
	}
	return text.String()
}

// startAll starts a daemon and waits until its apps serve.
func (s *stage) startAll(ctx context.Context, p plan) (*running, error) {
	r, err := s.start(p)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	if err := s.awaitUp(ctx, p.apps); err != nil {
		return nil, fmt.Errorf("start %d apps: %w; the daemon says:\n%s", p.apps, err, r.LastOutput())
	}
	_, err = r.AwaitServing(ctx)
	return r, err
}

// awaitUp waits until so many more apps have told that they listen.
func (s *stage) awaitUp(ctx context.Context, apps int) error {
	for range apps {
		if _, err := s.nextUp(ctx); err != nil {
			return err
		}
	}
	return nil
}

// nextUp waits for the next app that listens.
func (s *stage) nextUp(ctx context.Context) (life, error) {
	event, next, err := s.told.Wait(ctx, s.seen, func(e events.Event) bool { return e.Kind == events.Up })
	if err != nil {
		return life{}, err
	}
	s.seen = next
	var l life
	if err := json.Unmarshal([]byte(event.Detail), &l); err != nil {
		return life{}, fmt.Errorf("read event of app: %w", err)
	}
	return l, nil
}

// rest waits for a while, in which nothing is to happen.
func rest(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
