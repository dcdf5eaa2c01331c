package rig

import (
	"fmt"
	"net"
)

// Ports above those that the kernel gives to nobody in particular
// (ip_local_port_range ends at 60999) and below the last one.
const (
	firstPort = 61_000
	endPort   = 65_500
)

// TakePorts returns the first of n consecutive ports that are free and were
// not taken before.
func (w *World) TakePorts(n int) (int, error) {
	first := w.nextPort
	for port := first; port < first+n; port++ {
		if port >= endPort {
			return 0, fmt.Errorf("take ports: no %d free ones from %d to %d", n, firstPort, endPort)
		}
		if !free(port) {
			first = port + 1
		}
	}
	w.nextPort = first + n
	return first, nil
}

// free reports whether nobody listens on the port. Listening on all addresses
// fails if somebody does on any.
func free(port int) bool {
	listener, err := net.Listen("tcp", fmt.Sprintf(":%d", port))
	return err == nil && listener.Close() == nil
}
