package logs

import (
	"bytes"
	"math"
	"sync"
	"time"
)

// keptInstances is how many instances of an app have a ring of their own, those
// that still write not counted.
const keptInstances = 8

// A buffer remembers the last lines of an app, of all instances and both
// streams, and hands them to followers.
type buffer struct {
	mu        sync.Mutex
	ring      ring
	instances map[uint64]*ring
	// sources are those that still read.
	sources map[*source]struct{}
	// files are what the app writes to, by path.
	files     map[string]*appFile
	followers map[*follower]struct{}
	// changed is closed and made anew when lines have come.
	changed chan struct{}
	// forgotten means that the app has been removed; the buffer goes with its
	// last source.
	forgotten bool
	// closed means that nothing will come any more.
	closed bool
}

// An appFile is a file that an app writes to.
type appFile struct {
	// stream is empty if several streams go there.
	stream string
	// mark is the end of what is in the file and not in the ring: where the
	// ring's oldest line begins.
	mark position
}

func newBuffer() *buffer {
	return &buffer{
		instances: make(map[uint64]*ring),
		sources:   make(map[*source]struct{}),
		files:     make(map[string]*appFile),
		followers: make(map[*follower]struct{}),
		changed:   make(chan struct{}),
	}
}

// join takes note of a source that is about to read, and of where in its file
// it begins.
func (b *buffer) join(s *source, at position) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f := b.files[s.writer.path]
	if f == nil {
		b.files[s.writer.path] = &appFile{stream: s.Stream, mark: at}
		return
	}
	if f.stream != s.Stream {
		f.stream = ""
	}
}

// push adds what a source has written at a position of its file. The lock of
// the source's writer is held, so that the order is that of the file.
func (b *buffer) push(s *source, p []byte, at position, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if f := b.files[s.writer.path]; f != nil && f.mark.file == nil {
		f.mark = at // the file could not be opened before
	}
	whole := bytes.LastIndexByte(p, '\n') + 1
	if whole > 0 {
		b.addLines(s, p[:whole], at, now.UnixNano())
		b.trim()
		b.announce()
	}
	if rest := p[whole:]; len(rest) > 0 {
		s.begun.add(rest)
	}
}

// addLines adds whole lines that begin at a position of their file.
func (b *buffer) addLines(s *source, p []byte, at position, now int64) {
	own := b.instanceRing(s.Instance)
	begun := s.begun.length > 0
	if !begun {
		p, at = b.skip(s, p, at)
	}
	for len(p) > 0 {
		n := bytes.IndexByte(p, '\n')
		at = at.plus(n + 1)
		e := entry{text: s.begun.finish(p[:n]), at: now, from: s, end: at}
		b.ring.add(e)
		own.add(e)
		p = p[n+1:]
		if begun {
			begun = false
			p, at = b.skip(s, p, at)
		}
	}
	for own.exceeds(instanceBounds) {
		own.pop()
	}
}

// skip passes over lines that would push each other out of the ring at once, so
// that an app that writes very much costs little. It returns what is left, and
// where that begins.
func (b *buffer) skip(s *source, p []byte, at position) ([]byte, position) {
	limits := appBounds
	if len(b.followers) > 0 {
		limits = followedBounds
	}
	begin := len(p)
	for kept := 0; begin > 0 && kept < limits.lines && len(p)-begin < limits.bytes; kept++ {
		begin = bytes.LastIndexByte(p[:begin-1], '\n') + 1
	}
	if begin == 0 {
		return p, at
	}
	for len(b.ring.entries) > 0 {
		b.evict()
	}
	b.ring.first += uint64(bytes.Count(p[:begin], []byte{'\n'}))
	at = at.plus(begin)
	if at.file != nil {
		b.files[s.writer.path].mark = at
	}
	return p[begin:], at
}

// instanceRing returns the ring of an instance. If there are too many it throws
// the oldest away that nothing writes to.
func (b *buffer) instanceRing(instance uint64) *ring {
	if r := b.instances[instance]; r != nil {
		return r
	}
	r := &ring{}
	b.instances[instance] = r
	writing := make(map[uint64]bool)
	for s := range b.sources {
		writing[s.Instance] = true
	}
	silent, oldest := 0, uint64(math.MaxUint64)
	for i := range b.instances {
		if !writing[i] {
			silent++
			oldest = min(oldest, i)
		}
	}
	if silent > keptInstances {
		delete(b.instances, oldest)
	}
	return r
}

// trim brings the ring into its bounds. Lines that a follower has not got yet
// stay longer.
func (b *buffer) trim() {
	unread := uint64(math.MaxUint64)
	for f := range b.followers {
		unread = min(unread, f.next)
	}
	for b.ring.exceeds(followedBounds) || b.ring.exceeds(appBounds) && b.ring.first < unread {
		b.evict()
	}
}

// evict forgets the oldest line, which is in its file only from now on.
func (b *buffer) evict() {
	e := b.ring.pop()
	if e.end.file != nil {
		b.files[e.from.writer.path].mark = e.end
	}
}

// announce wakes the followers.
func (b *buffer) announce() {
	if len(b.followers) == 0 {
		return
	}
	close(b.changed)
	b.changed = make(chan struct{})
}

// admit takes note of a new source, which will join. The app is not forgotten
// then.
func (b *buffer) admit(s *source) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sources[s] = struct{}{}
	b.forgotten = false
}

// leave takes note that a source has ended. A line that it has begun is one.
func (b *buffer) leave(s *source, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if s.begun.length > 0 {
		e := entry{text: s.begun.finish(nil), at: now.UnixNano(), from: s}
		b.ring.add(e)
		own := b.instanceRing(s.Instance)
		own.add(e)
		b.trim()
		b.announce()
	}
	delete(b.sources, s)
	if b.forgotten && len(b.sources) == 0 {
		b.shut()
	}
}

// forget gives the buffer up when the last source has ended. It returns whether
// that is so already.
func (b *buffer) forget() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.forgotten = true
	if len(b.sources) == 0 {
		b.shut()
	}
	return b.closed
}

// end ends the followers, whatever still reads.
func (b *buffer) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.shut()
}

// shut ends the followers once they have got what is there. b.mu is held.
func (b *buffer) shut() {
	b.closed = true
	close(b.changed)
	b.changed = make(chan struct{})
}

func (b *buffer) isClosed() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.closed
}

// lastLines returns the last n lines of an instance, with those that it has
// begun and not ended.
func (b *buffer) lastLines(instance uint64, n int) []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var lines []string
	if r := b.instances[instance]; r != nil {
		for _, e := range r.last(n) {
			lines = append(lines, e.text)
		}
	}
	for s := range b.sources {
		if s.Instance == instance && s.begun.length > 0 {
			lines = append(lines, s.begun.String())
		}
	}
	return lines[max(0, len(lines)-n):]
}
