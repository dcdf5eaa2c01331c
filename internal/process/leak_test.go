package process

import (
	"os"
	"runtime"
	"sync"
	"testing"
)

// TestNothingLeaks starts 300 instances that end in each of the ways there are.
func TestNothingLeaks(t *testing.T) {
	cycle := func(i int) {
		spec := Spec{Name: "leak/1", Argv: []string{"/bin/true"}}
		switch i % 6 {
		case 1:
			spec.Argv = []string{"no-such-command"}
		case 2:
			spec.Argv = []string{"sh", "-c", "sh -c : & sh -c 'setsid sh -c : &'"}
		case 3:
			spec.Argv = []string{"sh", "-c", "sleep 1000 & kill -9 $$"}
		}
		p, err := reaper.Start(spec)
		if err != nil {
			t.Error(err)
			return
		}
		switch i % 6 {
		case 4: // killed before it may go
			_ = p.Kill()
		case 5: // nobody asks what came of it
			_ = p.Go()
		default:
			_ = p.Go()
			if err := p.Launched(); (err != nil) != (i%6 == 1) {
				t.Error(err)
			}
		}
		p.Wait()
		_ = p.Kill()
		if err := p.Leftovers(t.Context()); err != nil {
			t.Error(err)
		}
	}
	cycle(0) // what is made once is made
	fds, goroutines := openFiles(t), runtime.NumGoroutine()
	const parallel, each = 6, 50
	var all sync.WaitGroup
	for worker := range parallel {
		all.Go(func() {
			for i := range each {
				cycle(worker + i)
			}
		})
	}
	all.Wait()
	eventually(t, "zombies to go", func() bool { return len(children(t)) == 0 })
	eventually(t, "goroutines to end", func() bool { return runtime.NumGoroutine() <= goroutines })
	if now := openFiles(t); now > fds {
		t.Errorf("%d descriptors are open, before %d", now, fds)
	}
	reaper.mu.Lock()
	defer reaper.mu.Unlock()
	if len(reaper.instances) != 0 || len(reaper.strayOf) != 0 {
		t.Errorf("the reaper remembers %v and %v", reaper.instances, reaper.strayOf)
	}
}

func openFiles(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// BenchmarkMemory prints what a running instance costs this process, by
// instances of the cheapest kind: launchers that are never let go.
func BenchmarkMemory(b *testing.B) {
	before := memory()
	processes := make([]*Process, 0, b.N)
	var waits sync.WaitGroup
	for range b.N {
		p, err := reaper.Start(Spec{Name: "memory/1", Argv: []string{"/bin/true"}})
		if err != nil {
			b.Error(err)
			break
		}
		processes = append(processes, p)
		waits.Go(func() { p.Wait() })
	}
	b.ReportMetric(float64(memory()-before)/float64(b.N), "B/instance")
	for _, p := range processes {
		_ = p.Kill()
	}
	waits.Wait()
}

func memory() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse + m.StackInuse
}

// BenchmarkStart is a whole life: launcher, app, exit, nothing left.
func BenchmarkStart(b *testing.B) {
	for range b.N {
		p, err := reaper.Start(Spec{Name: "start/1", Argv: []string{"/bin/true"}})
		if err != nil {
			b.Fatal(err)
		}
		if err := p.Go(); err != nil {
			b.Error(err)
		}
		if err := p.Launched(); err != nil {
			b.Error(err)
		}
		p.Wait()
		if err := p.Leftovers(b.Context()); err != nil {
			b.Error(err)
		}
	}
}

// BenchmarkOwnsListener is what a look for readiness costs.
func BenchmarkOwnsListener(b *testing.B) {
	p, err := reaper.Spawn(Child{Name: "owner/1", Path: "/bin/sleep", Argv: []string{"sleep", "1000"}})
	if err != nil {
		b.Fatal(err)
	}
	for range b.N {
		if _, _, err := p.OwnsListener(1); err != nil {
			b.Fatal(err)
		}
	}
	_ = p.Kill()
	p.Wait()
}
