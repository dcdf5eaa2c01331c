package e2e

import (
	"strings"
	"testing"
	"time"

	"gracevisor/internal/control"
	"gracevisor/test/harness"
	"gracevisor/test/load"
)

// TestResetConnections has an app that resets kept-alive connections as the
// next request arrives on them. What may be sent again is, and never fails;
// what may not is never sent twice.
func TestResetConnections(t *testing.T) {
	t.Parallel()
	for _, when := range []string{"before", "after"} {
		t.Run(when, func(t *testing.T) {
			t.Parallel()
			box := harness.New(t)
			seen := box.WriteFile("seen", "")
			app := box.App("demo", "--reset-reused="+when, "--seen-file="+seen)
			box.Configure(app)
			box.Start()
			box.AwaitServing("demo")
			safe := startLoad(t, load.Options{Address: app.Address(), Clients: map[load.Kind]int{load.Get: 6}, MaxRequests: 100})
			unsafe := startLoad(t, load.Options{
				Address: app.Address(), Clients: map[load.Kind]int{load.Post: 2, load.PostChunked: 2},
				MaxRequests: 20, Pause: 50 * time.Millisecond,
			})
			box.Await("the loads to end", func() bool {
				return safe.Report().Requests() == 6*100 && unsafe.Report().Requests() == 4*20
			})
			noFailures(t, safe)
			t.Logf("%d of %d POSTs failed", unsafe.Stop().Failures(), unsafe.Report().Requests())
			times := make(map[string]int)
			for id := range strings.Lines(readFile(t, seen)) {
				times[id]++
				if strings.Contains(id, "post") && times[id] > 1 {
					t.Errorf("request %q was sent twice", id)
				}
			}
			if len(times) < 6*100 {
				t.Errorf("only %d requests have been seen", len(times))
			}
			box.AwaitApp("demo", "have tried a request again, or the test has tried nothing", func(a control.AppStatus) bool {
				return a.Counters != nil && a.Counters.Retries > 0
			})
		})
	}
}
