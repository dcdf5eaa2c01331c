package logs

import (
	"context"
	"fmt"
	"sync"
)

// queueBytes bounds what waits in a queue.
const queueBytes = 1 << 20

// A queue takes lines without ever waiting, and writes them in a goroutine of its
// own. Whoever logs must not be held up by a slow disk or a stopped terminal:
// the daemon's state has one owner, which logs. Lines that find the queue full
// are dropped and counted.
type queue struct {
	// write gets what has been taken since the last time, and how many lines
	// were dropped after it.
	write func(lines []byte, dropped int)
	// ended is called when the goroutine ends, unless it is nil.
	ended func()

	mu      sync.Mutex
	waiting []byte
	dropped int
	closed  bool
	// writing means that the goroutine has taken lines and not yet written
	// them.
	writing bool
	filled  chan struct{}
	// empty is closed and made anew when all has been written.
	empty chan struct{}
}

// newQueue starts a queue; its goroutine ends after end or close.
func newQueue(write func(lines []byte, dropped int), ended func()) *queue {
	q := &queue{write: write, ended: ended, filled: make(chan struct{}, 1), empty: make(chan struct{})}
	go q.run()
	return q
}

// Write takes one line. It never fails.
func (q *queue) Write(line []byte) (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return len(line), nil
	}
	if len(q.waiting)+len(line) > queueBytes {
		q.dropped++
	} else {
		q.waiting = append(q.waiting, line...)
	}
	q.wake()
	return len(line), nil
}

func (q *queue) wake() {
	select {
	case q.filled <- struct{}{}:
	default:
	}
}

func (q *queue) run() {
	if q.ended != nil {
		defer q.ended()
	}
	for range q.filled {
		for {
			lines, dropped := q.take()
			if len(lines) == 0 && dropped == 0 {
				break
			}
			q.write(lines, dropped)
		}
		if q.rest() {
			return
		}
	}
}

// take takes all lines, and the number of those that were dropped since the last
// time.
func (q *queue) take() (lines []byte, dropped int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	lines, q.waiting = q.waiting, nil
	dropped, q.dropped = q.dropped, 0
	q.writing = len(lines) > 0 || dropped > 0
	return lines, dropped
}

// rest tells those who wait for it that all is written, and returns whether the
// queue is closed.
func (q *queue) rest() (closed bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) > 0 || q.dropped > 0 {
		q.wake()
		return false
	}
	close(q.empty)
	q.empty = make(chan struct{})
	return q.closed
}

// flush waits until all that was taken is written.
func (q *queue) flush(ctx context.Context) error {
	q.mu.Lock()
	if len(q.waiting) == 0 && q.dropped == 0 && !q.writing {
		q.mu.Unlock()
		return nil
	}
	empty := q.empty
	q.mu.Unlock()
	select {
	case <-empty:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("write the log: %w", ctx.Err())
	}
}

// end takes no more lines. The goroutine ends when all others are written.
func (q *queue) end() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.wake()
}

// close takes no more lines, and waits until all others are written.
func (q *queue) close(ctx context.Context) error {
	q.end()
	return q.flush(ctx)
}
