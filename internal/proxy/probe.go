package proxy

import (
	"math/rand/v2"
	"sync/atomic"
	"time"

	"gracevisor/internal/wire"
)

// The pauses between the checks of an instance that starts: 1/32 of the time
// that it has taken so far, so that it is found ready at most 3 % late.
const (
	minProbePause = time.Millisecond
	maxProbePause = 50 * time.Millisecond
)

// A probe checks an instance again and again, in a goroutine of its own.
type probe struct {
	proxy   *Proxy
	order   wire.Probe
	targets []probeTarget
	request []byte
	began   time.Time

	quit   chan struct{}
	cancel atomic.Bool
	sock   atomic.Pointer[upstream] // of the check under way

	// Only the goroutine uses what follows.
	verdict  wire.Verdict // as last reported; empty: never
	failures int          // checks in a row that failed
	silent   int          // checks in a row that nothing answered
}

type probeTarget struct {
	wire.Target
	address endpoint
}

// Probe begins to check an instance, or replaces the probe that does. The probe
// ends by Unprobe, by Close, or if it is only to find out that the instance is
// ready.
func (p *Proxy) Probe(o wire.Probe) {
	pr := &probe{proxy: p, order: o, quit: make(chan struct{}), began: time.Now()}
	for _, t := range o.Targets {
		address, err := readEndpoint(t)
		if err != nil {
			p.log.Error("cannot probe", "instance", o.Instance, "error", err)
			continue
		}
		pr.targets = append(pr.targets, probeTarget{t, address})
	}
	if o.Path != "" {
		pr.request = []byte("GET " + o.Path + " HTTP/1.1\r\nHost: " + o.Host +
			"\r\nUser-Agent: gracevisor-probe\r\nConnection: close\r\n\r\n")
	}
	if o.Running {
		pr.verdict = wire.Passing
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed() {
		return
	}
	if old := p.probes[o.Instance]; old != nil {
		old.end()
	}
	p.probes[o.Instance] = pr
	p.wg.Go(pr.run) // ended by end
}

// Unprobe ends the probe of an instance. No result of it is reported
// afterwards, but one that is being reported already.
func (p *Proxy) Unprobe(instance string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if pr := p.probes[instance]; pr != nil {
		delete(p.probes, instance)
		pr.end()
	}
}

// end tells the goroutine to end. It is called once.
func (pr *probe) end() {
	pr.cancel.Store(true)
	close(pr.quit)
	if u := pr.sock.Load(); u != nil {
		u.wake()
	}
}

// run checks until it is ended, or has found out what it was to find out.
func (pr *probe) run() {
	pause := time.Duration(0)
	if pr.order.Running {
		pause = rand.N(max(pr.order.Interval, 1))
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	for {
		select {
		case <-pr.quit:
			return
		case <-timer.C:
		}
		pr.judge(pr.check())
		if pr.verdict == wire.Passing && pr.order.Interval <= 0 {
			return
		}
		timer.Reset(pr.pause())
	}
}

// pause is the time to the next check. Running checks are spread, so that those
// of many apps do not fall together, but over few moments only: to wake a process
// that sleeps costs more than a check does (100 apps checked each second: 4 % of a
// CPU if each had a moment of its own, below 1 % so).
func (pr *probe) pause() time.Duration {
	interval := pr.order.Interval
	if pr.verdict == "" {
		return min(max(time.Since(pr.began)/32, minProbePause), maxProbePause)
	}
	now := monotime()
	grid := max(int64(min(interval/4, probeGrid)), 1)
	next := now + int64(interval*9/10+rand.N(interval/5+1))
	return time.Duration(next/grid*grid + grid - now)
}

// probeGrid is the time between the moments at which running checks are made.
const probeGrid = 250 * time.Millisecond

// A finding is the outcome of one check.
type finding struct {
	ok       bool
	answered bool // something spoke to us
	target   wire.Target
	reason   string
}

// judge makes a verdict of what was found, and reports it if it is another.
func (pr *probe) judge(f finding) {
	if f.ok {
		pr.failures, pr.silent = 0, 0
		pr.report(wire.Passing, f)
		return
	}
	pr.failures++
	pr.silent++
	if f.answered {
		pr.silent = 0
	}
	needed := max(pr.order.Retries, 1)
	switch {
	case pr.verdict == "" || pr.failures < needed:
	case pr.silent >= needed:
		pr.report(wire.Dead, f)
	default:
		pr.report(wire.Failing, f)
	}
}

func (pr *probe) report(v wire.Verdict, f finding) {
	if v == pr.verdict || pr.cancel.Load() {
		return
	}
	pr.verdict = v
	pr.proxy.events.Probed(wire.ProbeResult{Instance: pr.order.Instance, Verdict: v, Target: f.target, Reason: f.reason})
}

// check tries the targets in order until one is fine.
func (pr *probe) check() finding {
	timeout := pr.order.Timeout
	if timeout <= 0 {
		timeout = time.Second
	}
	by := deadline(timeout)
	worst := finding{reason: "no address to probe"}
	for i := range pr.targets {
		f := pr.checkTarget(&pr.targets[i], by)
		if f.ok {
			return f
		}
		if !worst.answered {
			worst = f
		}
	}
	return worst
}
