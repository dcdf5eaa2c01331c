package survival

import (
	"fmt"
	"net"
	"regexp"
	"slices"
	"syscall"
	"testing"
	"time"

	"gracevisor/internal/control"
	"gracevisor/test/harness"
	"gracevisor/test/load"
	"gracevisor/test/siege"
)

// flowing makes a scene with an app for flows beside the others, and a daemon
// that can be replaced by other builds.
func flowing(t *testing.T) *scene {
	t.Helper()
	s := prepare(t)
	s.flowing = s.TCPApp(flowApp, "--mode=flow")
	s.Configure(s.web, s.line, s.flowing)
	s.OwnBinary()
	s.begin()
	s.AwaitServing(flowApp)
	return s
}

// builds are two builds of the daemon, which take over from each other in turns.
func builds(t *testing.T, version string, tags ...string) [2]string {
	t.Helper()
	first, err := harness.Binary("gracevisord")
	if err != nil {
		t.Fatal(err)
	}
	next, err := harness.OtherBuild(version, tags...)
	if err != nil {
		t.Fatal(err)
	}
	return [2]string{next, first}
}

// upgrade has another build take over, and waits until its worker serves.
func (s *scene) upgrade(binary string) {
	s.t.Helper()
	before := s.Status().Workers
	s.ReplaceBinary(binary)
	s.Must("reexec")
	s.awaitTakeOver(before)
}

// awaitOneWorker waits until all connections have been moved.
func (s *scene) awaitOneWorker() {
	s.t.Helper()
	s.Await("the old worker to leave", func() bool { return len(s.Status().Workers) == 1 })
}

// TestMove has builds take over from each other under all that there is of load:
// no connection is cut, no byte lost, and no old worker stays behind.
func TestMove(t *testing.T) {
	t.Parallel()
	two := builds(t, "99.0.0")
	s := flowing(t)
	pids, before := s.pids(), s.holds(s.Status().PID)
	takeOvers := times(4, 100)
	var flows *flows
	report := s.besiege(fmt.Sprintf("%d take-overs, connections moved", takeOvers), append([]load.Options{s.quiet()}, s.steady()...), func(under *siege.Siege) {
		flows = s.flow(2)
		flows.await()
		for n := range takeOvers {
			s.upgrade(two[n%2])
			s.awaitOneWorker()
			flows.await()
		}
		s.await(under, 2)
		// Before the idle connections speak.
		s.everythingMoved()
	})
	s.unbroken(report)
	streams := flows.end()
	s.unharmed(streams)
	if err := siege.Record(fmt.Sprintf("%d take-overs, streams", takeOvers), streams); err != nil {
		t.Error(err)
	}
	t.Logf("streams:\n%v", streams)
	s.samePIDs(pids)
	s.awaitSettled()
	s.asBefore(before)
	s.tellLives(takeOvers)
}

// everythingMoved waits for the worker to tell, as it does each second, that it
// has got the idle connections from the one before.
func (s *scene) everythingMoved() {
	s.t.Helper()
	s.Await("the worker to have taken over the idle connections", func() bool {
		return s.Status().Workers[0].MovedIn >= uint64(times(100, 1000))
	})
}

// left is what the daemon says when a worker that was told to drain has gone.
var left = regexp.MustCompile(`worker has left.* took=(\S+)`)

// tellLives tells how long old workers have lived after the take-over.
func (s *scene) tellLives(takeOvers int) {
	s.t.Helper()
	var lives []time.Duration
	for _, m := range left.FindAllStringSubmatch(s.DaemonOutput(), -1) {
		d, err := time.ParseDuration(m[1])
		if err != nil {
			s.t.Fatal(err)
		}
		lives = append(lives, d)
	}
	if len(lives) != takeOvers {
		s.t.Errorf("%d workers have left after %d take-overs", len(lives), takeOvers)
		return
	}
	slices.Sort(lives)
	fmt.Printf("old worker's life after a take-over: median %v, longest %v (%d take-overs)\n",
		lives[len(lives)/2], lives[len(lives)-1], takeOvers)
}

// TestWorkerCrashInAMove kills either worker at random points of a move. What it
// has may be cut; but whoever gets bytes gets the right ones, once, what the
// other worker has goes on, and a worker of the new build takes over.
func TestWorkerCrashInAMove(t *testing.T) {
	t.Parallel()
	two := builds(t, "99.0.0")
	random := dice(t)
	s := flowing(t)
	before := s.holds(s.Status().PID)
	for n := range times(4, 40) {
		idle := s.connect(500) // so that a move takes its time
		flows := s.flow(2)
		flows.await()
		old := s.Status().Workers[0]
		s.ReplaceBinary(two[n%2])
		s.Must("reexec")
		victim := old.PID
		if n%4 < 2 {
			victim = s.awaitWorkerAfter(old.Generation).PID
		}
		pass(random, 200*time.Millisecond)
		// One that has left already is no victim.
		if err := syscall.Kill(victim, syscall.SIGKILL); err != nil && err != syscall.ESRCH {
			t.Fatal(err)
		}
		s.AwaitAnswer()
		for _, c := range idle {
			c.Close()
		}
		report := flows.end()
		for _, err := range flows.wrong {
			t.Errorf("killed %s: %v", map[bool]string{true: "the old worker", false: "the new worker"}[victim == old.PID], err)
		}
		t.Logf("cut: %d of %d flows", report.Failures(), report.Requests())
		s.Await("the successor to serve alone", func() bool {
			w := s.Status().Workers
			return len(w) == 1 && w[0].Generation > old.Generation && w[0].State == control.WorkerServing
		})
		s.awaitSettled()
	}
	s.asBefore(before)
}

// connect makes connections on which nothing is said.
func (s *scene) connect(n int) []net.Conn {
	s.t.Helper()
	var all []net.Conn
	for range n {
		c, err := net.Dial("tcp", s.web.Address())
		if err != nil {
			s.t.Fatal(err)
		}
		s.t.Cleanup(func() { c.Close() })
		all = append(all, c)
	}
	return all
}

// awaitWorkerAfter waits for the process of a worker newer than a generation.
func (s *scene) awaitWorkerAfter(generation uint64) (found control.Worker) {
	s.t.Helper()
	s.Await("a new worker", func() bool {
		for _, w := range s.Status().Workers {
			if w.Generation > generation && w.PID > 0 {
				found = w
				return true
			}
		}
		return false
	})
	return found
}

// TestRefusalByVersion upgrades to a build whose workers describe connections in
// another version: what they refuse stays with the old worker, and is served
// there to its end.
func TestRefusalByVersion(t *testing.T) {
	t.Parallel()
	next := builds(t, "99.0.1", "handoff_next")[0]
	s := flowing(t)
	pids, before := s.pids(), s.holds(s.Status().PID)
	var old control.Worker
	report := s.under("take-over, nothing is moved", s.steady(), func() {
		flows := s.flow(1)
		flows.await()
		old = s.Status().Workers[0]
		s.upgrade(next)
		flows.await()
		workers := s.Status().Workers
		if len(workers) != 2 || workers[0].PID != old.PID || workers[0].MovedOut+workers[1].MovedIn != 0 {
			t.Errorf("workers: %+v", workers)
		}
		s.unharmed(flows.end())
	})
	s.unbroken(report)
	s.samePIDs(pids)
	s.awaitSettled()
	s.asBefore(before)
}

// TestMoveOfTenThousand measures how long it takes to move many idle connections.
func TestMoveOfTenThousand(t *testing.T) {
	if !full {
		t.Skip("only in the long form")
	}
	two := builds(t, "99.0.0")
	s := flowing(t)
	idle := s.quiet()
	idle.Clients = map[load.Kind]int{load.Idle: 5000, load.IdleKept: 5000}
	probing := load.Options{Address: s.web.Address(), Clients: map[load.Kind]int{load.Get: 2}, Pause: time.Millisecond, MaxTime: time.Hour}
	report := s.besiege("take-over, 10,000 idle connections", []load.Options{idle, probing}, func(under *siege.Siege) {
		for n := range 5 {
			s.upgrade(two[n%2])
			s.awaitOneWorker()
			s.Await("all to be moved", func() bool { return s.Status().Workers[0].MovedIn >= 10_000 })
		}
		s.await(under, 2)
	})
	s.unharmed(report)
	s.tellLives(5)
}
