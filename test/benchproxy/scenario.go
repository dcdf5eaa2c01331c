package main

import "fmt"

// door is a way through a proxy. Each proxy listens on a port for each.
type door int

// The doors.
const (
	httpToTCP  door = iota // HTTP, to a backend on a TCP port
	httpToUnix             // HTTP, to a backend on a Unix socket
	plainTCP               // TCP mode
	bulkTCP                // TCP mode, as set up for large answers
	doors      = iota
)

func (d door) String() string {
	return [...]string{"http-tcp", "http-unix", "tcp", "tcp"}[d]
}

// Sizes of the answers' bodies in bytes.
const (
	small = 100
	large = 1 << 20
)

// A scenario is a case to measure: clients that send a request each as soon as
// they have had the answer to the last.
type scenario struct {
	door    door
	size    int
	clients int
}

// scenarios are all cases, in the order of the table.
func scenarios() []scenario {
	var all []scenario
	for _, d := range []door{httpToTCP, httpToUnix, plainTCP} {
		for _, size := range []int{small, large} {
			for _, clients := range []int{1, 32, 256, 1000} {
				s := scenario{d, size, clients}
				if d == plainTCP && size == large {
					s.door = bulkTCP
				}
				all = append(all, s)
			}
		}
	}
	return all
}

func (s scenario) String() string {
	size := "100B"
	if s.size == large {
		size = "1MiB"
	}
	return fmt.Sprintf("%s/%s/%d", s.door, size, s.clients)
}

// requestFor is what clients send. The path says how much they want.
func requestFor(size int) []byte {
	return fmt.Appendf(nil, "GET /%d HTTP/1.1\r\nHost: bench.example\r\nUser-Agent: benchproxy\r\nAccept: */*\r\n\r\n", size)
}
