package e2e

import (
	"errors"
	"net"
	"syscall"
	"testing"

	"gracevisor/test/harness"
)

// TestRemovedIsRefused: an app that was removed, and still has a connection, keeps
// that one, and whoever comes new is refused instead of waiting for nothing.
func TestRemovedIsRefused(t *testing.T) {
	t.Parallel()
	box := harness.New(t)
	kept, gone := box.App("kept"), box.TCPApp("gone")
	box.Configure(kept, gone)
	box.Start()
	box.AwaitServing("kept", "gone")
	line := openLine(t, gone)
	before := line.must("one")

	box.Configure(kept)
	box.Must("update")
	awaitRefused(box, gone)
	if line.must("two") != before {
		t.Error("the connection has changed hands")
	}

	box.Configure(kept, gone)
	box.Must("update")
	box.AwaitServing("gone")
	if openLine(t, gone).must("new") == before {
		t.Error("an app that was added again is the old instance")
	}
	line.must("three")
}

// TestStopRefuses: while a daemon that no service manager started stops, and waits
// for what is under way, nobody else is kept waiting.
func TestStopRefuses(t *testing.T) {
	t.Parallel()
	box := harness.New(t)
	app := box.TCPApp("demo")
	box.Configure(app)
	box.Start()
	box.AwaitServing("demo")
	line := openLine(t, app)
	line.must("one")
	box.Signal(syscall.SIGTERM)
	awaitRefused(box, app)
	line.must("two")
}

func awaitRefused(box *harness.Box, app harness.App) {
	box.Await("connections to be refused", func() bool {
		c, err := net.Dial("tcp", app.Address())
		if err == nil {
			c.Close()
		}
		return errors.Is(err, syscall.ECONNREFUSED)
	})
}
