package e2e

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"gracevisor/internal/control"
	"gracevisor/test/harness"
	"gracevisor/test/load"
)

// leakRestarts is the number of restarts in a row that must leave nothing.
const leakRestarts = 200

// TestNoLeaks looks at daemon and worker before and after many restarts of an
// app that has children, under some load.
func TestNoLeaks(t *testing.T) {
	t.Parallel()
	box := harness.New(t)
	app := box.App("demo", "--exit-at-once", "--children=1", "--grandchildren=1").With("healthcheck", "/health")
	socket := box.App("socket", "--socket={socket}", "--exit-at-once").With("access_log", "json")
	box.Setenv("GOGC", "50") // so that garbage does not look like a leak
	box.Configure(app, socket)
	daemon := box.Start()
	box.AwaitServing("demo", "socket")
	clients := map[load.Kind]int{load.Get: 2, load.Post: 1, load.WebSocket: 1}
	l := startLoad(t, load.Options{Address: app.Address(), Clients: clients, PerConnection: 5, Pause: 10 * time.Millisecond})
	warmUp := leakRestarts / 5
	restart := func(n int) {
		restartQuickly(t, box, "demo")
		if n%5 == 0 {
			restartQuickly(t, box, "socket")
		}
	}
	for n := range warmUp {
		restart(n)
	}
	processes := len(settled(box))
	before := measure(t, box, daemon)
	for n := range leakRestarts - warmUp {
		restart(n)
	}
	after := settled(box)
	if len(after) != processes {
		t.Errorf("%d processes, and %d before: %v", len(after), processes, after)
	}
	compare(t, before, measure(t, box, daemon))
	from, to := box.InternalPorts()
	if n := busyPorts(from, to); n != 1 {
		t.Errorf("%d ports of the range are in use, and one instance has one", n)
	}
	noFailures(t, l)
	if n := workerGoroutines(t, box); n > maxGoroutines {
		t.Errorf("the worker has %d goroutines", n)
	}
	if n := goroutines(t, box, daemon); n > maxGoroutines {
		t.Errorf("the daemon has %d goroutines", n)
	}
}

// maxGoroutines is much less than a goroutine for each restart.
const maxGoroutines = 60

// restartQuickly restarts an app, and waits for the old instance to go, without
// a process of gracevisorctl.
func restartQuickly(t *testing.T, box *harness.Box, app string) {
	t.Helper()
	client := control.NewUnixClient(filepath.Join(box.RunDir, control.SocketFile))
	request := control.Request{Verb: control.VerbRestart, Apps: []string{app}, Drained: true}
	await(t, func(ctx context.Context) error {
		var err error
		doErr := client.Do(ctx, request, func(e control.Event) {
			if e.Kind == control.EventResult && e.Result != control.ResultDone {
				err = fmt.Errorf("restart %s: %s: %s", app, e.Result, e.Error)
			}
		})
		return errors.Join(err, doErr)
	})
}

// settled waits until each app has nothing but its active instance, and lists
// all processes, none of which may be a zombie.
func settled(box *harness.Box) []harness.Process {
	for _, name := range []string{"demo", "socket"} {
		box.AwaitApp(name, "have one instance", func(a control.AppStatus) bool {
			return a.State == "serving" && len(a.Instances) == 1
		})
	}
	var all []harness.Process
	box.Await("all zombies to be reaped", func() bool {
		all = box.Processes()
		for _, p := range all {
			if p.State == 'Z' {
				return false
			}
		}
		return true
	})
	return all
}

// measure tells what daemon and worker hold, by their names.
func measure(t *testing.T, box *harness.Box, daemon *harness.Daemon) map[string]harness.Usage {
	t.Helper()
	all := make(map[string]harness.Usage)
	for name, pid := range map[string]int{"daemon": daemon.PID, "worker": box.Status().Workers[0].PID} {
		usage, err := harness.UsageOf(pid)
		if err != nil {
			t.Fatal(err)
		}
		all[name] = usage
	}
	return all
}

// Margins for what comes and goes: connections of clients and of the pool, and
// memory that Go's runtime keeps for itself, with the race detector's share.
const (
	someFDs     = 15
	someThreads = 10
	someMemory  = 16 << 20
)

func compare(t *testing.T, before, after map[string]harness.Usage) {
	t.Helper()
	for name, b := range before {
		a := after[name]
		t.Logf("%s: %+v, before %+v", name, a, b)
		if a.FDs > b.FDs+someFDs || a.Threads > b.Threads+someThreads || a.Resident > b.Resident+someMemory {
			t.Errorf("the %s grows with restarts: %+v, before %+v", name, a, b)
		}
	}
}

// busyPorts counts the ports on which somebody listens.
func busyPorts(from, to int) int {
	busy := 0
	for port := from; port <= to; port++ {
		listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			busy++
			continue
		}
		listener.Close()
	}
	return busy
}

// begun is what each goroutine begins with in what Go's runtime prints.
var begun = regexp.MustCompile(`\bgoroutine \d+ `)

// workerGoroutines ends the worker, which has no client any more, by SIGQUIT, and
// counts the goroutines that it prints into the daemon's log.
func workerGoroutines(t *testing.T, box *harness.Box) (n int) {
	t.Helper()
	box.Await("all clients to be gone", func() bool { return box.Status().Workers[0].Connections == 0 })
	worker, before := box.Status().Workers[0].PID, len(box.DaemonOutput())
	if err := syscall.Kill(worker, syscall.SIGQUIT); err != nil {
		t.Fatal(err)
	}
	box.Await("another worker, and all last words of the one before", func() bool {
		workers, last := box.Status().Workers, n
		n = len(begun.FindAllString(box.DaemonOutput()[before:], -1))
		return n > 0 && n == last && len(workers) == 1 && workers[0].PID != worker && workers[0].State == control.WorkerServing
	})
	t.Logf("the worker had %d goroutines", n)
	return n
}

// goroutines ends the daemon by SIGQUIT, at which Go's runtime prints them all,
// and counts them. The apps are stopped before: a daemon that dies leaves them.
func goroutines(t *testing.T, box *harness.Box, daemon *harness.Daemon) int {
	t.Helper()
	box.Must("stop", "demo", "socket")
	daemon.Signal(syscall.SIGQUIT)
	daemon.Wait()
	box.Await("the worker to leave", func() bool { return len(box.Processes()) == 0 })
	// What a killed daemon leaves behind.
	if err := errors.Join(os.RemoveAll(box.RunDir), os.Mkdir(box.RunDir, 0o755)); err != nil {
		t.Fatal(err)
	}
	dump := box.DaemonOutput()
	dump = dump[max(0, strings.LastIndex(dump, "SIGQUIT")):]
	n := len(begun.FindAllString(dump, -1))
	if n == 0 {
		t.Errorf("the daemon has not printed its goroutines")
	}
	t.Logf("the daemon had %d goroutines", n)
	return n
}
