package siege

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"time"

	"gracevisor/test/load"
)

// Full says that events happen as often as it takes to be sure.
var Full = os.Getenv("GRACEVISOR_SURVIVAL") == "full"

// Times is how often an event happens: seldom in the short form.
func Times(short, long int) int {
	if Full {
		return long
	}
	return short
}

// Lasting is how many connections of each lasting kind a siege has.
const Lasting = 2

// Pause leaves some time of the processors to what is tested.
const Pause = 2 * time.Millisecond

// Target is what is besieged: an app of HTTP and one of TCP.
type Target struct {
	Web, Line string // addresses
	// Dial is that of load.Options.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Steady is the load whose connections must outlive everything.
func (t Target) Steady() []load.Options {
	http := map[load.Kind]int{
		load.Get: 2, load.Post: 1, load.PostChunked: 1, load.Slow: 1, load.Stream: 1, load.Events: 1,
		load.Upload: 1, load.WebSocket: Lasting,
	}
	tcp := map[load.Kind]int{load.TCP: Lasting}
	return []load.Options{
		{Address: t.Web, Dial: t.Dial, Clients: http, Pause: Pause},
		{Address: t.Line, Dial: t.Dial, Clients: tcp, Pause: Pause},
	}
}

// Passing is the same load with WebSockets and TCP connections that end now and
// then: an instance that is replaced stays until the last of them has.
func (t Target) Passing() []load.Options {
	all := t.Steady()
	for i := range all {
		all[i].PerConnection = 20
	}
	return all
}

// Quiet is the load of connections that are idle until the end: half of them have
// made a request before. In the long form they are 1,000.
func (t Target) Quiet() load.Options {
	n := Times(100, 1000)
	return load.Options{
		Address: t.Web, Dial: t.Dial,
		Clients: map[load.Kind]int{load.Idle: n / 2, load.IdleKept: n / 2},
	}
}

// Siege is a load under way.
type Siege struct{ loads []*load.Load }

// Begin begins the loads one after the other, and returns when all clients are
// connected and, but for the idle ones, have been served.
func Begin(ctx context.Context, all ...load.Options) (*Siege, error) {
	s := &Siege{}
	for _, options := range all {
		l, err := load.Start(options)
		if err != nil {
			s.End()
			return nil, err
		}
		s.loads = append(s.loads, l)
		if err := l.AwaitConnected(ctx); err != nil {
			s.End()
			return nil, err
		}
	}
	if err := s.Await(ctx, 1); err != nil {
		s.End()
		return nil, err
	}
	return s, nil
}

// Await waits until each client has made n requests more, with success or not.
func (s *Siege) Await(ctx context.Context, n int) error {
	for _, l := range s.loads {
		if err := l.Await(ctx, n); err != nil {
			return fmt.Errorf("%w\n%v", err, l.Report())
		}
	}
	return nil
}

// End ends the loads, the idle connections last, and reports. It may be called
// again.
func (s *Siege) End() *load.Report {
	sum := &load.Report{Kinds: make(map[load.Kind]load.KindReport)}
	for i := len(s.loads) - 1; i >= 0; i-- {
		maps.Copy(sum.Kinds, s.loads[i].Stop().Kinds)
	}
	return sum
}

// Unharmed says what is wrong with a report in which nothing may have failed.
func Unharmed(report *load.Report) error {
	if report.Failures() > 0 || report.Requests() == 0 {
		return fmt.Errorf("%d of %d requests failed", report.Failures(), report.Requests())
	}
	return nil
}

// Unbroken says what is wrong with the report of a steady load: nothing may have
// failed, and no connection of the lasting kinds been made anew.
func Unbroken(report *load.Report) error {
	err := Unharmed(report)
	for _, kind := range []load.Kind{load.WebSocket, load.TCP} {
		if n := report.Kinds[kind].Connections; n != Lasting {
			err = errors.Join(err, fmt.Errorf("%s: %d clients have needed %d connections", kind, Lasting, n))
		}
	}
	return err
}
