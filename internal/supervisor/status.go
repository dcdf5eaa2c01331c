package supervisor

import (
	"context"
	"net"
	"os"
	"runtime"
	"sort"
	"strconv"

	"gracevisor/internal/config"
	"gracevisor/internal/control"
	"gracevisor/internal/wire"
)

type statusAnswer struct {
	status *control.Status
	err    error
}

// Status tells the state of the named apps, or of all.
func (s *Supervisor) Status(ctx context.Context, apps []string) (*control.Status, error) {
	answer, err := s.Overview(ctx, apps)
	if err != nil {
		return nil, err
	}
	// What follows reads files: it is not for the owner of the state.
	answer.Strays = s.system.Strays()
	if s.system.Usage != nil {
		s.addUsage(answer)
	}
	return answer, nil
}

// Overview is Status without what takes long to find out.
func (s *Supervisor) Overview(ctx context.Context, apps []string) (*control.Status, error) {
	reply := make(chan statusAnswer, 1)
	answer, err := ask(ctx, s, askStatus{apps, reply}, reply)
	if err != nil {
		return nil, err
	}
	return answer.status, answer.err
}

func (s *Supervisor) addUsage(status *control.Status) {
	for a := range status.Apps {
		for n := range status.Apps[a].Instances {
			i := &status.Apps[a].Instances[n]
			id := status.Apps[a].Name + "/" + strconv.FormatUint(i.Number, 10)
			i.Memory, i.CPU = s.system.Usage(id)
		}
	}
}

// Workers lists the proxy workers with what they hold.
func (s *Supervisor) Workers(ctx context.Context) ([]control.Worker, error) {
	reply := make(chan []control.Worker, 1)
	return ask(ctx, s, askWorkers{reply}, reply)
}

// Sockets lists the external addresses.
func (s *Supervisor) Sockets(ctx context.Context) ([]control.Socket, error) {
	reply := make(chan []control.Socket, 1)
	return ask(ctx, s, askSockets{reply}, reply)
}

func (s *Supervisor) status(names []string) statusAnswer {
	if len(names) == 0 {
		names = s.order
	}
	status := &control.Status{
		Version: s.version, PID: os.Getpid(), Since: s.began, Workers: s.workerList(), ConfigFile: s.plan.File,
		Goroutines: runtime.NumGoroutine(),
	}
	if n := len(s.crashes); n > 0 {
		status.LastCrash = &s.crashes[n-1]
	}
	sums := s.sumCounters()
	for _, name := range names {
		a := s.apps[name]
		if a == nil {
			return statusAnswer{err: s.noSuchApp(name)}
		}
		status.Apps = append(status.Apps, s.appStatus(a, sums[name]))
	}
	return statusAnswer{status: status}
}

func (s *Supervisor) appStatus(a *app, sum *appSum) control.AppStatus {
	if sum == nil {
		sum = &appSum{}
	}
	status := control.AppStatus{
		Name: a.name, State: a.state(), External: externalAddress(a.plan), Mode: string(a.plan.Proxy),
		Connections: sum.Connections, Requests: sum.Requests, Restarts: a.restarts,
		LastError: a.lastError, Since: a.since, SinceMonotonic: a.sinceBoot, Counters: countersOf(sum),
		Retrying:  a.attempt != nil && a.attempt.candidate == nil && a.attempt.failures > 0,
		Instances: []control.InstanceStatus{},
	}
	if a.listenErr != nil {
		status.ListenError = oneLine(a.listenErr)
	}
	for _, i := range a.instances {
		count := sum.instances[i.id()]
		status.InFlight += count.InFlight
		status.Instances = append(status.Instances, control.InstanceStatus{
			Number: i.number, State: i.state.String(), Active: i.state.Routed(), PID: i.pid,
			Internal: i.internal(), Since: i.since, InFlight: count.InFlight,
			Requests: count.Requests, Reason: i.reason, Error: i.err, Status: i.status,
			Counters: &control.InstanceCounters{Status: count.Status, Retries: count.Retries,
				BytesIn: count.BytesIn, BytesOut: count.BytesOut, Latency: count.LatencyBuckets},
		})
	}
	return status
}

// externalAddress is the address of an app as its clients write it.
func externalAddress(plan *config.App) string {
	if plan.ExternalSocket != "" {
		return plan.ExternalSocket
	}
	return net.JoinHostPort(plan.External.Host, strconv.Itoa(plan.External.Port))
}

// internal is the address of the instance for status.
func (i *instance) internal() string {
	switch {
	case i.target.Address != "":
		return i.target.Address
	case i.socket != nil:
		return i.socket.Path()
	}
	return net.JoinHostPort(i.plan.InternalHost, strconv.Itoa(i.port))
}

func countersOf(sum *appSum) *control.AppCounters {
	c := &control.AppCounters{
		Status: sum.Status, Errors: sum.Errors, Retries: sum.Retries, Held: sum.Held,
		Holding: sum.Holding, BytesIn: sum.BytesIn, BytesOut: sum.BytesOut, Latency: sum.LatencyBuckets,
	}
	for _, bound := range wire.LatencyBounds {
		c.LatencyBounds = append(c.LatencyBounds, bound.Seconds())
	}
	return c
}

func (s *Supervisor) listSockets() []control.Socket {
	list := make([]control.Socket, 0, len(s.sockets))
	for name, sock := range s.sockets {
		entry := control.Socket{Address: name, Apps: []string{sock.owner.name}, Source: string(sock.Source)}
		waiting, backlog, err := sock.Queue()
		entry.Queue, entry.Backlog = waiting, backlog
		if err != nil {
			entry.Error = err.Error()
		}
		list = append(list, entry)
	}
	for _, a := range s.apps {
		if a.listenErr != nil {
			list = append(list, control.Socket{
				Address: externalAddress(a.plan), Apps: []string{a.name}, Error: oneLine(a.listenErr),
			})
		}
	}
	sort.Slice(list, func(i, j int) bool { return list[i].Address < list[j].Address })
	return list
}
