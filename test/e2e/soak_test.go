package e2e

import (
	"os"
	"testing"
	"time"

	"gracevisor/test/harness"
	"gracevisor/test/load"
)

// soakEnv holds the duration of TestSoak, as "10m".
const soakEnv = "GRACEVISOR_SOAK"

// TestSoak restarts an HTTP app and a TCP app each second under load, for as
// long as the environment says.
func TestSoak(t *testing.T) {
	text := os.Getenv(soakEnv)
	if text == "" {
		t.Skipf("%s is not set", soakEnv)
	}
	duration, err := time.ParseDuration(text)
	if err != nil {
		t.Fatalf("%s: %v", soakEnv, err)
	}
	box := harness.New(t)
	web := box.App("web", "--exit-at-once").With("healthcheck", "/health").With("max_draining", 100)
	tcp := box.TCPApp("tcp", "--exit-at-once").With("max_draining", 100)
	box.Configure(web, tcp)
	box.Start()
	box.AwaitServing("web", "tcp")
	endless := load.Options{MaxTime: duration + time.Hour, MaxRequests: 1 << 40, Pause: time.Millisecond, PerConnection: 100}
	mixed, lines := endless, endless
	mixed.Address, mixed.Clients = web.Address(), load.Mix(32)
	lines.Address, lines.Clients = tcp.Address(), map[load.Kind]int{load.TCP: 8}
	loads := []*load.Load{startLoad(t, mixed), startLoad(t, lines)}
	tick, end := time.NewTicker(time.Second), time.Now().Add(duration)
	defer tick.Stop()
	restarts := 0
	for time.Now().Before(end) {
		<-tick.C
		box.Must("restart", "web", "tcp")
		restarts++
		if restarts%60 == 0 {
			t.Logf("%d restarts, failures: %d and %d", restarts, loads[0].Report().Failures(), loads[1].Report().Failures())
		}
	}
	for _, l := range loads {
		report := noFailures(t, l)
		t.Logf("%d restarts:\n%s", restarts, report)
	}
}
