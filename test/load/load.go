package load

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// Load is a load under way.
type Load struct {
	options Options
	name    string // makes request ids differ between loads of a process
	clients []*client
	records map[Kind]*record

	stop     chan struct{}
	stopOnce sync.Once
	ended    chan struct{} // closed when the last client has ended
	progress chan struct{} // takes one token whenever a request has ended
	waiting  sync.Mutex    // held by the only reader of progress
}

var loads atomic.Int64

// Start begins the load. Stop must be called to end it.
func Start(o Options) (*Load, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	l := &Load{
		options:  o,
		name:     "load" + strconv.FormatInt(loads.Add(1), 10),
		records:  make(map[Kind]*record),
		stop:     make(chan struct{}),
		ended:    make(chan struct{}),
		progress: make(chan struct{}, 1),
	}
	begin := time.Now()
	for kind, n := range o.Clients {
		l.records[kind] = newRecord(begin)
		for i := range n {
			l.clients = append(l.clients, &client{load: l, kind: kind, number: i, record: l.records[kind]})
		}
	}
	var running sync.WaitGroup
	for _, c := range l.clients {
		running.Go(c.run) // ends by stop, or by a bound of the options
	}
	// Ends with the last client.
	go func() {
		defer close(l.ended)
		timer := time.AfterFunc(o.MaxTime, l.end)
		defer timer.Stop()
		running.Wait()
	}()
	return l, nil
}

// Stop lets every client finish what it has begun, and reports. It may be
// called again, and then reports the same.
func (l *Load) Stop() *Report {
	l.end()
	<-l.ended
	return l.Report()
}

func (l *Load) end() { l.stopOnce.Do(func() { close(l.stop) }) }

// Report tells the counts so far.
func (l *Load) Report() *Report {
	report := &Report{Kinds: make(map[Kind]KindReport)}
	for kind, record := range l.records {
		report.Kinds[kind] = record.copied()
	}
	return report
}

// Await returns as soon as each client has completed n requests more than it
// had at the call, with success or not. It fails if the load ends before. The
// idle kinds are not waited for.
func (l *Load) Await(ctx context.Context, n int) error {
	l.waiting.Lock()
	defer l.waiting.Unlock()
	behind := make(map[*client]int64)
	for _, c := range l.clients {
		if c.kind != Idle && c.kind != IdleKept {
			behind[c] = c.completed.Load() + int64(n)
		}
	}
	for {
		for c, goal := range behind {
			if c.completed.Load() >= goal {
				delete(behind, c)
			}
		}
		if len(behind) == 0 {
			return nil
		}
		select {
		case <-l.progress:
		case <-l.ended:
			return fmt.Errorf("await requests: the load has ended, and %v are behind", names(behind))
		case <-ctx.Done():
			return fmt.Errorf("await requests of %v: %w", names(behind), context.Cause(ctx))
		}
	}
}

// AwaitConnected returns as soon as every client has a connection or has
// failed to get one, and each of IdleKept has made its first request.
func (l *Load) AwaitConnected(ctx context.Context) error {
	l.waiting.Lock()
	defer l.waiting.Unlock()
	for {
		missing := slices.IndexFunc(l.clients, func(c *client) bool { return !c.begun.Load() })
		if missing < 0 {
			return nil
		}
		select {
		case <-l.progress:
		case <-ctx.Done():
			return fmt.Errorf("await connection of %s: %w", l.clients[missing].name(), context.Cause(ctx))
		}
	}
}

// tell wakes who waits for progress.
func (l *Load) tell() {
	select {
	case l.progress <- struct{}{}:
	default:
	}
}

func names(clients map[*client]int64) []string {
	var all []string
	for c := range clients {
		all = append(all, c.name())
	}
	slices.Sort(all)
	return all
}
