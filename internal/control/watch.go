package control

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
)

// maxNotices bounds what waits for one watcher.
const maxNotices = 4096

// ErrTooSlow ends a Watch whose owner has not taken its notices for too long:
// it has to look at the state again.
var ErrTooSlow = errors.New("too much has happened since the last look")

// ErrWatchEnded ends a Watch that was closed.
var ErrWatchEnded = errors.New("the watch is over")

// Feed passes notices from the owner of the state to whoever watches. Telling
// never waits for a watcher.
type Feed struct {
	// watched counts the watchers, so that nobody composes notices for none.
	watched atomic.Int32

	mu      sync.Mutex
	watches []*Watch
}

// Watched says whether anybody would hear a notice.
func (f *Feed) Watched() bool { return f.watched.Load() > 0 }

// Tell gives a notice to all who watch. It must not be changed afterwards.
func (f *Feed) Tell(n Notice) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, w := range f.watches {
		w.put(n)
	}
}

// Watch begins to gather notices.
func (f *Feed) Watch() *Watch {
	w := &Watch{feed: f, wake: make(chan struct{}, 1)}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.watches = append(f.watches, w)
	f.watched.Add(1)
	return w
}

// Watch holds the notices that its owner has yet to take, at most maxNotices.
// Of several changes of the same app, or of the daemon, only the newest is kept.
type Watch struct {
	feed *Feed
	wake chan struct{}

	mu      sync.Mutex
	waiting []Notice
	err     error
	// idle: the owner has dealt with all that it has taken, and waits for more.
	// settled are closed when it is.
	idle    bool
	settled []chan struct{}
}

func (w *Watch) put(n Notice) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return
	}
	// It goes to the end, so that nothing told before it is told after it.
	w.waiting = slices.DeleteFunc(w.waiting, func(old Notice) bool {
		return old.Kind == n.Kind && old.App == n.App && (n.Kind == NoticeAppChanged || n.Kind == NoticeDaemonChanged)
	})
	if len(w.waiting) >= maxNotices {
		w.waiting, w.err = nil, ErrTooSlow
	} else {
		w.waiting = append(w.waiting, n)
	}
	w.rouse()
}

func (w *Watch) rouse() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// Next waits for notices and takes all there are. Only one goroutine may call
// it.
func (w *Watch) Next(ctx context.Context) ([]Notice, error) {
	for {
		w.mu.Lock()
		taken, err := w.waiting, w.err
		w.waiting = nil
		if w.idle = len(taken) == 0; w.idle {
			w.tellSettled()
		}
		w.mu.Unlock()
		if len(taken) > 0 || err != nil {
			return taken, err
		}
		select {
		case <-w.wake:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// Settle waits until the owner has dealt with all notices so far, or until ctx
// ends.
func (w *Watch) Settle(ctx context.Context) {
	w.mu.Lock()
	settled := make(chan struct{})
	if w.idle && len(w.waiting) == 0 || w.err != nil {
		close(settled)
	} else {
		w.settled = append(w.settled, settled)
	}
	w.mu.Unlock()
	select {
	case <-settled:
	case <-ctx.Done():
	}
}

func (w *Watch) tellSettled() {
	for _, settled := range w.settled {
		close(settled)
	}
	w.settled = nil
}

// Close ends the watch.
func (w *Watch) Close() {
	w.feed.mu.Lock()
	before := len(w.feed.watches)
	w.feed.watches = slices.DeleteFunc(w.feed.watches, func(other *Watch) bool { return other == w })
	w.feed.watched.Add(int32(len(w.feed.watches) - before))
	w.feed.mu.Unlock()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.waiting = nil
	if w.err == nil {
		w.err = ErrWatchEnded
	}
	w.tellSettled()
	w.rouse()
}
