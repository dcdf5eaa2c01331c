package harness

import (
	"os"
	"reflect"
	"strings"
	"testing"

	"gracevisor/internal/config"
)

// TestConfigure reads with the daemon's own eyes what a Box writes.
func TestConfigure(t *testing.T) {
	t.Parallel()
	box := New(t)
	box.Set("parallel_restarts", 3)
	box.Set("logger.max_log_size", 7)
	box.Set("logger.max_logs_kept", nil)
	tcp := box.TCPApp("tcp", "--say=a b'c", "--socket={socket}").With("logger.log_file", "both.log").With("max_retries", 2)
	plain := box.Command("plain", "/bin/app --port={port}")
	if changed := plain.With("max_retries", 9); reflect.DeepEqual(changed.keys, plain.keys) {
		t.Error("With changes nothing, or the original")
	}
	box.Configure(tcp, plain)
	plan, err := config.Load(box.ConfDir)
	if err != nil {
		t.Fatal(err)
	}
	from, to := box.InternalPorts()
	if plan.Ports != (config.PortRange{From: from, To: to}) || plan.RPC.Port != box.RPCPort || plan.ParallelRestarts != 3 ||
		plan.Log.MaxSize != 7 || !strings.HasPrefix(plan.Log.Path, box.LogDir) {
		t.Errorf("%+v", plan)
	}
	app := plan.App("tcp")
	testapp, _ := Binary("testapp")
	if want := []string{testapp, "--mode=tcp", "--say=a b'c", "--socket={socket}"}; !reflect.DeepEqual(app.Command, want) {
		t.Errorf("command %q, want %q", app.Command, want)
	}
	if app.Proxy != config.ProxyTCP || app.External.Port != tcp.Port || app.MaxRetries != 2 || app.Stdout != app.Stderr {
		t.Errorf("%+v", app)
	}
	if other := plan.App("plain"); other.External.Port != plain.Port || plain.Port == tcp.Port || other.MaxRetries == 9 {
		t.Errorf("%+v", other)
	}
	box.WriteConfig("nonsense: true\n")
	if r := box.Run("--check"); r.Status != 1 || !strings.Contains(r.Stdout, "gracevisor.yaml:1:1") {
		t.Errorf("check of a wrong configuration: %s", r)
	}
	if r := box.Run("--nonsense"); r.Status != 2 || strings.Contains(r.Stdout, "gracevisor.yaml") {
		t.Errorf("wrong flag: %s", r)
	}
}

func TestAnotherUser(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("only root can be another user")
	}
	const nobody = 65534
	box := NewWith(t, Options{UID: nobody, InternalPorts: 150})
	if from, to := box.InternalPorts(); to-from+1 < 150 {
		t.Errorf("ports from %d to %d", from, to)
	}
	box.Configure(box.App("demo"))
	box.Start()
	box.AwaitServing("demo")
	if r := box.Must("status"); !strings.Contains(r.Stdout, "demo") {
		t.Errorf("status: %s", r)
	}
	if r := box.CtlAs(1, "status").Wait(); r.Status != 4 {
		t.Errorf("a stranger: %s", r)
	}
}
