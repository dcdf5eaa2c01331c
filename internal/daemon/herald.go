package daemon

import (
	"context"
	"time"

	"gracevisor/internal/activation"
	"gracevisor/internal/supervisor"
)

const (
	// heraldInterval is how often the state is told once the daemon is ready,
	// eagerInterval before that.
	heraldInterval = time.Second
	eagerInterval  = 20 * time.Millisecond
	// extension is how much time a stop asks for at a time.
	extension = 5 * time.Second
)

// herald tells the service manager how the daemon is. A sign of life is sent
// only if the goroutine that owns the state has answered in time.
type herald struct {
	notifier *activation.Notifier
	summary  func(context.Context) (supervisor.Summary, error)
	// readyAt is when the daemon counts as ready although apps still start.
	readyAt time.Time
	// reloads takes true when a reload begins and false when one ends.
	reloads chan bool

	ready     bool
	reloading int
	stopping  time.Time
	told      string
	alive     time.Time
}

func newHerald(n *activation.Notifier, s *supervisor.Supervisor, readyTimeout time.Duration) *herald {
	return &herald{
		notifier: n, summary: s.Summary, reloads: make(chan bool, 16),
		readyAt: time.Now().Add(readyTimeout),
	}
}

// run tells until ctx ends.
func (h *herald) run(ctx context.Context) {
	if !h.notifier.Active() {
		for {
			select {
			case <-h.reloads: // nobody wants to know
			case <-ctx.Done():
				return
			}
		}
	}
	for {
		timer := time.NewTimer(h.interval())
		select {
		case begins := <-h.reloads:
			h.reload(begins)
		case <-timer.C:
			h.tell(ctx)
		case <-ctx.Done():
			timer.Stop()
			return
		}
		timer.Stop()
	}
}

func (h *herald) interval() time.Duration {
	switch {
	case !h.ready:
		return eagerInterval
	case h.notifier.Watchdog > 0:
		return min(heraldInterval, h.notifier.Watchdog/2)
	}
	return heraldInterval
}

// announceReload says that the program of the process is about to be replaced;
// nothing is told after that.
func (h *herald) announceReload() {
	h.reloads <- true
}

// reload tells of the first reload that begins and of the last that ends: others
// may be under way at the same time.
func (h *herald) reload(begins bool) {
	if begins {
		if h.reloading++; h.reloading == 1 && h.ready {
			h.notifier.Reloading()
		}
		return
	}
	if h.reloading--; h.reloading == 0 && h.ready {
		h.notifier.Ready(h.told)
	}
}

// tell asks for the state and passes it on.
func (h *herald) tell(ctx context.Context) {
	patience := 10 * time.Second
	if h.notifier.Watchdog > 0 {
		patience = h.notifier.Watchdog / 4
	}
	asked, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	sum, err := h.summary(asked)
	if err != nil {
		return // no sign of life
	}
	text := sum.String()
	switch {
	case sum.Stopping:
		h.tellStopping(text, sum.ShutdownTimeout)
	case !h.ready && (sum.Settled || time.Now().After(h.readyAt)):
		h.ready = true
		h.notifier.Ready(text)
	case text != h.told:
		h.notifier.Status(text)
	}
	h.told = text
	if w := h.notifier.Watchdog; w > 0 && time.Since(h.alive) >= w/2-heraldInterval/10 {
		h.alive = time.Now()
		h.notifier.Alive()
	}
}

// tellStopping asks for more time as long as the stop may take.
func (h *herald) tellStopping(text string, within time.Duration) {
	if h.stopping.IsZero() {
		h.stopping = time.Now()
		h.notifier.Stopping(text)
	} else if text != h.told {
		h.notifier.Status(text)
	}
	if left := within - time.Since(h.stopping); left > 0 {
		h.notifier.Extend(min(extension, left+time.Second))
	}
}
