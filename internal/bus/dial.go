package bus

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"github.com/godbus/dbus/v5"
)

const (
	// defaultAddress is that of the system bus; addressVariable names another.
	defaultAddress  = "unix:path=/run/dbus/system_bus_socket"
	addressVariable = "DBUS_SYSTEM_BUS_ADDRESS"
	// connectTimeout bounds what comes before the first call.
	connectTimeout = 10 * time.Second
	// writeTimeout bounds each write: a bus that does not read for so long is
	// taken for lost.
	writeTimeout = 30 * time.Second
)

// errNoBus says that nobody listens at the address of the bus.
var errNoBus = errors.New("there is no system bus")

// connect connects to the system bus, until ctx ends.
func connect(ctx context.Context, options ...dbus.ConnOption) (*dbus.Conn, error) {
	socket, err := dial(ctx)
	if err != nil {
		return nil, err
	}
	conn, err := dbus.NewConn(&boundedConn{socket}, append(options, dbus.WithContext(ctx))...)
	if err != nil {
		return nil, errors.Join(err, socket.Close())
	}
	slow := time.AfterFunc(connectTimeout, func() { _ = socket.Close() })
	defer slow.Stop()
	if err := conn.Auth([]dbus.Auth{dbus.AuthExternal(fmt.Sprint(os.Geteuid()))}); err != nil {
		return nil, errors.Join(fmt.Errorf("authenticate: %w", err), conn.Close())
	}
	if err := conn.Hello(); err != nil {
		return nil, errors.Join(fmt.Errorf("say hello: %w", err), conn.Close())
	}
	return conn, nil
}

// dial opens a connection to the first Unix socket of the address.
func dial(ctx context.Context) (net.Conn, error) {
	address := os.Getenv(addressVariable)
	if address == "" {
		address = defaultAddress
	}
	dialer := net.Dialer{Timeout: connectTimeout}
	err := fmt.Errorf("%s is no Unix socket", address)
	for one := range strings.SplitSeq(address, ";") {
		path, ok := socketOf(one)
		if !ok {
			continue
		}
		var socket net.Conn
		if socket, err = dialer.DialContext(ctx, "unix", path); err == nil {
			return socket, nil
		}
	}
	return nil, fmt.Errorf("%w: %w", errNoBus, err)
}

// socketOf is the path of a Unix socket in an address like
// "unix:path=/run/bus,guid=…", with "@" before abstract ones.
func socketOf(address string) (path string, ok bool) {
	pairs, ok := strings.CutPrefix(address, "unix:")
	if !ok {
		return "", false
	}
	for pair := range strings.SplitSeq(pairs, ",") {
		key, value, _ := strings.Cut(pair, "=")
		plain, err := dbus.UnescapeBusAddressValue(value)
		switch {
		case err != nil:
		case key == "path":
			return plain, true
		case key == "abstract":
			return "@" + plain, true
		}
	}
	return "", false
}

// boundedConn ends when something cannot be written in time.
type boundedConn struct{ net.Conn }

func (c *boundedConn) Write(b []byte) (int, error) {
	if err := c.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return 0, err
	}
	n, err := c.Conn.Write(b)
	if err != nil {
		_ = c.Close() // the reader learns of it
	}
	return n, err
}
