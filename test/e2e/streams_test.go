package e2e

import (
	"strconv"
	"testing"
	"time"

	"gracevisor/test/harness"
	"gracevisor/test/load"
)

// streamTime is how long a stream lasts in TestLongStreams.
const streamTime = 30 * time.Second

// TestLongStreams restarts an app several times while long answers, long
// uploads and WebSockets are under way. All of them end well, on the instance
// that they began with.
func TestLongStreams(t *testing.T) {
	t.Parallel()
	box := harness.New(t)
	app := box.App("demo", "--exit-at-once")
	box.Configure(app)
	box.Start()
	first := box.AwaitServing("demo")[0]
	streams := startLoad(t, load.Options{
		Address:    app.Address(),
		Clients:    map[load.Kind]int{load.Stream: 4, load.Events: 4, load.Upload: 4},
		StreamTime: streamTime, UploadTime: streamTime, SlowTime: streamTime,
		MaxRequests: 1,
	})
	sockets := startLoad(t, load.Options{
		Address: app.Address(), Clients: map[load.Kind]int{load.WebSocket: 4}, Pause: 20 * time.Millisecond,
	})
	awaitRequests(t, sockets, 1)
	// An upload counts as begun once its head has reached the app.
	box.Await("all streams to reach the app", func() bool { return box.Status("demo").Apps[0].InFlight >= 12+4 })
	for range 4 {
		box.Must("restart", "demo")
		awaitRequests(t, sockets, 10)
	}
	box.Await("all streams to end", func() bool { return streams.Report().Requests() == 12 })
	for _, l := range []*load.Load{streams, sockets} {
		report := noFailures(t, l)
		if pids := report.PIDs(); len(pids) != 1 || pids[0] != strconv.Itoa(first.PID) {
			t.Errorf("streams were answered by %v instead of pid %d alone", pids, first.PID)
		}
	}
}
