package wire

import (
	"os"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// patience bounds what must happen at once.
const patience = 30 * time.Second

// pair makes both ends of a conversation, which end with the test.
func pair(t *testing.T) (supervisor, worker *Conn) {
	t.Helper()
	a, b, err := Pair()
	if err != nil {
		t.Fatal(err)
	}
	return conn(t, a), conn(t, b)
}

func conn(t *testing.T, f *os.File) *Conn {
	t.Helper()
	c, err := NewConn(f)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// halfRaw makes a pair of which one end is a plain socket, for saying what a
// Conn would not say.
func halfRaw(t *testing.T) (*Conn, *os.File) {
	t.Helper()
	a, b, err := Pair()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return conn(t, a), b
}

// sendRaw sends a datagram as it is, an empty one too, with file descriptors.
// The net and unix packages would add a byte to an empty one.
func sendRaw(t *testing.T, f *os.File, datagram []byte, fds ...int) {
	t.Helper()
	raw, err := f.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var iov unix.Iovec
	if len(datagram) > 0 {
		iov.Base = &datagram[0]
		iov.SetLen(len(datagram))
	}
	msg := unix.Msghdr{Iov: &iov}
	msg.SetIovlen(1)
	oob := unix.UnixRights(fds...)
	if len(fds) > 0 {
		msg.Control = &oob[0]
		msg.SetControllen(len(oob))
	}
	var errno syscall.Errno
	err = raw.Write(func(fd uintptr) bool {
		_, _, errno = unix.Syscall(unix.SYS_SENDMSG, fd, uintptr(unsafe.Pointer(&msg)), 0)
		return errno != unix.EAGAIN
	})
	runtime.KeepAlive(datagram)
	if err != nil || errno != 0 {
		t.Fatalf("send %d bytes and %d fds: %v, %v", len(datagram), len(fds), err, errno)
	}
}

// openFDs counts the open file descriptors.
func openFDs(t *testing.T) int {
	t.Helper()
	names, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, name := range names {
		if fd, err := strconv.Atoi(name.Name()); err == nil {
			if _, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil {
				n++
			}
		}
	}
	return n
}

// keepsFDs fails if a test leaves file descriptors open beside those that are
// closed with it.
func keepsFDs(t *testing.T) {
	t.Helper()
	before := openFDs(t)
	t.Cleanup(func() {
		if after := openFDs(t); after != before {
			t.Errorf("%d file descriptors are open, %d were before", after, before)
		}
	})
}

// devNull opens a file.
func devNull(t *testing.T) *os.File {
	t.Helper()
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// TestMain lets the runtime open what it keeps open.
func TestMain(m *testing.M) {
	if r, w, err := os.Pipe(); err == nil {
		r.Close()
		w.Close()
	}
	os.Exit(m.Run())
}
