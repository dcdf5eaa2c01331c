package process

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// hexPort turns "0100007F:1F90" into "8080".
func hexPort(address string) string {
	_, text, _ := strings.Cut(address, ":")
	port, err := strconv.ParseUint(text, 16, 16)
	if err != nil {
		return "none"
	}
	return strconv.FormatUint(port, 10)
}

func wantOwner(t *testing.T, a *app, port int, owned, stranger bool) {
	t.Helper()
	gotOwned, gotStranger, err := a.OwnsListener(port)
	if err != nil || gotOwned != owned || gotStranger != stranger {
		t.Errorf("port %d: owned %t, stranger %t, error %v; want %t, %t", port, gotOwned, gotStranger, err, owned, stranger)
	}
}

// listening is a script that runs the app "listen" in some place of a tree of
// processes.
func listening(t *testing.T, script string) Spec {
	return Spec{Argv: []string{"sh", "-c", strings.ReplaceAll(script, "LISTEN", fmt.Sprintf("%s %s listen tcp4 127.0.0.1:0", self(t), roleApp))}}
}

func TestOwnerOfListener(t *testing.T) {
	needTool(t, "setsid")
	scripts := map[string]string{
		"main process":              `exec LISTEN`,
		"child":                     `LISTEN; :`,
		"grandchild in session":     `setsid sh -c 'LISTEN; :' ; :`,
		"stray":                     `sh -c 'setsid LISTEN &' ; sleep 1000; :`,
		"stray after main":          `setsid LISTEN &`,
		"member of group, no other": `sh -c 'LISTEN &'; sleep 1000; :`,
	}
	for name, script := range scripts {
		t.Run(name, func(t *testing.T) {
			a := run(t, listening(t, script))
			port := atoi(a.line())
			wantOwner(t, a, port, true, false)
			other := shell(t, `echo up; exec sleep 1000`)
			other.line()
			wantOwner(t, other, port, false, true)
		})
	}
}

func TestNobodyListens(t *testing.T) {
	port, l := portOf(t, "tcp4", "127.0.0.1:0", &net.ListenConfig{})
	a := shell(t, `echo up; exec sleep 1000`)
	a.line()
	wantOwner(t, a, port, false, true)
	l.Close()
	wantOwner(t, a, port, false, false)
}

func TestOwnListenerBesideAStranger(t *testing.T) {
	a := run(t, listening(t, `exec LISTEN`))
	port := atoi(a.line())
	portOf(t, "tcp6", fmt.Sprintf("[::1]:%d", port), &net.ListenConfig{})
	wantOwner(t, a, port, true, true)
}

func TestConnectionIsNoListener(t *testing.T) {
	_, l := portOf(t, "tcp4", "127.0.0.1:0", &net.ListenConfig{})
	c, err := net.Dial("tcp4", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	a := shell(t, `echo up; exec sleep 1000`)
	a.line()
	wantOwner(t, a, c.LocalAddr().(*net.TCPAddr).Port, false, false)
}

// withoutTracing runs f on a thread that has lost CAP_SYS_PTRACE, as a hardened
// daemon has. The thread is not used again.
func withoutTracing(t *testing.T, f func()) {
	t.Helper()
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		var data [2]unix.CapUserData
		err := unix.Capget(&head, &data[0])
		if err == nil {
			data[0].Effective &^= 1 << unix.CAP_SYS_PTRACE
			data[0].Permitted &^= 1 << unix.CAP_SYS_PTRACE
			err = unix.Capset(&head, &data[0])
		}
		if err == nil {
			f()
		}
		done <- err
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

func TestHardenedRootSeesDescriptorsOfOtherUsers(t *testing.T) {
	needRoot(t)
	// nobody cannot execute the test binary where it lies, but has python or
	// perl seldom enough; a listener that is inherited serves as well.
	l, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	f, err := l.File()
	l.Close()
	if err != nil {
		t.Fatal(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	// Its standard output is the listener.
	a := prepare(t, Spec{Argv: []string{"sh", "-c", "echo up >&2; exec sleep 1000"}, User: "nobody", Stdout: f, Stderr: w})
	w.Close()
	defer r.Close()
	port := l.Addr().(*net.TCPAddr).Port
	f.Close()
	a.release()
	if err := a.Launched(); err != nil {
		t.Fatal(err)
	}
	withoutTracing(t, func() {
		if _, err := os.Readlink(procPath(a.PID, "fd/1")); !errors.Is(err, fs.ErrPermission) {
			t.Errorf("this thread may trace: %v", err)
		}
		wantOwner(t, a, port, true, false)
		if name, _, err := instanceOf(a.PID); name != a.Name || err != nil {
			t.Errorf("environment: %q, %v", name, err)
		}
		if _, err := os.Stat("/root"); err != nil {
			t.Errorf("the rights of files did not come back: %v", err)
		}
		if f, err := os.CreateTemp(t.TempDir(), ""); err != nil {
			t.Error(err)
		} else {
			var info unix.Stat_t
			if err := unix.Fstat(int(f.Fd()), &info); err != nil || info.Uid != 0 || info.Gid != 0 {
				t.Errorf("new files belong to %d:%d, %v", info.Uid, info.Gid, err)
			}
			f.Close()
		}
	})
	if dumpable, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0); err != nil || dumpable != 1 {
		t.Errorf("core dumps are off: %d, %v", dumpable, err)
	}
}

func TestBothListsOfListenersAgree(t *testing.T) {
	for _, address := range []string{"127.0.0.1:0", "[::1]:0", "[::]:0"} {
		port, _ := portOf(t, "tcp", address, &net.ListenConfig{})
		byNetlink, err := tcpListenersByNetlink(port)
		if err != nil {
			t.Skipf("SKIPPED: no sock_diag here: %v", err)
		}
		byText := make(map[uint64]bool)
		for _, file := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
			if err := scanFile(file, func(line string) {
				if inode, ok := parseTCPListener(line, port); ok {
					byText[inode] = true
				}
			}); err != nil {
				t.Fatal(err)
			}
		}
		if len(byText) != 1 || !maps.Equal(byNetlink, byText) {
			t.Errorf("%s: sock_diag says %v, /proc/net %v", address, byNetlink, byText)
		}
	}
}

func TestParseListeners(t *testing.T) {
	const tcp = "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 31337 1 0000 100 0 0 10 0"
	const tcp6 = "   0: 00000000000000000000000001000000:1F90 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 42 1 0"
	tests := []struct {
		line  string
		port  int
		inode uint64
		ok    bool
	}{
		{tcp, 8080, 31337, true},
		{tcp6, 8080, 42, true},
		{tcp, 8081, 0, false},
		{strings.Replace(tcp, " 0A ", " 01 ", 1), 8080, 0, false},
		{"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode", 8080, 0, false},
		{"", 0, 0, false},
		{strings.Replace(tcp, "31337", "x", 1), 8080, 0, false},
		{strings.Replace(tcp, "1F90", "1F", 1), 31, 0, false},
	}
	for _, test := range tests {
		inode, ok := parseTCPListener(test.line, test.port)
		if ok != test.ok || ok && inode != test.inode {
			t.Errorf("%q, port %d: got %d, %t", test.line, test.port, inode, ok)
		}
	}
}
