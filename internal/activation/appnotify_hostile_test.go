package activation

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestAppNotifyOfStrangers(t *testing.T) {
	asked := make(chan int, 10)
	own := false
	h := hear(t, func(pid int) bool { asked <- pid; return own })
	for range 3 {
		h.send("READY=1")
		if pid := <-asked; pid != os.Getpid() {
			t.Errorf("asked for process %d", pid)
		}
	}
	if n := h.log.count("not the instance's", fmt.Sprintf("pid=%d uid=%d", os.Getpid(), os.Getuid())); n > 1 {
		t.Errorf("told %d times: %s", n, &h.log.text)
	}
	h.end()
	if len(h.events) != 0 {
		t.Errorf("event %+v", h.next())
	}
	if n := h.log.count("not the instance's"); n != 1 {
		t.Errorf("told %d times: %s", n, &h.log.text)
	}
}

// TestAppNotifyKeepsNoDescriptor sends as many as fit, in each message, and looks
// how many are open when a message has been received.
func TestAppNotifyKeepsNoDescriptor(t *testing.T) {
	const most = 253 // SCM_MAX_FD of the kernel
	before := descriptors(t)
	worst := 0
	h := hear(t, func(int) bool { worst = max(worst, descriptors(t)); return true })
	read, write := pipe(t)
	all := make([]int, most)
	for i := range all {
		all[i] = write
	}
	for i := range 50 {
		h.send("READY=1", all[:1+i*5]...)
		h.send("BARRIER=1", all...)
		h.send("\x00garbage", all...)
		h.send(strings.Repeat("x", 2*maxNotification), all...)
		h.want(AppEvent{Ready: true})
	}
	unix.Close(write)
	closed(t, read)
	h.end()
	if most := before + 10; worst == 0 || worst > most { // the socket, the pipe, the sender's, /proc itself
		t.Errorf("%d file descriptors were open, %d before", worst, before)
	}
	read.Close()
	if n := descriptors(t); n > before {
		t.Errorf("%d file descriptors are open, %d before", n, before)
	}
}

// TestAppNotifyWithoutDescriptors has a process that can open no more.
func TestAppNotifyWithoutDescriptors(t *testing.T) {
	h := hear(t, nil)
	read, write := pipe(t)
	sender, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(sender)
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	none := limit
	none.Cur = 3
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &none); err != nil {
		t.Fatal(err)
	}
	for range 10 {
		err = errors.Join(err, unix.Sendmsg(sender, []byte("READY=1"), unix.UnixRights(write, write), &unix.SockaddrUnix{Name: h.Path()}, 0))
		h.want(AppEvent{Ready: true})
	}
	if err := errors.Join(err, unix.Setrlimit(unix.RLIMIT_NOFILE, &limit)); err != nil {
		t.Fatal(err)
	}
	unix.Close(write)
	closed(t, read)
}

func TestAppNotifyTooLong(t *testing.T) {
	h := hear(t, nil)
	for range 2 {
		for _, size := range []int{maxNotification + 1, maxNotification + 2, 100_000} {
			h.send("READY=1\n" + strings.Repeat("x", size-len("READY=1\n")))
		}
	}
	h.send("WATCHDOG=1\n" + strings.Repeat("x", maxNotification-len("WATCHDOG=1\n")))
	h.want(AppEvent{Alive: true})
	if n := h.log.count("too long", fmt.Sprint("pid=", os.Getpid())); n != 1 {
		t.Errorf("told %d times: %s", n, &h.log.text)
	}
}

// TestAppNotifyFlood holds that an instance which sends without end is heard no
// more often than is good, and loses nothing by it.
func TestAppNotifyFlood(t *testing.T) {
	h := hear(t, nil, func(n *AppNotify) { n.burst = 10 })
	const messages = 2000
	sent := make(chan error, 1)
	go func() {
		for i := range messages {
			if err := sendTo(h.Path(), fmt.Sprint("STATUS=", i), 0); err != nil {
				sent <- err
				return
			}
		}
		sent <- nil
	}()
	for i := range messages {
		h.want(AppEvent{HasStatus: true, Status: fmt.Sprint(i)})
	}
	if err := <-sent; err != nil {
		t.Error(err)
	}
}

func TestAppNotifyWaitsAfterABurst(t *testing.T) {
	const burst = 10
	h := hear(t, nil, func(n *AppNotify) { n.burst, n.window = burst, notifyPatience })
	for range burst {
		h.send("WATCHDOG=1")
		h.want(AppEvent{Alive: true})
	}
	full := 0
	for {
		err := sendTo(h.Path(), "WATCHDOG=1", unix.MSG_DONTWAIT)
		if errors.Is(err, unix.EAGAIN) {
			break
		}
		if full++; err != nil || full > 100_000 {
			t.Fatalf("after %d messages: %v", full, err)
		}
	}
	h.end() // it does not wait for the window
	if n := len(h.events); n != 0 {
		t.Errorf("%d more events came", n)
	}
}
