package daemon

import (
	"log/slog"
	"os"
	"time"
)

const (
	// crashesKept is how many are remembered.
	crashesKept = 10
	// tooManyCrashes within crashWindow make the daemon wait before it takes
	// over: the proxy serves meanwhile, and what makes it crash may pass.
	tooManyCrashes = 5
	crashWindow    = 10 * time.Second
	firstCrashWait = time.Second
	longestWait    = 8 * time.Second
)

// noteCrash remembers that the daemon before this one has crashed, unless it was
// replaced on purpose, and backs off if that happens again and again. It is saved
// at once: what makes a daemon crash may do so while it takes over. With no worker
// that serves meanwhile there is no time to be lost.
func (p *predecessor) noteCrash(log *slog.Logger, served bool) {
	if p == nil || p.state == nil {
		return
	}
	if p.state.Planned {
		p.state.Planned = false
		p.save(log)
		return
	}
	now := time.Now()
	crashes := append(p.state.Crashes, now)
	p.state.Crashes = crashes[max(0, len(crashes)-crashesKept):]
	p.save(log)
	log.Error("the daemon before this one has crashed; going on where it was", "crashes_remembered", len(p.state.Crashes))
	if wait := crashWait(p.state.Crashes, now); wait > 0 && served {
		log.Error("too many crashes; waiting before taking over", "wait", wait.String())
		<-time.After(wait) // below WatchdogSec=, and nobody else waits
	}
}

// served reports whether a worker lives that goes by a table. One that was just
// being started serves nobody until we go on.
func (p *predecessor) served(kept map[string]*os.File) bool {
	if p == nil || p.state == nil {
		return false
	}
	for _, generation := range p.state.Serving() {
		if pidfd := kept[namesOfWorker(generation).pidfd]; pidfd != nil && signalPidfd(pidfd, 0) == nil {
			return true
		}
	}
	return false
}

// save writes what has changed in the state.
func (p *predecessor) save(log *slog.Logger) {
	data, err := p.state.Encode()
	if err == nil {
		err = p.snapshot.Write(data)
	}
	if err != nil {
		log.Error("cannot remember the crash of the daemon before this one", "error", err)
	}
}

// crashWait is how long to wait after these crashes.
func crashWait(crashes []time.Time, now time.Time) time.Duration {
	recent := 0
	for _, at := range crashes {
		if now.Sub(at) < crashWindow {
			recent++
		}
	}
	if recent < tooManyCrashes {
		return 0
	}
	return min(firstCrashWait<<(recent-tooManyCrashes), longestWait)
}
