package logs

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// mostLines is the longest history that Output returns.
const mostLines = 10_000

// takenAtOnce is how many lines a follower takes out of a buffer at a time.
const takenAtOnce = 256

// A follower reads on in a buffer. The buffer's lock guards it.
type follower struct {
	// next is the number of the line that it gets next.
	next uint64
}

// Output returns the last n lines of an app, oldest first, at most 10,000. Lines
// that are not in memory any more come from the app's current log files, with no
// time and no instance, and file by file, as their order among each other is not
// known; of a file that several apps share they may be another app's.
//
// With follow it also returns a channel of the lines that come after those, none
// twice and none left out: it is closed when ctx ends, the app is forgotten or
// the Store is closed. A reader of it who is too slow gets a line with
// StreamNotice in place of those that he missed. Nobody waits for him.
//
// An app of which nothing is known has no lines, and can be followed.
func (s *Store) Output(ctx context.Context, app string, n int, follow bool) ([]Line, <-chan Line, error) {
	b, err := s.bufferToRead(app, follow)
	if b == nil || err != nil {
		return nil, nil, err
	}
	n = max(0, min(n, mostLines))
	lines, files, f := b.snapshot(n, follow)
	if missing := n - len(lines); missing > 0 {
		lines = append(olderLines(ctx, files, missing), lines...)
	}
	if err := ctx.Err(); err != nil {
		s.unfollow(app, b, f)
		return nil, nil, fmt.Errorf("read output of %q: %w", app, err)
	}
	if !follow {
		return lines, nil, nil
	}
	out := make(chan Line, takenAtOnce)
	go func() { // ends with ctx, or by Forget or Close
		defer close(out)
		defer s.unfollow(app, b, f)
		b.feed(ctx, f, out)
	}()
	return lines, out, nil
}

// bufferToRead returns the buffer of an app, or nil if there is none and none is
// needed.
func (s *Store) bufferToRead(app string, follow bool) (*buffer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !follow {
		return s.buffers[app], nil
	}
	if s.closed {
		return nil, errClosed
	}
	return s.bufferOf(app), nil
}

// unfollow ends a follower, and forgets the buffer that was made for it only.
func (s *Store) unfollow(app string, b *buffer, f *follower) {
	if f == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if b.unfollow(f) && s.buffers[app] == b {
		delete(s.buffers, app)
	}
}

// snapshot returns the last n lines that are remembered, and the files that hold
// older ones. With follow it returns a follower that goes on after them.
func (b *buffer) snapshot(n int, follow bool) ([]Line, []olderFile, *follower) {
	b.mu.Lock()
	defer b.mu.Unlock()
	last := b.ring.last(n)
	lines := make([]Line, 0, len(last))
	for _, e := range last {
		lines = append(lines, e.line())
	}
	var files []olderFile
	for path, f := range b.files {
		if f.mark.file != nil {
			files = append(files, olderFile{path, f.stream, f.mark})
		}
	}
	slices.SortFunc(files, func(a, b olderFile) int { return strings.Compare(a.path, b.path) })
	if !follow {
		return lines, files, nil
	}
	f := &follower{next: b.ring.next()}
	b.followers[f] = struct{}{}
	return lines, files, f
}

// feed sends lines to a follower until ctx ends or nothing will come any more.
func (b *buffer) feed(ctx context.Context, f *follower, out chan<- Line) {
	for {
		lines, changed := b.take(f)
		for _, l := range lines {
			select {
			case out <- l:
			case <-ctx.Done():
				return
			}
		}
		if len(lines) > 0 {
			continue
		}
		if changed == nil {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

// take returns the next lines for a follower. If there are none, changed is
// closed when some have come; it is nil if none will.
func (b *buffer) take(f *follower) (lines []Line, changed <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if f.next < b.ring.first {
		text := fmt.Sprintf("%d lines skipped: they came faster than they were read", b.ring.first-f.next)
		lines = append(lines, Line{Time: time.Now(), Stream: StreamNotice, Text: text})
		f.next = b.ring.first
	}
	fresh := b.ring.entries[f.next-b.ring.first:]
	for _, e := range fresh[:min(len(fresh), takenAtOnce)] {
		lines = append(lines, e.line())
		f.next++
	}
	b.trim()
	if b.closed {
		return lines, nil
	}
	return lines, b.changed
}

// unfollow ends a follower. It returns whether the buffer is of no use any more.
func (b *buffer) unfollow(f *follower) (useless bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.followers, f)
	b.trim()
	return len(b.followers) == 0 && len(b.sources) == 0 && len(b.files) == 0
}
