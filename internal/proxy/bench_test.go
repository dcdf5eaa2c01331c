package proxy

import (
	"io"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"gracevisor/internal/wire"
)

func itoa(n int) string { return strconv.Itoa(n) }

// steadyPair is a client's connection and an app that answer without allocating,
// so that what is counted is the proxy's.
func steadyPair(t testing.TB, r *rig, request, answer, want string) (exchange func()) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() { // ended by the close of l
		a := []byte(answer)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { // ended by the close of the connection
				defer c.Close()
				b := make([]byte, 4096)
				for {
					if _, err := c.Read(b); err != nil {
						return
					}
					if _, err := c.Write(a); err != nil {
						return
					}
				}
			}()
		}
	}()
	r.serve(l.Addr().String())
	c, err := net.Dial("tcp", r.front)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	out, b := []byte(request), make([]byte, len(want))
	return func() {
		if _, err := c.Write(out); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(c, b); err != nil {
			t.Fatal(err)
		}
		if string(b) != want {
			t.Fatalf("got %q", b)
		}
	}
}

const (
	steadyGet    = "GET /some/path HTTP/1.1\r\nHost: example\r\nUser-Agent: test\r\nAccept: */*\r\n\r\n"
	steadyPost   = "POST /some/path HTTP/1.1\r\nHost: example\r\nContent-Length: 10\r\n\r\n0123456789"
	steadyHead   = "HTTP/1.1 200 OK\r\nDate: Mon, 23 Nov 2026 07:00:00 GMT\r\nContent-Type: text/plain\r\n"
	steadyAnswer = steadyHead + "Content-Length: 10\r\n\r\n0123456789"
	steadyChunks = steadyHead + "Transfer-Encoding: chunked\r\n\r\na\r\n0123456789\r\n0\r\n\r\n"
)

// TestNoAllocation: a request in steady state costs no memory.
func TestNoAllocation(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	long := steadyHead + "Content-Length: 40000\r\n\r\n" + strings.Repeat("x", 40000)
	for name, k := range map[string]struct{ request, answer, log string }{
		"plain":        {steadyGet, steadyAnswer, ""},
		"body":         {steadyPost, steadyAnswer, ""},
		"chunks":       {steadyGet, steadyChunks, ""},
		"long answer":  {steadyGet, long, ""},
		"JSON log":     {steadyGet, steadyAnswer, "json"},
		"combined log": {steadyGet, steadyAnswer, "combined"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, func(a *wire.App) { a.Traffic.AccessLog = k.log })
			read, write, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer read.Close()
			go io.Copy(io.Discard, read) // ended by the close of read
			if err := r.proxy.AddFile("access:demo", write); err != nil {
				t.Fatal(err)
			}
			exchange := steadyPair(t, r, k.request, k.answer, k.answer)
			for range 100 {
				exchange()
			}
			// All goroutines are counted. A new Date, or a pool that a
			// collection has emptied, may cost one now and then.
			if n := testing.AllocsPerRun(2000, exchange); n >= 0.5 {
				t.Errorf("%v allocations per request", n)
			}
		})
	}
}

func BenchmarkSmallAnswer(b *testing.B) {
	r := newRig(b, nil)
	exchange := steadyPair(b, r, steadyGet, steadyAnswer, steadyAnswer)
	exchange()
	b.ReportAllocs()
	for b.Loop() {
		exchange()
	}
}

// BenchmarkIdleConnection prints what a connection costs that has had a request
// and waits for the next.
func BenchmarkIdleConnection(b *testing.B) {
	const n = 2000
	r := newRig(b, nil)
	exchange := steadyPair(b, r, steadyGet, ok0, ok0)
	exchange()
	front := net.TCPAddrFromAddrPort(netip.MustParseAddrPort(r.front))
	for b.Loop() {
		before := memory()
		fds := make([]int, n)
		for i := range fds {
			fds[i] = rawClient(b, front)
		}
		eventually(b, "all are served", func() bool {
			c := r.counters()
			return c.Status[1] >= n && c.Connections == n+1 && c.Instances[0].InFlight == 0
		})
		b.ReportMetric(float64(memory()-before)/n, "B/conn")
		for _, fd := range fds {
			unix.Close(fd)
		}
		eventually(b, "all have gone", func() bool { return r.counters().Connections == 1 })
	}
}

// rawClient sends a request on a socket that costs this process no memory.
func rawClient(b *testing.B, front *net.TCPAddr) int {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		b.Fatal(err)
	}
	if err := unix.Connect(fd, &unix.SockaddrInet4{Port: front.Port, Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		b.Fatal(err)
	}
	if _, err := unix.Write(fd, []byte("GET / HTTP/1.1\r\nHost: h\r\n\r\n")); err != nil {
		b.Fatal(err)
	}
	if n, err := unix.Read(fd, make([]byte, 4096)); n == 0 || err != nil {
		b.Fatalf("%d bytes, %v", n, err)
	}
	return fd
}

// memory is what heap and stacks take, after what is not needed was given back.
func memory() uint64 {
	for range 4 { // stacks shrink by half in each
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse + m.StackInuse
}
