package proxy

import (
	"fmt"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"gracevisor/internal/proxy/http1"
	"gracevisor/internal/wire"
)

// An app is what the proxy keeps of an app from table to table.
type app struct {
	name  string
	route atomic.Pointer[route] // by the newest table
	gate  *gate
	queue queue
	// upgraded and streams are the tunnels of both kinds: after an Upgrade,
	// and of `proxy: tcp`.
	upgraded, streams atomic.Int64
	counters          counters
	access            atomic.Pointer[logPipe]
	faults            faults
}

func newApp(name string) *app { return &app{name: name, gate: newGate()} }

// A route is how requests for an app are served by one table. It never changes.
type route struct {
	tcp         bool
	disposition wire.Disposition
	serving     []*instance
	traffic     wire.Traffic
	request     http1.Limits
	answer      http1.Limits
	trusted     []netip.Prefix
	upgrades    []string
	next        atomic.Uint32 // where pick begins
}

// take puts a new route into force, and wakes those who wait if it has an answer
// for them. If it has not they keep their places.
func (a *app) take(r *route) {
	a.route.Store(r)
	if r.disposition == wire.Unavailable || r.disposition == wire.Serving && len(r.serving) > 0 {
		a.queue.letGo()
	}
}

// The bounds that no configuration lifts.
const (
	maxTarget    = 8 << 10
	maxHeadBytes = 16 << 20
	maxFields    = 1000
)

// noRoute is the route of an app that no table names any more.
var noRoute = &route{
	disposition: wire.Unavailable,
	request:     limits(64<<10, 100),
	traffic:     wire.Traffic{HeaderTimeout: 5 * time.Second, IdleTimeout: time.Second, BodyTimeout: 5 * time.Second},
}

// newRoute makes the route of an app, whose serving instances are given. What
// can not be used is left out and told in the error.
func newRoute(a *wire.App, serving []*instance) (*route, error) {
	t := a.Traffic
	r := &route{
		tcp:         a.Mode == "tcp",
		disposition: a.Disposition,
		serving:     serving,
		traffic:     t,
		request:     limits(t.MaxHeaderBytes, t.MaxHeaders),
		answer:      limits(t.MaxAnswerHeaderBytes, t.MaxAnswerHeaders),
		upgrades:    t.Upgrades,
	}
	r.request.MaxTarget = maxTarget
	var err error
	for _, s := range t.TrustedProxies {
		prefix, e := netip.ParsePrefix(s)
		if e != nil {
			err = fmt.Errorf("read trusted_proxies of app %q: %w", a.Name, e)
			continue
		}
		r.trusted = append(r.trusted, prefix.Masked())
	}
	return r, err
}

func limits(bytes, fields int) http1.Limits {
	if bytes <= 0 || bytes > maxHeadBytes {
		bytes = maxHeadBytes
	}
	if fields <= 0 {
		fields = maxFields
	}
	return http1.Limits{MaxBytes: bytes, MaxFields: fields}
}

// pick chooses the instance with the fewest requests in flight, beginning at
// another one each time so that equals take turns. Those in tried are passed
// over.
func (r *route) pick(tried []*instance) *instance {
	n := uint32(len(r.serving))
	switch {
	case n == 0:
		return nil
	case n == 1 && len(tried) == 0:
		return r.serving[0]
	}
	var best *instance
	var least int64
	first := r.next.Add(1)
	for i := range n {
		in := r.serving[(first+i)%n]
		load := in.inflight.Load()
		if (best == nil || load < least) && !contains(tried, in) {
			best, least = in, load
		}
	}
	return best
}

func contains(list []*instance, in *instance) bool {
	for _, other := range list {
		if other == in {
			return true
		}
	}
	return false
}

// acquire begins a request on an instance that was not tried, by the newest
// table. Without one it returns the route alone, which says what to do instead.
func (a *app) acquire(tried []*instance) (*instance, *route) {
	for {
		r := a.route.Load()
		if r.disposition == wire.Unavailable {
			return nil, r
		}
		in := r.pick(tried)
		if in == nil || in.enter() {
			return in, r
		}
		// Retired between pick and enter: a newer route is there already.
	}
}

// trusts reports whether what a peer says about its own clients is believed.
func (r *route) trusts(peer netip.Addr) bool {
	for _, prefix := range r.trusted {
		if prefix.Contains(peer) {
			return true
		}
	}
	return false
}

// upgrade returns the first token of an Upgrade value that may be passed on.
func (r *route) upgrade(value []byte) string {
	if len(value) == 0 {
		return ""
	}
	for token := range strings.SplitSeq(string(value), ",") {
		token = strings.ToLower(strings.TrimSpace(token))
		for _, allowed := range r.upgrades {
			if token == allowed {
				return allowed
			}
		}
	}
	return ""
}

// shortest is the least time-out of the route, or 0.
func (r *route) shortest() time.Duration {
	t := &r.traffic
	var least time.Duration
	for _, d := range [...]time.Duration{t.HoldTimeout, t.HeaderTimeout, t.IdleTimeout, t.ConnectTimeout, t.AnswerTimeout, t.BodyTimeout} {
		if d > 0 && (least == 0 || d < least) {
			least = d
		}
	}
	return least
}
