package proxy

import (
	"io"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// BenchmarkMove moves 10,000 idle connections (or as many as there are descriptors
// for) and a stream at full speed from one
// proxy to another, again and again: how long that takes, and the longest pause
// that the stream has seen.
func BenchmarkMove(b *testing.B) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		b.Fatal(err)
	}
	idle := min(10_000, int(limit.Cur)/2-700) // both ends are in this process
	r := newRig(b, nil)
	r.serve(newBackend(b, func(p *peer) {
		p.head()
		p.send(upgradeAnswer)
		echo(p)
	}).addr)
	clients := make([]*peer, idle+1)
	for i := range clients {
		clients[i] = r.dial()
	}
	stream := clients[idle]
	stream.send(upgradeRequest)
	stream.head()
	go func() { // ends with the connection
		buf := make([]byte, 64<<10)
		for {
			if _, err := stream.Write(buf); err != nil {
				return
			}
		}
	}()
	longest, ended := time.Duration(0), make(chan struct{})
	go func() { // ends with the connection
		defer close(ended)
		buf := make([]byte, 64<<10)
		for last := time.Now(); ; {
			if _, err := io.ReadAtLeast(stream, buf, 1); err != nil {
				return
			}
			now := time.Now()
			longest, last = max(longest, now.Sub(last)), now
		}
	}()
	eventually(b, "all are in", func() bool { return r.counters().Connections == idle+1 })
	b.ResetTimer()
	for range b.N {
		next := r.successor()
		r.moveTo(next)
		r.left()
		r = next
	}
	b.StopTimer()
	stream.Close()
	<-ended
	b.ReportMetric(float64(idle), "connections")
	b.ReportMetric(float64(longest.Milliseconds()), "ms-longest-pause")
}
