package supervisor

import (
	"context"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"gracevisor/internal/process"
)

// never is a delay that does not end.
const never = time.Duration(-1)

// behaviour is what a process of an app does.
type behaviour struct {
	// startErr keeps it from being cloned, launchErr from becoming the app.
	startErr, launchErr error
	// cloneTakes is how long it takes to be cloned.
	cloneTakes time.Duration
	// readyAfter is when it begins to answer after it was launched, or never.
	readyAfter time.Duration
	// diesAfter is when it ends by itself after it was launched; 0 means not.
	diesAfter time.Duration
	// stopTakes is how long it takes to end after its stop signal, or never.
	stopTakes time.Duration
	// lingers is how long something that it started outlives it, or never.
	lingers time.Duration
	// stranger has its port.
	stranger bool
	// ownerless: its listening socket is not seen, that many times.
	ownerless int
	exit      process.Exit
}

// health is what a check of an instance finds.
type health int

const (
	unready health = iota
	well
	ailing // it answers 500
	mute   // it answers nothing
)

// fakeProcess is the process of an instance.
type fakeProcess struct {
	rig  *rig
	name string
	pid  int
	port int
	does behaviour

	going  chan struct{} // closed by Go
	exited chan struct{} // closed when the main process has ended
	empty  chan struct{} // closed when nothing is left

	mu        sync.Mutex
	health    health
	exit      process.Exit
	ended     bool
	gone      bool
	ownerless int
	signals   []syscall.Signal
}

func (l *life) start(spec process.Spec) (Process, error) {
	r := l.rig
	app, _, _ := strings.Cut(spec.Name, "/")
	does := r.behaviourOf(app)
	time.Sleep(does.cloneTakes)
	if l.isOver() {
		return nil, errOver
	}
	if does.startErr != nil {
		return nil, does.startErr
	}
	port, _ := strconv.Atoi(strings.TrimPrefix(spec.Argv[1], "--port="))
	p := &fakeProcess{
		rig: r, name: spec.Name, port: port, does: does, exit: does.exit, ownerless: does.ownerless,
		going: make(chan struct{}), exited: make(chan struct{}), empty: make(chan struct{}),
	}
	r.enroll(p)
	r.note("clone %s", p.name)
	return ownProcess{p, l}, nil
}

func (p *fakeProcess) ID() int { return p.pid }

func (p *fakeProcess) Go() error {
	close(p.going)
	return nil
}

func (p *fakeProcess) Launched() error {
	select {
	case <-p.going:
	case <-p.exited:
	}
	if p.does.launchErr != nil {
		p.end(process.Exit{Known: true, Code: 125})
		return p.does.launchErr
	}
	if p.hasEnded() {
		return nil // killed before it could say why it was not launched
	}
	p.rig.note("launched %s", p.name)
	if p.does.readyAfter >= 0 {
		time.AfterFunc(p.does.readyAfter, func() { p.feel(well) })
	}
	if p.does.diesAfter > 0 {
		time.AfterFunc(p.does.diesAfter, func() { p.end(p.does.exit) })
	}
	return nil
}

func (p *fakeProcess) Wait() process.Exit {
	<-p.exited
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.exit
}

func (p *fakeProcess) Leftovers(ctx context.Context) error {
	select {
	case <-p.empty:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Signal is the stop signal unless it is USR1, which no process cares for.
func (p *fakeProcess) Signal(sig syscall.Signal) error {
	p.mu.Lock()
	p.signals = append(p.signals, sig)
	gone, ended := p.gone, p.ended
	p.mu.Unlock()
	if gone {
		return os.ErrProcessDone
	}
	p.rig.note("signal %s %s", p.name, signalName(sig))
	if sig == syscall.SIGUSR1 {
		return nil
	}
	p.rig.checkIdle(p.name)
	if !ended && p.does.stopTakes >= 0 {
		time.AfterFunc(p.does.stopTakes, func() { p.end(process.Exit{Known: true}) })
	}
	return nil
}

func (p *fakeProcess) Kill() error {
	p.mu.Lock()
	gone := p.gone
	p.mu.Unlock()
	if gone {
		return os.ErrProcessDone
	}
	p.rig.note("kill %s", p.name)
	p.end(process.Exit{Known: true, Signal: syscall.SIGKILL})
	p.vanish()
	return nil
}

// OwnsListener never sees another instance's socket.
func (p *fakeProcess) OwnsListener(port int) (owned, stranger bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ownerless > 0 {
		p.ownerless--
		return false, false, nil
	}
	return !p.does.stranger && port == p.port, p.does.stranger, nil
}

// end ends the main process.
func (p *fakeProcess) end(exit process.Exit) {
	p.mu.Lock()
	if p.ended {
		p.mu.Unlock()
		return
	}
	p.ended, p.exit = true, exit
	p.mu.Unlock()
	p.rig.note("exit %s", p.name)
	p.feel(mute)
	close(p.exited)
	if p.does.lingers >= 0 {
		time.AfterFunc(p.does.lingers, p.vanish)
	}
}

// vanish ends what the main process has left.
func (p *fakeProcess) vanish() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.gone {
		p.gone = true
		close(p.empty)
		p.rig.note("empty %s", p.name)
	}
}

func (p *fakeProcess) hasEnded() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ended
}

func (p *fakeProcess) isGone() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.gone
}

// feel changes what checks find; the workers notice.
func (p *fakeProcess) feel(h health) {
	p.mu.Lock()
	if p.ended && h != mute {
		p.mu.Unlock()
		return
	}
	p.health = h
	p.mu.Unlock()
	p.rig.checkUp(p.name)
}

func (p *fakeProcess) feels() health {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.health
}
