package harness

import (
	"errors"
	"fmt"
	"net"
)

// Blocks of ports lie in a range that the kernel gives to nobody by itself
// (ip_local_port_range begins at 32768) and that the example configuration
// does not use.
const (
	firstPort = 12_000
	endPort   = 32_000
	blockSize = 100
)

// ports is a run of consecutive ports that belongs to one Box.
type ports struct {
	from, to int // both included
	locks    []net.Listener
}

// takePorts finds at least n ports that are free and that no other Box has, in
// this process or another. A block is taken by binding an abstract Unix socket
// (unix(7)) named after it: the kernel lets it go with the process, however
// that ends, and each network namespace has names of its own, as it has ports.
func takePorts(n int) (*ports, error) {
	blocks := (n + blockSize - 1) / blockSize
	p := &ports{}
	for port := firstPort; port+blockSize <= endPort; port += blockSize {
		lock, err := net.Listen("unix", fmt.Sprintf("@gracevisor-test-ports-%d", port))
		if err == nil {
			p.locks = append(p.locks, lock)
		}
		if err != nil || !allFree(port, port+blockSize) {
			if err := p.release(); err != nil {
				return nil, err
			}
			continue
		}
		if len(p.locks) == blocks {
			p.from, p.to = port+blockSize-blocks*blockSize, port+blockSize-1
			return p, nil
		}
	}
	return nil, errors.Join(fmt.Errorf("take ports: no %d free ones from %d to %d", n, firstPort, endPort), p.release())
}

// allFree reports whether nobody listens on any port from from up to before
// end. Listening on all addresses fails if somebody does on any.
func allFree(from, end int) bool {
	for port := from; port < end; port++ {
		listener, err := net.Listen("tcp", fmt.Sprintf(":%d", port))
		if err != nil {
			return false
		}
		if err := listener.Close(); err != nil {
			return false
		}
	}
	return true
}

// release lets others have the ports.
func (p *ports) release() error {
	var err error
	for _, lock := range p.locks {
		err = errors.Join(err, lock.Close())
	}
	p.locks = nil
	return err
}
