package process

import (
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sys/unix"
)

// Ports hands out internal ports from a range. It goes round the range, so that
// a port rests for as long as possible before it is used again: clients and
// pools may still hold its last user's address. It may be used from any
// goroutine.
type Ports struct {
	probe func(port int) error

	mu       sync.Mutex
	from, to int
	// next is where the search begins.
	next int
	// taken may hold ports outside the range, from before it was changed.
	taken map[int]bool
}

// NewPorts makes an allocator for from to to, both included. Probe tells
// whether a port is free: nil, EADDRINUSE if somebody else has it, or what kept
// it from knowing; nil stands for ProbePort.
func NewPorts(from, to int, probe func(port int) error) *Ports {
	if probe == nil {
		probe = ProbePort
	}
	return &Ports{probe: probe, from: from, to: to, next: from, taken: make(map[int]bool)}
}

// Take returns a port that is free, and that nobody else gets until Release.
func (p *Ports) Take() (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	ours, others := 0, 0
	for range p.to - p.from + 1 {
		port := p.next
		if p.next++; p.next > p.to {
			p.next = p.from
		}
		if p.taken[port] {
			ours++
			continue
		}
		err := p.probe(port)
		if err == nil {
			p.taken[port] = true
			return port, nil
		}
		if !errors.Is(err, unix.EADDRINUSE) {
			return 0, fmt.Errorf("take port %d: %w", port, err)
		}
		others++
	}
	return 0, fmt.Errorf("no free port in %d-%d: %d in use by apps, %d by others", p.from, p.to, ours, others)
}

// Claim marks a port as taken that an adopted instance has already.
func (p *Ports) Claim(port int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.taken[port] = true
}

// Release gives a port back. Call it when nothing of its instance is left: an
// orphan may hold it longer than the main process.
func (p *Ports) Release(port int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.taken, port)
}

// SetRange changes the range; ports that were taken stay so.
func (p *Ports) SetRange(from, to int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.from, p.to = from, to
	if p.next < from || p.next > to {
		p.next = from
	}
}
