package activation

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// patience bounds what must happen at once.
const bindPatience = 30 * time.Second

// freePort is a port that nobody listens on, on any address.
func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// bindHost is BindHost for as long as the test.
func bindHost(t *testing.T, host string, port int, held ...*Listener) Set {
	t.Helper()
	set := BindHost(context.Background(), host, port, held)
	t.Cleanup(func() {
		for _, l := range set.Listeners {
			l.Close()
		}
	})
	return set
}

// needsIPv6 skips a test on a machine that has no IPv6 loopback.
func needsIPv6(t *testing.T) {
	t.Helper()
	l, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Skipf("SKIPPED: this machine has no ::1: %v", err)
	}
	l.Close()
}

// connects reports whether somebody listens on an address.
func connects(t *testing.T, host string, port int) bool {
	t.Helper()
	c, err := net.DialTimeout("tcp", net.JoinHostPort(host, fmt.Sprint(port)), bindPatience)
	if err != nil {
		return false
	}
	c.Close()
	return true
}

func TestBindHost(t *testing.T) {
	for _, c := range []struct {
		host         string
		names        string // of its listeners, with PORT
		v4, v6       bool   // whether loopback of that family leads to it
		elsewhere    bool   // whether 127.0.0.2 does
		requiresIPv6 bool
	}{
		{"127.0.0.1", "127.0.0.1:PORT", true, false, false, false},
		{"127.0.0.2", "127.0.0.2:PORT", false, false, true, false},
		{"0.0.0.0", "0.0.0.0:PORT", true, false, true, false},
		{"::1", "[::1]:PORT", false, true, false, true},
		{"localhost", "127.0.0.1:PORT [::1]:PORT", true, true, false, true},
		{"", "[::]:PORT", true, true, true, true},
		{"*", "[::]:PORT", true, true, true, true},
		{"::", "[::]:PORT", true, true, true, true},
		{"::ffff:127.0.0.1", "127.0.0.1:PORT", true, false, false, false},
	} {
		t.Run(c.host, func(t *testing.T) {
			if c.requiresIPv6 {
				needsIPv6(t)
			}
			port := freePort(t)
			set := bindHost(t, c.host, port)
			if set.Err != nil {
				t.Fatal(set.Err)
			}
			want := strings.ReplaceAll(c.names, "PORT", fmt.Sprint(port))
			if got := strings.Join(set.Names(), " "); got != want {
				t.Errorf("listens on %s, not %s", got, want)
			}
			if connects(t, "127.0.0.1", port) != c.v4 || connects(t, "127.0.0.2", port) != c.elsewhere {
				t.Errorf("127.0.0.1 leads to it: %t; 127.0.0.2 does: %t", !c.v4, !c.elsewhere)
			}
			if c.requiresIPv6 && connects(t, "::1", port) != c.v6 {
				t.Errorf("::1 leads to it: %t", !c.v6)
			}
			for _, l := range set.Listeners {
				if l.Source != SourceBound {
					t.Errorf("%s is from %s", l.Name(), l.Source)
				}
			}
		})
	}
}

// TestLocalhostBesideAStranger: one of two addresses in use is told, and the
// other bound all the same.
func TestLocalhostBesideAStranger(t *testing.T) {
	needsIPv6(t)
	stranger, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	port := stranger.Addr().(*net.TCPAddr).Port
	set := bindHost(t, "localhost", port)
	if got := fmt.Sprint(set.Names()); got != fmt.Sprintf("[127.0.0.1:%d]", port) {
		t.Errorf("listens on %s", got)
	}
	if !errors.Is(set.Err, unix.EADDRINUSE) || !strings.Contains(set.Err.Error(), fmt.Sprintf("[::1]:%d", port)) {
		t.Errorf("error: %v", set.Err)
	}
}

func TestBindErrors(t *testing.T) {
	stranger, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	taken := stranger.Addr().(*net.TCPAddr).Port
	for name, c := range map[string]struct {
		host string
		port int
		want error
		text string
	}{
		"in use":                     {"127.0.0.1", taken, unix.EADDRINUSE, "in use by another process"},
		"in use, by the wildcard":    {"0.0.0.0", taken, unix.EADDRINUSE, "in use by another process"},
		"in use, by both wildcards":  {"*", taken, unix.EADDRINUSE, "in use by another process"},
		"an address of another host": {"192.0.2.1", taken, ErrNoAddress, "192.0.2.1"},
		"no address of that name":    {"no.such.host.invalid", taken, nil, "resolve \"no.such.host.invalid\""},
		"an empty label":             {"a..b", taken, nil, "resolve \"a..b\""},
	} {
		set := bindHost(t, c.host, c.port)
		if len(set.Listeners) > 0 || set.Err == nil {
			t.Errorf("%s: listens on %v, %v", name, set.Names(), set.Err)
			continue
		}
		if c.want != nil && !errors.Is(set.Err, c.want) || !strings.Contains(set.Err.Error(), c.text) {
			t.Errorf("%s: %v", name, set.Err)
		}
	}
}

// TestNoRightToBind: a port that only root may have, asked for by another user.
func TestNoRightToBind(t *testing.T) {
	start, err := os.ReadFile("/proc/sys/net/ipv4/ip_unprivileged_port_start")
	if err != nil || os.Geteuid() == 0 || strings.TrimSpace(string(start)) == "0" {
		t.Skipf("SKIPPED: every port is free for this user (uid %d)", os.Geteuid())
	}
	set := bindHost(t, "127.0.0.1", 1)
	if !errors.Is(set.Err, unix.EACCES) || !strings.Contains(set.Err.Error(), "CAP_NET_BIND_SERVICE") {
		t.Errorf("error: %v", set.Err)
	}
}

// TestHeldIsTakenOver: the very same socket, never a second one; what is held
// for others stays theirs.
func TestHeldIsTakenOver(t *testing.T) {
	needsIPv6(t)
	port, other := freePort(t), freePort(t)
	first := bindHost(t, "localhost", port)
	stranger := bindHost(t, "127.0.0.1", other)
	held := append(stranger.Listeners, first.Listeners...)
	second := BindHost(context.Background(), "localhost", port, held)
	if second.Err != nil || len(second.Listeners) != 2 {
		t.Fatalf("%v, %v", second.Names(), second.Err)
	}
	for n, l := range second.Listeners {
		if l != first.Listeners[n] {
			t.Errorf("%s is another socket", l.Name())
		}
	}
	// One held, one missing.
	first.Listeners[1].Close()
	third := bindHost(t, "localhost", port, first.Listeners[0])
	if third.Err != nil || len(third.Listeners) != 2 || third.Listeners[0] != first.Listeners[0] {
		t.Errorf("%v, %v", third.Names(), third.Err)
	}
}

// TestHeldWildcard: every address of the machine is what it is for, also where
// the machine had no IPv6 when it was bound.
func TestHeldWildcard(t *testing.T) {
	port := freePort(t)
	held := bindHost(t, "0.0.0.0", port)
	set := BindHost(context.Background(), "*", port, held.Listeners)
	if set.Err != nil || len(set.Listeners) != 1 || set.Listeners[0] != held.Listeners[0] {
		t.Errorf("%v, %v", set.Names(), set.Err)
	}
}

// TestNameThatIsNotFound: what is held for others is none of its business.
func TestNameThatIsNotFound(t *testing.T) {
	held := bindHost(t, "127.0.0.1", freePort(t))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for _, host := range []string{"no.such.host.invalid", "example.invalid"} {
		set := BindHost(ctx, host, 80, held.Listeners)
		if set.Err == nil || len(set.Listeners) > 0 {
			t.Errorf("%s: %v, %v", host, set.Names(), set.Err)
		}
	}
}

// TestListenersStayOutOfThePoller: the supervisor never accepts, and must not be
// woken for each client that connects.
func TestListenersStayOutOfThePoller(t *testing.T) {
	set := bindHost(t, "127.0.0.1", freePort(t))
	path := filepath.Join(t.TempDir(), "socket")
	unixListener, err := BindUnix(path)
	if err != nil {
		t.Fatal(err)
	}
	defer unixListener.Close()
	for _, l := range append(set.Listeners, unixListener) {
		fd := descriptor(t, l.File)
		if polled(t, fd) {
			t.Errorf("%s is in the poller", l.Name())
		}
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
		if err != nil || flags&unix.O_NONBLOCK == 0 {
			t.Errorf("%s blocks: %#x, %v", l.Name(), flags, err)
		}
	}
}

// descriptor is the number of a file, as long as that is open.
func descriptor(t *testing.T, f *os.File) (number int) {
	t.Helper()
	raw, err := f.SyscallConn()
	if err == nil {
		err = raw.Control(func(fd uintptr) { number = int(fd) })
	}
	if err != nil {
		t.Fatal(err)
	}
	return number
}

// polled reports whether one of this process's epolls watches a file
// (proc_pid_fdinfo(5)).
func polled(t *testing.T, fd int) bool {
	t.Helper()
	links, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, link := range links {
		if target, _ := os.Readlink(link); target != "anon_inode:[eventpoll]" {
			continue
		}
		info, err := os.Open("/proc/self/fdinfo/" + filepath.Base(link))
		if err != nil {
			t.Fatal(err)
		}
		defer info.Close()
		for lines := bufio.NewScanner(info); lines.Scan(); {
			var watched int
			if n, _ := fmt.Sscanf(lines.Text(), "tfd: %d", &watched); n == 1 && watched == fd {
				return true
			}
		}
	}
	return false
}

func TestZoneOfALinkLocalAddress(t *testing.T) {
	for zone, want := range map[string]uint32{"": 0, "7": 7, "lo": 1, "nosuch0": 0} {
		if got := zoneID(netip.MustParseAddr("fe80::1").WithZone(zone)); got != want {
			t.Errorf("zone %q is %d, not %d", zone, got, want)
		}
	}
}
