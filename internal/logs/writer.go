package logs

import (
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// firstPause is how long nothing is tried after a write has failed.
	firstPause = time.Second
	// longestPause bounds the pauses, which double when writing fails again
	// soon.
	longestPause = time.Minute
	// rotationPause is how long a rotation that failed is not tried again.
	rotationPause = time.Minute
)

// A writer is the one through which everything goes that is written to a path.
type writer struct {
	path string
	log  *slog.Logger
	// limits can change while the writer is used.
	limits atomic.Pointer[Target]

	// mu is held while the disk is waited for.
	mu    sync.Mutex
	file  logFile
	clock func() time.Time
	// retired: the daemon's log has moved away from here.
	retired bool

	// failing means that the last write failed and that it was told.
	failing  bool
	failedAt time.Time
	pause    time.Duration
	dropped  int64
	// torn means that the file ends in the part of a line that was written
	// when its rest was dropped.
	torn bool

	// notRotating means that the last rotation failed and that it was told.
	notRotating bool
	rotateAt    time.Time
	// notCleaning means that removing old files failed and that it was told.
	notCleaning bool
}

func newWriter(t Target, clock func() time.Time, log *slog.Logger) *writer {
	w := &writer{path: t.Path, log: log, clock: clock}
	w.file = logFile{path: t.Path, clock: clock}
	w.limits.Store(&t)
	return w
}

// prepare opens the file, and tells if that fails. w.mu is held.
func (w *writer) prepare() {
	if w.file.isOpen() {
		return
	}
	if err := w.open(); err != nil {
		w.fail(err, 0)
	}
}

func (w *writer) open() error {
	if err := w.file.open(); err != nil {
		return err
	}
	w.toldClean(w.file.clean(*w.limits.Load()))
	return nil
}

// write appends p, or drops it, and tells where it has got to. It waits for the
// disk as long as that takes. w.mu is held.
func (w *writer) write(p []byte) position {
	if w.failing && w.clock().Before(w.failedAt.Add(w.pause)) {
		w.dropped += int64(len(p))
		return position{}
	}
	if err := w.ready(len(p)); err != nil {
		w.fail(err, len(p))
		return position{}
	}
	at := w.file.end()
	n, err := w.file.write(p)
	if err != nil {
		w.torn = w.torn && n == 0 || n > 0 && p[n-1] != '\n'
		w.fail(err, len(p)-n)
		return position{}
	}
	w.recovered()
	return at
}

// ready makes the file one that n bytes can be written to.
func (w *writer) ready(n int) error {
	if !w.file.isOpen() {
		if err := w.open(); err != nil {
			return err
		}
	}
	if w.file.due(n, *w.limits.Load()) {
		if err := w.rotate(); err != nil {
			return err
		}
	}
	if w.torn {
		if _, err := w.file.write([]byte{'\n'}); err != nil {
			return err
		}
		w.torn = false
	}
	return nil
}

// rotate fails only if there is no file to write to afterwards.
func (w *writer) rotate() error {
	if w.notRotating && w.clock().Before(w.rotateAt) {
		return nil
	}
	err := w.file.rotate()
	if err == nil {
		w.notRotating = false
		w.toldClean(w.file.clean(*w.limits.Load()))
		return nil
	}
	if !w.file.isOpen() {
		return err
	}
	if !w.notRotating {
		w.log.Error("rotating a log file failed, it grows on", "file", w.path, "error", err)
	}
	w.notRotating, w.rotateAt = true, w.clock().Add(rotationPause)
	return nil
}

// fail counts what is dropped, tells the first failure, and closes the file so
// that the next try opens it afresh.
func (w *writer) fail(err error, dropped int) {
	now := w.clock()
	w.dropped += int64(dropped)
	switch {
	case w.pause == 0 || now.Sub(w.failedAt) > 2*longestPause:
		w.pause = firstPause
	default:
		w.pause = min(2*w.pause, longestPause)
	}
	if !w.failing {
		w.log.Error("writing a log file failed, output is dropped", "file", w.path, "error", err)
	}
	w.failing, w.failedAt = true, now
	// Whatever closing says, writing has failed before it, which was told.
	_ = w.file.close()
}

// recovered tells that writing works again.
func (w *writer) recovered() {
	if !w.failing {
		return
	}
	w.log.Warn("writing a log file works again", "file", w.path, "dropped_bytes", w.dropped)
	w.failing, w.dropped = false, 0
}

// reopen opens the path anew, where somebody may have moved the file away.
func (w *writer) reopen() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.retired {
		return
	}
	w.closeFile()
	w.failedAt = time.Time{} // the pause is over
	w.prepare()
}

// maintain rotates the file and removes old ones if it is time.
func (w *writer) maintain() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.file.isOpen() {
		return
	}
	if w.file.due(0, *w.limits.Load()) {
		if err := w.rotate(); err != nil {
			w.fail(err, 0)
		}
		return
	}
	w.toldClean(w.file.clean(*w.limits.Load()))
}

// toldClean tells a failure to remove old files once.
func (w *writer) toldClean(err error) {
	if err != nil && !w.notCleaning {
		w.log.Warn("removing old log files failed", "file", w.path, "error", err)
	}
	w.notCleaning = err != nil
}

// close closes the file. What was dropped until then is told.
func (w *writer) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closeFile()
	if w.failing && w.dropped > 0 {
		w.log.Warn("log file is closed, output was dropped", "file", w.path, "dropped_bytes", w.dropped)
	}
}

func (w *writer) closeFile() {
	if err := w.file.close(); err != nil {
		w.log.Error("closing a log file failed", "file", w.path, "error", err)
	}
}
