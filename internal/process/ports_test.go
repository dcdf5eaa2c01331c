package process

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func TestPortsGoRound(t *testing.T) {
	busy := map[int]bool{102: true}
	ports := NewPorts(100, 104, func(port int) error {
		if busy[port] {
			return unix.EADDRINUSE
		}
		return nil
	})
	take := func(want int) {
		t.Helper()
		if got, err := ports.Take(); err != nil || got != want {
			t.Fatalf("got %d, %v, want %d", got, err, want)
		}
	}
	take(100)
	take(101)
	ports.Release(100) // not used again before the others
	take(103)
	take(104)
	take(100)
	_, err := ports.Take()
	if want := "no free port in 100-104: 4 in use by apps, 1 by others"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	busy[102] = false
	take(102)
	ports.Release(103)
	take(103)
}

func TestPortsOfOne(t *testing.T) {
	ports := NewPorts(7, 7, func(int) error { return nil })
	for range 3 {
		if got, err := ports.Take(); err != nil || got != 7 {
			t.Fatalf("got %d, %v", got, err)
		}
		if got, err := ports.Take(); err == nil {
			t.Fatalf("port %d was handed out twice", got)
		}
		ports.Release(7)
	}
}

func TestPortsClaimAndRange(t *testing.T) {
	ports := NewPorts(10, 12, func(int) error { return nil })
	ports.Claim(10)
	if got, _ := ports.Take(); got != 11 {
		t.Errorf("got %d, want 11", got)
	}
	ports.SetRange(11, 13)
	got := []int{}
	for {
		port, err := ports.Take()
		if err != nil {
			if !strings.Contains(err.Error(), "no free port in 11-13: 3 in use by apps, 0 by others") {
				t.Error(err)
			}
			break
		}
		got = append(got, port)
	}
	slices.Sort(got)
	if !slices.Equal(got, []int{12, 13}) {
		t.Errorf("got %v, want 12 and 13: 11 is taken still", got)
	}
	ports.SetRange(20, 20)
	if got, _ := ports.Take(); got != 20 {
		t.Errorf("got %d, want 20", got)
	}
}

func TestPortsThatCannotBeProbed(t *testing.T) {
	ports := NewPorts(1, 3, func(int) error { return unix.EMFILE })
	if _, err := ports.Take(); !errors.Is(err, unix.EMFILE) {
		t.Errorf("got %v", err)
	}
}

func TestPortsAreNeverHandedOutTwice(t *testing.T) {
	ports := NewPorts(1, 50, func(int) error { return nil })
	var mu sync.Mutex
	holders := map[int]int{}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 200 {
				port, err := ports.Take()
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				if holders[port]++; holders[port] > 1 {
					t.Errorf("port %d has %d holders", port, holders[port])
				}
				mu.Unlock()
				mu.Lock()
				holders[port]--
				mu.Unlock()
				ports.Release(port)
			}
		})
	}
	all.Wait()
}

// portOf listens and returns the port; where the machine has no such address the
// test is skipped.
func portOf(t *testing.T, network, address string, config *net.ListenConfig) (int, net.Listener) {
	t.Helper()
	l, err := config.Listen(context.Background(), network, address)
	if err != nil {
		t.Skipf("SKIPPED: cannot listen on %s: %v", address, err)
	}
	t.Cleanup(func() { l.Close() })
	return l.Addr().(*net.TCPAddr).Port, l
}

func TestListenersAreSeen(t *testing.T) {
	socketOption := func(level, option, value int) *net.ListenConfig {
		return &net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
			return c.Control(func(fd uintptr) {
				if err := unix.SetsockoptInt(int(fd), level, option, value); err != nil {
					t.Error(err)
				}
			})
		}}
	}
	plain := &net.ListenConfig{}
	tests := []struct {
		name, network, address string
		config                 *net.ListenConfig
	}{
		{"IPv4 loopback", "tcp4", "127.0.0.1:0", plain},
		{"another IPv4 loopback", "tcp4", "127.0.0.2:0", plain},
		{"IPv4 wildcard", "tcp4", "0.0.0.0:0", plain},
		{"IPv6 loopback", "tcp6", "[::1]:0", plain},
		{"IPv6 wildcard only", "tcp6", "[::]:0", socketOption(unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 1)},
		{"dual stack", "tcp", "[::]:0", plain},
		{"without SO_REUSEADDR", "tcp4", "127.0.0.1:0", socketOption(unix.SOL_SOCKET, unix.SO_REUSEADDR, 0)},
		{"with SO_REUSEPORT", "tcp4", "127.0.0.1:0", socketOption(unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			port, l := portOf(t, test.network, test.address, test.config)
			if err := ProbePort(port); !errors.Is(err, unix.EADDRINUSE) {
				t.Errorf("probe: %v", err)
			}
			l.Close()
			if err := ProbePort(port); err != nil {
				t.Errorf("after it was closed: %v", err)
			}
		})
	}
}

func TestOutgoingConnectionIsSeen(t *testing.T) {
	_, l := portOf(t, "tcp4", "127.0.0.1:0", &net.ListenConfig{})
	c, err := net.Dial("tcp4", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := ProbePort(c.LocalAddr().(*net.TCPAddr).Port); !errors.Is(err, unix.EADDRINUSE) {
		t.Errorf("probe of the local port of a connection: %v", err)
	}
}

func TestTimeWaitIsNoHindrance(t *testing.T) {
	port, l := portOf(t, "tcp4", "127.0.0.1:0", &net.ListenConfig{})
	c, err := net.Dial("tcp4", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	served, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	// The side that closes first keeps TIME_WAIT: here that of the server.
	served.Close()
	if _, err := c.Read(make([]byte, 1)); err == nil {
		t.Fatal("the connection lives on")
	}
	c.Close()
	l.Close()
	eventually(t, "TIME_WAIT", func() bool { return inTimeWait(t, port) })
	if err := ProbePort(port); err != nil {
		t.Error(err)
	}
}

func inTimeWait(t *testing.T, port int) (found bool) {
	t.Helper()
	err := scanFile("/proc/net/tcp", func(line string) {
		fields := strings.Fields(line)
		if len(fields) > 3 && fields[3] == "06" {
			address, err := netip.ParseAddrPort("0.0.0.0:" + hexPort(fields[1]))
			found = found || err == nil && int(address.Port()) == port
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestMachineWithoutAnAddress(t *testing.T) {
	// 192.0.2.0/24 is for documentation: no machine has it (RFC 5737).
	err := bind(netip.MustParseAddrPort("192.0.2.1:0"))
	if !errors.Is(err, unix.EADDRNOTAVAIL) {
		t.Errorf("got %v", err)
	}
	before := probeAddresses
	defer func() { probeAddresses = before }()
	probeAddresses = []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")}
	if err := ProbePort(1234); err != nil {
		t.Errorf("an address that is not there made a port busy: %v", err)
	}
}

func TestNumberThatIsNoPort(t *testing.T) {
	for _, port := range []int{-1, 0, 65536 + 80} {
		if err := ProbePort(port); err == nil {
			t.Errorf("port %d is said to be free", port)
		}
	}
}
