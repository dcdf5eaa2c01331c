package e2e

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"

	"gracevisor/internal/control"
	"gracevisor/test/harness"
)

// TestPortsOfTheRange has a range of one port: the second instance, which an
// update would need beside the first, gets none, which is told, and
// nothing else happens.
func TestPortsOfTheRange(t *testing.T) {
	t.Parallel()
	box := harness.New(t)
	from, _ := box.InternalPorts()
	box.Set("port_range.to", from)
	app := box.App("demo", "--exit-at-once").With("max_retries", 1)
	box.Configure(app)
	box.Start()
	old := box.AwaitServing("demo")[0]
	r := box.Want(1, "restart", "demo")
	if want := fmt.Sprintf("no free port in %d-%d: 1 in use by apps", from, from); !strings.Contains(r.Stderr, want) {
		t.Errorf("want %q, got %s", want, r)
	}
	if now := box.AwaitServing("demo")[0]; now.PID != old.PID {
		t.Errorf("pid %d serves instead of %d", now.PID, old.PID)
	}
	box.Must("stop", "demo") // which gives the port back
	box.Must("start", "demo")
	box.Set("port_range.to", from+1)
	box.Configure(app)
	box.Must("update")
	box.Must("restart", "demo")
	if i := box.AwaitServing("demo")[0]; !strings.HasSuffix(i.Internal, ":"+strconv.Itoa(from+1)) {
		t.Errorf("the new instance is at %s", i.Internal)
	}
}

// TestStrangerOnThePort lets somebody else listen on the port of an instance
// that does not. That is not taken for the app.
func TestStrangerOnThePort(t *testing.T) {
	t.Parallel()
	box := harness.New(t)
	app := box.App("demo", "--never-listen").With("max_retries", 1).With("hold_timeout", "100ms").With("failed_retry_interval", 600)
	box.Configure(app)
	box.Start()
	starting := box.AwaitApp("demo", "start", func(a control.AppStatus) bool {
		return len(a.Instances) == 1 && a.Instances[0].State == "probing"
	})
	_, port, err := net.SplitHostPort(starting.Instances[0].Internal)
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := net.Listen("tcp", "127.0.0.1:"+port)
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	failed := box.AwaitApp("demo", "fail", func(a control.AppStatus) bool { return a.State == "failed" })
	if want := "port " + port + " was taken by another process"; !strings.Contains(failed.LastError, want) {
		t.Errorf("the reason is %q, not %q", failed.LastError, want)
	}
	if a := get(t, app, "/"); a.status != 503 {
		t.Errorf("the stranger's answer: %+v", a)
	}
}
