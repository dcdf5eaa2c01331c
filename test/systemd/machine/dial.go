package machine

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// Dial connects to an address inside the machine, from outside: the host part
// must be a literal IP address. Any goroutine may call it.
//
// It makes the socket in the machine's network namespace on a thread that is
// there for this moment (setns(2)); a socket stays where it was made.
func (m *Machine) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("dial machine: %w", err)
	}
	if net.ParseIP(host) == nil { // looking up a name would leave the thread
		return nil, fmt.Errorf("dial machine: %q is not an IP address", host)
	}
	m.mu.Lock()
	there := m.net
	m.mu.Unlock()
	type dialed struct {
		conn net.Conn
		err  error
	}
	done := make(chan dialed, 1)
	// Ends when the connection is made or refused, or with ctx.
	go func() {
		conn, err := dialThere(ctx, there, network, address)
		done <- dialed{conn, err}
	}()
	d := <-done
	return d.conn, d.err
}

// dialThere visits another network namespace. If the way back fails, the
// thread stays locked and ends with its goroutine.
func dialThere(ctx context.Context, there *os.File, network, address string) (net.Conn, error) {
	runtime.LockOSThread()
	here, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		runtime.UnlockOSThread()
		return nil, fmt.Errorf("dial machine: %w", err)
	}
	defer here.Close()
	if err := unix.Setns(int(there.Fd()), unix.CLONE_NEWNET); err != nil {
		runtime.UnlockOSThread()
		return nil, fmt.Errorf("dial machine: enter its network: %w", err)
	}
	conn, dialErr := (&net.Dialer{}).DialContext(ctx, network, address)
	if err := unix.Setns(int(here.Fd()), unix.CLONE_NEWNET); err != nil {
		err = fmt.Errorf("dial machine: leave its network: %w", err)
		if conn != nil {
			err = errors.Join(err, conn.Close())
		}
		return nil, errors.Join(err, dialErr)
	}
	runtime.UnlockOSThread()
	return conn, dialErr
}
