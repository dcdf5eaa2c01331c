package survival

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
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
		reexec := s.CtlStart("reexec")
		// Half of them in the middle of the first batches.
		next := s.awaitTaker(old.PID)
		if n%4 < 2 {
			s.awaitFirst(next)
		} else {
			pass(random, 200*time.Millisecond)
		}
		name, victim := "old", old.PID
		if n%2 == 0 {
			name, victim = "new", next
		}
		held := s.kill(victim)
		if r := reexec.Wait(); r.Status != 0 {
			t.Errorf("reexec: %s", r)
		}
		s.AwaitAnswer()
		flows.end()
		for _, err := range flows.wrong {
			t.Errorf("killed the %s worker: %v", name, err)
		}
		cut := append(silent(idle), flows.cut...)
		for _, c := range cut {
			if who := clientOf(c); !held[who] {
				t.Errorf("killed the %s worker: the connection %+v is cut, which it did not have", name, who)
			}
		}
		t.Logf("killed the %s worker: of %d connections it had %d, and %d are cut", name, len(idle)+10, len(held), len(cut))
		s.Await("the successor to serve alone", func() bool {
			w := s.Status().Workers
			return len(w) == 1 && w[0].Generation > old.Generation && w[0].State == control.WorkerServing
		})
		s.awaitSettled()
	}
	s.asBefore(before)
}

// awaitTaker waits for the process of a worker that is to take over from an old
// one, and returns its pid.
func (s *scene) awaitTaker(old int) (pid int) {
	s.t.Helper()
	s.Await("a new worker", func() bool {
		for _, p := range s.Processes() {
			if p.Name == workerName && p.PID != old {
				pid = p.PID
			}
		}
		return pid != 0
	})
	return pid
}

// awaitFirst returns as soon as a worker has got some connections, or has gone. It
// looks without a pause: all are moved within a moment.
func (s *scene) awaitFirst(worker int) {
	s.t.Helper()
	const some = 100 // descriptors; it has a fraction of them without clients
	dir := fmt.Sprintf("/proc/%d/fd", worker)
	for end := time.Now().Add(harness.DeadMan); time.Now().Before(end); {
		if fds, err := os.ReadDir(dir); err != nil || len(fds) > some {
			return
		}
	}
	s.t.Fatal("the new worker has got no connection")
}

// workerName is what the kernel calls a worker: it is executed through
// /proc/self/exe.
const workerName = "exe"

// clients are those that a worker has of the apps that are tested with.
func (s *scene) clients(worker int) (map[harness.Client]bool, error) {
	return harness.ClientsOf(worker, s.web.Port, s.flowing.Port)
}

func clientOf(c net.Conn) harness.Client {
	return harness.Client{Server: c.RemoteAddr().(*net.TCPAddr).Port, Port: c.LocalAddr().(*net.TCPAddr).Port}
}

// kill kills a worker, and returns the clients that it had, also those that were
// offered by it or to it: they may be cut. It is stopped first, lest it gets others
// meanwhile. One that has left already has none.
func (s *scene) kill(worker int) map[harness.Client]bool {
	s.t.Helper()
	if err := syscall.Kill(worker, syscall.SIGSTOP); err != nil {
		if err != syscall.ESRCH {
			s.t.Fatal(err)
		}
		return nil
	}
	s.Await("a worker to be stopped", func() bool { return stopped(worker) })
	held, err := s.clients(worker)
	if err != nil && syscall.Kill(worker, 0) == nil {
		s.t.Fatal(err)
	}
	_ = syscall.Kill(worker, syscall.SIGKILL) // it may have left
	return held
}

// stopped reports whether all threads of a process are stopped, or have ended.
func stopped(pid int) bool {
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	for _, path := range threads {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		_, rest, _ := strings.Cut(string(text), ") ")
		if rest == "" || !strings.Contains("TZX", rest[:1]) {
			return false
		}
	}
	return true
}

// silent makes a request on each of the connections in turn, closes them, and
// returns those on which no answer came.
func silent(idle []net.Conn) (cut []net.Conn) {
	for _, c := range idle {
		_ = c.SetDeadline(time.Now().Add(harness.DeadMan))
		_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: h\r\n\r\n") // the answer tells whether it has come
		answer, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil || answer.StatusCode != http.StatusOK {
			cut = append(cut, c)
		}
		c.Close()
	}
	return cut
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

// TestRefusalByVersion upgrades to a build whose workers describe connections in
// another version, and goes back: what they refuse stays with the old worker, and
// is served there to its end.
func TestRefusalByVersion(t *testing.T) {
	t.Parallel()
	two := builds(t, "99.0.1", "handoff_next")
	s := flowing(t)
	pids, before := s.pids(), s.holds(s.Status().PID)
	for n, event := range []string{"take-over, nothing is moved", "take-over back, nothing is moved"} {
		var old control.Worker
		report := s.under(event, s.steady(), func() {
			flows := s.flow(1)
			flows.await()
			old = s.Status().Workers[0]
			s.upgrade(two[n])
			flows.await()
			workers := s.Status().Workers
			if len(workers) != 2 || workers[0].PID != old.PID {
				t.Errorf("workers: %+v", workers)
			}
			s.unharmed(flows.end())
		})
		s.unbroken(report)
		s.awaitSettled()
		s.nothingMoved(n + 1)
	}
	s.samePIDs(pids)
	s.asBefore(before)
}

// told is what a worker says in the end of what it was to give away.
var told = regexp.MustCompile(`moved connections to another worker.*`)

// nothingMoved fails the test unless each old worker so far has said that it has
// kept all, and the newest one, which has nobody any more, that it has got none.
func (s *scene) nothingMoved(takeOvers int) {
	s.t.Helper()
	var all []string
	s.Await("the old worker's word", func() bool {
		all = told.FindAllString(s.DaemonOutput(), -1)
		return len(all) >= takeOvers
	})
	for _, text := range all {
		if !strings.Contains(text, "moved=0") || strings.Contains(text, "kept=0") {
			s.t.Errorf("all was to be kept: %s", text)
		}
	}
	var newest control.Worker
	s.Await("the new worker to have no client", func() bool {
		newest = s.Status().Workers[0]
		return newest.Connections == 0
	})
	if newest.MovedIn > 0 {
		s.t.Errorf("the new worker was to get nothing: %+v", newest)
	}
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
