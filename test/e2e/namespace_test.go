package e2e

import (
	"fmt"
	"os/exec"
	"testing"

	"gracevisor/test/harness"
	"gracevisor/test/unavailable"
)

// TestSocketFromAnotherNetwork: an app, or a container that it starts, may listen
// on its Unix socket from a network namespace of its own, where the kernel does
// not show whose the socket is.
func TestSocketFromAnotherNetwork(t *testing.T) {
	t.Parallel()
	if out, err := exec.Command("unshare", "--net", "true").CombinedOutput(); err != nil {
		unavailable.Kernel(t, fmt.Sprintf("no network namespace is to be had: %v: %s", err, out))
	}
	testapp, err := harness.Binary("testapp")
	if err != nil {
		t.Fatal(err)
	}
	box := harness.New(t)
	app := box.Command("demo", "unshare --net "+testapp+" --socket={socket}")
	box.Configure(app)
	box.Start()
	box.AwaitServing("demo")
	box.Must("restart", "demo")
}
