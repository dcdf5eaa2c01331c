package activation

import (
	"context"
	"fmt"
	"log/slog"
	"os/exec"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"gracevisor/test/unavailable"
)

// inOwnNetwork runs f on a thread whose network has only a loopback interface,
// with a link-local address. The thread is not used again.
func inOwnNetwork(t *testing.T, f func()) {
	t.Helper()
	ip := unavailable.Program(t, "ip")
	failed := make(chan string, 1)
	ran := make(chan struct{})
	go func() { // ends with f
		defer close(ran)
		runtime.LockOSThread() // and never unlocked
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			failed <- fmt.Sprintf("no network namespace is to be had: %v", err)
			return
		}
		for _, args := range [][]string{{"link", "set", "lo", "up"}, {"address", "add", "fe80::1/64", "dev", "lo", "nodad"}} {
			if out, err := exec.Command(ip, args...).CombinedOutput(); err != nil {
				failed <- fmt.Sprintf("ip %q: %v: %s", args, err, out)
				return
			}
		}
		f()
	}()
	<-ran
	select {
	case why := <-failed:
		unavailable.Kernel(t, why)
	default:
	}
}

// TestZoneOutlivesTheProcess: a listener on a link-local address that is taken over
// has its interface still, and is found by what the configuration says of it.
func TestZoneOutlivesTheProcess(t *testing.T) {
	inOwnNetwork(t, func() {
		first := BindHost(context.Background(), "fe80::1%lo", 8080, nil)
		if first.Err != nil || len(first.Listeners) != 1 {
			t.Errorf("%+v", first)
			return
		}
		l, err := inherit(first.Listeners[0].File, SourceBound)
		if err != nil {
			t.Error(err)
			return
		}
		defer l.File.Close()
		if l.Name() != "[fe80::1%lo]:8080" {
			t.Errorf("it is called %s", l.Name())
		}
		table := &Table{log: slog.New(slog.DiscardHandler)}
		for _, host := range []string{"fe80::1%lo", "fe80::1%1"} {
			table.spare = []*Listener{l}
			if set := table.Open(context.Background(), Want{App: "demo", Host: host, Port: 8080}, nil); set.Err != nil || set.Listeners[0] != l {
				t.Errorf("%s: %+v", host, set)
			}
		}
	})
}
