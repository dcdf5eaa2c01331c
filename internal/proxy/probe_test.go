package proxy

import (
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gracevisor/internal/wire"
)

// statusApp answers with a status that can be changed; 0 closes the connection
// without an answer.
func statusApp(t *testing.T, status *atomic.Int64) *backend {
	return newBackend(t, func(p *peer) {
		h := p.head()
		if h == "" {
			return
		}
		if !strings.HasPrefix(h, "GET /health HTTP/1.1\r\nHost: h\r\n") {
			t.Errorf("probed with %q", h)
		}
		if n := status.Load(); n > 0 {
			p.send(fmt.Sprintf("HTTP/1.1 %d X\r\nContent-Length: 2\r\n\r\nok", n))
		}
	})
}

func (r *rig) waitProbed(want wire.Verdict) wire.ProbeResult {
	r.t.Helper()
	select {
	case got := <-r.events.probed:
		if got.Verdict != want {
			r.t.Fatalf("found %+v, not %s", got, want)
		}
		return got
	case <-time.After(deadMan):
		r.t.Fatalf("not found %s", want)
		return wire.ProbeResult{}
	}
}

func target(address string) wire.Target {
	if strings.HasPrefix(address, "/") {
		return wire.Target{Network: "unix", Address: address}
	}
	return wire.Target{Network: "tcp", Address: address}
}

// TestProbe follows an instance from its start over sickness and death back to
// health; only changes are told.
func TestProbe(t *testing.T) {
	var status atomic.Int64
	status.Store(503)
	app := statusApp(t, &status)
	r := newRig(t, nil)
	r.proxy.Probe(wire.Probe{
		Instance: "demo/1", Path: "/health", Host: "h", Timeout: time.Second,
		Targets:  []wire.Target{target(freeAddress(t)), target(app.addr)},
		Interval: 2 * time.Millisecond, Retries: 3,
	})
	status.Store(200)
	if got := r.waitProbed(wire.Passing); got.Target != target(app.addr) || got.Instance != "demo/1" {
		t.Errorf("found %+v", got)
	}
	status.Store(500)
	if got := r.waitProbed(wire.Failing); got.Reason != "answered with status 500" {
		t.Errorf("found %+v", got)
	}
	status.Store(0)
	r.waitProbed(wire.Dead)
	status.Store(200)
	r.waitProbed(wire.Passing)
	app.close()
	if got := r.waitProbed(wire.Dead); !strings.Contains(got.Reason, "refused") {
		t.Errorf("found %+v", got)
	}
	r.proxy.Unprobe("demo/1")
}

// TestProbeStart: without a path a connection is enough, and without an interval
// the first success is the end.
func TestProbeStart(t *testing.T) {
	address := filepath.Join(t.TempDir(), "sock")
	r := newRig(t, nil)
	r.proxy.Probe(wire.Probe{Instance: "demo/1", Targets: []wire.Target{target(address)}, Timeout: time.Second})
	l, err := net.Listen("unix", address)
	if err != nil {
		t.Fatal(err)
	}
	app := newBackendOn(t, l, func(p *peer) { p.rest() })
	r.waitProbed(wire.Passing)
	app.close()
	r.proxy.Probe(wire.Probe{Instance: "demo/1", Targets: []wire.Target{target(address)}, Timeout: time.Second,
		Interval: time.Millisecond, Retries: 1, Running: true})
	r.waitProbed(wire.Dead)
}

// TestProbeHangs: an app that accepts and says nothing is dead, not failing.
func TestProbeHangs(t *testing.T) {
	app := newBackend(t, func(p *peer) { p.rest() })
	r := newRig(t, nil)
	r.proxy.Probe(wire.Probe{Instance: "demo/1", Path: "/", Host: "h", Targets: []wire.Target{target(app.addr)},
		Timeout: 20 * time.Millisecond, Interval: time.Millisecond, Retries: 2, Running: true})
	if got := r.waitProbed(wire.Dead); got.Reason != "no answer in time" {
		t.Errorf("found %+v", got)
	}
}
