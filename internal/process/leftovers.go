package process

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sys/unix"
)

// How often Leftovers looks by itself. Most ends are announced by the reaper;
// that of a group member whose parent lives on in another group is not.
const (
	firstLook = 20 * time.Millisecond
	lastLook  = 500 * time.Millisecond
)

// Leftovers blocks until nothing is left of the instance, or ctx ends, whose
// error it then returns. Some goroutine must be in Wait. After Kill it goes on
// killing what turns up.
func (p *Process) Leftovers(ctx context.Context) error {
	select {
	case <-p.done:
	case <-ctx.Done():
		return ctx.Err()
	}
	if p.leaf != nil {
		if err := p.leaf.AwaitEmpty(ctx); err != nil {
			return err
		}
	}
	timer := time.NewTimer(firstLook)
	defer timer.Stop()
	for pause := firstLook; ; pause = min(2*pause, lastLook) {
		changed, empty := p.look()
		if empty {
			return nil
		}
		timer.Reset(pause)
		select {
		case <-changed:
		case <-timer.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// look is one look at what is left, and the channel that announces news since.
func (p *Process) look() (<-chan struct{}, bool) {
	p.reaper.mu.Lock()
	defer p.reaper.mu.Unlock()
	if p.killed {
		// What may not be killed is looked for, and told in Strays.
		_ = p.send(unix.SIGKILL)
	}
	empty := p.settle()
	return p.reaper.changed, empty
}

// settle finds out whether the instance is gone, and if so lets go of all that
// stands for it: its numbers may belong to others from now on. The lock is held.
func (p *Process) settle() bool {
	if p.gone || !p.waited {
		return p.gone
	}
	if p.leaf != nil {
		return p.settleLeaf()
	}
	// Strays first: that buries dead orphans, which else count as members.
	strays, err := p.strays()
	if err != nil || len(strays) > 0 {
		return false
	}
	if err := p.signalGroup(0); !errors.Is(err, unix.ESRCH) {
		return false
	}
	p.leave()
	return true
}

// leave lets go of what stands for an instance of which nothing is left. The
// lock is held.
func (p *Process) leave() {
	p.gone = true
	p.reaper.forget(p)
	p.pidfd.Close()
}
