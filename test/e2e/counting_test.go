package e2e

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"gracevisor/internal/control"
	"gracevisor/test/harness"
	"gracevisor/test/load"
)

// TestCounters compares what the daemon has counted and logged with what
// clients have sent, over restarts.
func TestCounters(t *testing.T) {
	t.Parallel()
	for name, flags := range map[string][]string{"port": nil, "socket": {"--socket={socket}"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			box := harness.New(t)
			app := box.App("demo", append(flags, "--exit-at-once")...).With("access_log", "json")
			box.Configure(app)
			box.Start()
			box.AwaitServing("demo")
			clients := map[load.Kind]int{load.Get: 4, load.Post: 2, load.PostChunked: 2, load.Stream: 2}
			l := startLoad(t, load.Options{Address: app.Address(), Clients: clients})
			for range 3 {
				awaitRequests(t, l, 5)
				box.Must("restart", "demo")
			}
			found := noFailures(t, l).Requests()
			missing := 7
			for range missing {
				if a := get(t, app, "/no/such/page"); a.status != 404 {
					t.Errorf("answer %+v", a)
				}
			}
			wanted := found + missing
			// An answer is counted after its request has left the instance.
			status := box.AwaitApp("demo", "have counted all requests", func(a control.AppStatus) bool {
				n := a.Counters
				return a.Requests >= uint64(wanted) && a.InFlight == 0 && n != nil &&
					sum(n.Status[:]) >= uint64(wanted) && sum(n.Latency) >= uint64(wanted)
			})
			n := status.Counters
			if status.Requests != uint64(wanted) || n.Status[1] != uint64(found) || n.Status[3] != uint64(missing) || n.Errors != 0 {
				t.Errorf("%d requests, of which %d were not found, are counted as %+v %+v", wanted, missing, status, n)
			}
			if sum(n.Latency) != uint64(wanted) || len(n.Latency) != len(n.LatencyBounds)+1 {
				t.Errorf("the histogram has %d requests in %d buckets of %d", sum(n.Latency), len(n.Latency), len(n.LatencyBounds))
			}
			// As people see it: requests, and 1xx to 5xx.
			shown := strings.Join(strings.Fields(box.Must("status", "demo").Stdout), " ")
			row := fmt.Sprintf("demo %d 0 %d 0 %d 0 0 ", wanted, found, missing)
			if !strings.Contains(shown, " COUNTERS REQUESTS 1XX ") || !strings.Contains(shown, row) {
				t.Errorf("status lacks %q:\n%s", row, shown)
			}
			compareAccessLog(t, box, wanted, missing)
		})
	}
}

func sum(counts []uint64) (all uint64) {
	for _, n := range counts {
		all += n
	}
	return all
}

// compareAccessLog expects a line for each request.
func compareAccessLog(t *testing.T, box *harness.Box, wanted, missing int) {
	t.Helper()
	path := filepath.Join(box.LogDir, "access_demo.log")
	box.Await("all lines of the access log", func() bool {
		return strings.Count(readFile(t, path), "\n") >= wanted
	})
	statuses, instances := make(map[int]int), make(map[string]bool)
	lines := 0
	for line := range strings.Lines(readFile(t, path)) {
		var entry struct {
			Status           int
			Method, Instance string
		}
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Fatalf("line %q: %v", line, err)
		}
		lines++
		statuses[entry.Status]++
		instances[entry.Instance] = true
	}
	if lines != wanted || statuses[404] != missing || statuses[200] != wanted-missing || len(instances) < 2 {
		t.Errorf("%d lines of %v, with statuses %v, want %d", lines, instances, statuses, wanted)
	}
}
