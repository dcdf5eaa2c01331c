package harness

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// listening is the state of a listening socket in /proc/net/tcp (proc(5)).
const listening = "0A"

// A tcpSocket is a line of /proc/net/tcp.
type tcpSocket struct {
	local, remote int // ports
	state         string
}

// tcpSockets are those of a process's network namespace, by what their descriptors
// link to.
func tcpSockets(pid int) map[string]tcpSocket {
	all := make(map[string]tcpSocket)
	for _, table := range []string{"tcp", "tcp6"} {
		text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "net", table))
		if err != nil {
			continue // a kernel without IPv6
		}
		for line := range strings.Lines(string(text)) {
			if fields := strings.Fields(line); len(fields) > 9 {
				all["socket:["+fields[9]+"]"] = tcpSocket{tcpPort(fields[1]), tcpPort(fields[2]), fields[3]}
			}
		}
	}
	return all
}

// tcpPort is the port of an address in the table, or 0.
func tcpPort(address string) int {
	port, err := strconv.ParseUint(address[strings.LastIndexByte(address, ':')+1:], 16, 16)
	if err != nil {
		return 0
	}
	return int(port)
}

// descriptors are what those of a process link to. One that is closed meanwhile
// may be missing.
func descriptors(pid int) ([]string, error) {
	dir := filepath.Join("/proc", strconv.Itoa(pid), "fd")
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("list descriptors of process %d: %w", pid, err)
	}
	var all []string
	for _, entry := range entries {
		if target, err := os.Readlink(filepath.Join(dir, entry.Name())); err == nil {
			all = append(all, target)
		}
	}
	return all, nil
}

// LastingFDs counts the descriptors of a process but for those of TCP
// connections, which come and go with clients.
func LastingFDs(pid int) (int, error) {
	all, err := descriptors(pid)
	if err != nil {
		return 0, err
	}
	sockets, n := tcpSockets(pid), 0
	for _, target := range all {
		if socket, tcp := sockets[target]; !tcp || socket.state == listening {
			n++
		}
	}
	return n, nil
}

// A Client is the client's side of a TCP connection on loopback: the ports of both
// sides tell it from all others.
type Client struct{ Server, Port int }

// ClientsOf returns the clients whose connections to one of these ports a process
// has, alone or with others.
func ClientsOf(pid int, servers ...int) (map[Client]bool, error) {
	all, err := descriptors(pid)
	if err != nil {
		return nil, err
	}
	sockets, clients := tcpSockets(pid), make(map[Client]bool)
	for _, target := range all {
		if socket, tcp := sockets[target]; tcp && socket.state != listening && slices.Contains(servers, socket.local) {
			clients[Client{socket.local, socket.remote}] = true
		}
	}
	return clients, nil
}
