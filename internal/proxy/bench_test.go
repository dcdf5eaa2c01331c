package proxy

import (
	"io"
	"net"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"gracevisor/internal/wire"
)

func itoa(n int) string { return strconv.Itoa(n) }

// steadyPair is a client's connection and an app that answer without allocating,
// so that what is counted is the proxy's.
func steadyPair(t testing.TB, r *rig, answer string) (exchange func()) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() { // ended by the close of l, and of the connection
		b, a := make([]byte, 4096), []byte(answer)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			for {
				if _, err := c.Read(b); err != nil {
					break
				}
				if _, err := c.Write(a); err != nil {
					break
				}
			}
			c.Close()
		}
	}()
	r.serve(l.Addr().String())
	c, err := net.Dial("tcp", r.front)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	request := []byte("GET /some/path HTTP/1.1\r\nHost: example\r\nUser-Agent: test\r\nAccept: */*\r\n\r\n")
	b := make([]byte, len(answer))
	return func() {
		if _, err := c.Write(request); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(c, b); err != nil {
			t.Fatal(err)
		}
	}
}

const steadyAnswer = "HTTP/1.1 200 OK\r\nDate: Mon, 23 Nov 2026 07:00:00 GMT\r\nContent-Type: text/plain\r\nContent-Length: 100\r\n\r\n"

// TestNoAllocation: a request in steady state costs no memory.
func TestNoAllocation(t *testing.T) {
	for _, format := range []string{"", "json", "combined"} {
		r := newRig(t, func(a *wire.App) { a.Traffic.AccessLog = format })
		read, write, err := osPipe()
		if err != nil {
			t.Fatal(err)
		}
		defer read.Close()
		go io.Copy(io.Discard, read) // ended by the close of read
		if err := r.proxy.AddFile("access:demo", write); err != nil {
			t.Fatal(err)
		}
		exchange := steadyPair(t, r, steadyAnswer+strings.Repeat("x", 100))
		for range 100 {
			exchange()
		}
		// AllocsPerRun counts all goroutines. A Date or a pool that a
		// collection emptied may cost one now and then.
		if n := testing.AllocsPerRun(2000, exchange); n >= 0.5 && !raceEnabled {
			t.Errorf("access log %q: %v allocations per request", format, n)
		}
	}
}

func BenchmarkSmallAnswer(b *testing.B) {
	r := benchRig(b)
	exchange := steadyPair(b, r, steadyAnswer+strings.Repeat("x", 100))
	exchange()
	b.ReportAllocs()
	for b.Loop() {
		exchange()
	}
}

func BenchmarkIdleMemory(b *testing.B) {
	runtime.GC()
}
