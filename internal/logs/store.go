package logs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// maintainEvery is how often the age of files is looked at when nothing is
	// written.
	maintainEvery = time.Hour
	// closeGrace is how long Close lets detached sources write what they have
	// read.
	closeGrace = time.Second
)

// errClosed is what a Store says after Close.
var errClosed = errors.New("log store is closed")

// A Store owns the log files of all apps and what is remembered of them. Its
// methods may be called from any goroutine.
type Store struct {
	log *slog.Logger
	// clock and hold are time.Now and holdTime, but in tests.
	clock func() time.Time
	hold  time.Duration
	// journal is connected when the first source is to go there.
	journal *journal

	mu      sync.Mutex
	writers map[string]*share
	buffers map[string]*buffer
	sources map[*source]struct{}
	// maintained is nil until there is a file to look after; closing it ends
	// the goroutine that does.
	maintained chan struct{}
	closed     bool
	// idle is closed when the Store is closed and the last source has ended.
	idle chan struct{}
}

// A share is a writer with those who use it.
type share struct {
	writer *writer
	// apps counts the sources of each app.
	apps map[string]int
	// owner is the app whose limits count.
	owner string
	// told are the apps whose limits did not count, which was told.
	told map[string]bool
}

// NewStore returns an empty Store that tells what goes wrong to log.
func NewStore(log *slog.Logger) *Store {
	return &Store{
		log:     log,
		clock:   time.Now,
		hold:    holdTime,
		journal: newJournal(journalSocket, log),
		writers: make(map[string]*share),
		buffers: make(map[string]*buffer),
		sources: make(map[*source]struct{}),
		idle:    make(chan struct{}),
	}
}

// An Attachment is a pipe that is being read.
type Attachment struct{ source *source }

// Done is closed when the pipe is read no more, all that was read is in its
// file, and the file is closed unless others use it.
func (a *Attachment) Done() <-chan struct{} { return a.source.done }

// Detach ends the reading before end of file: what is in the pipe now is still
// written, then the pipe is closed. It returns at once; Done tells when it has
// happened. Processes that still hold the other end get SIGPIPE or EPIPE when
// they write (pipe(7)), unless the caller kept a duplicate of the read end: then
// what they write stays in the pipe for whoever reads on.
func (a *Attachment) Detach() { a.source.detach() }

// Attach reads r until end of file and writes what comes to the file that t
// names. It returns at once, and r belongs to the Store from then on: whoever
// wants to keep the pipe makes a duplicate first (fcntl(2) F_DUPFD_CLOEXEC in
// SyscallConn().Control; os.File.Fd would make the pipe blocking for all).
//
// Files are shared by path, as it is written (links are not looked at). If two apps want different limits for one, those of
// the first count, which is told once; if the same app comes with others, its
// configuration has changed, and they count from then on.
//
// A file that cannot be written is told in the log, and is no reason not to read.
func (s *Store) Attach(src Source, r *os.File, t Target) *Attachment {
	if path, err := filepath.Abs(t.Path); err == nil {
		t.Path = path
	}
	a := &source{Source: src, store: s, hold: s.hold, done: make(chan struct{})}
	a.try = a.tryRead
	file, raw, err := pollable(r)
	if err != nil {
		s.log.Error("reading output is not possible",
			"app", src.App, "instance", src.Instance, "stream", src.Stream, "error", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil || s.closed {
		r.Close() // it was only read from
		a.detached = true
		close(a.done)
		return &Attachment{a}
	}
	a.file, a.raw = file, raw
	a.writer = s.take(src.App, t)
	if src.Stream != StreamAccess {
		a.buffer = s.bufferOf(src.App)
		a.buffer.admit(a)
		if t.Journal {
			a.journal = s.journal.openOutput(src, s.log)
		}
	}
	s.sources[a] = struct{}{}
	s.startMaintaining()
	go a.run() // ends at end of file, or by detach
	return &Attachment{a}
}

// pollable makes sure that a file is read without blocking, by the runtime's
// poller. A pipe that went through an exec comes as a file that is not in it.
func pollable(r *os.File) (*os.File, syscall.RawConn, error) {
	conn, err := r.SyscallConn()
	if err != nil {
		return nil, nil, fmt.Errorf("use pipe: %w", err)
	}
	polled := r.SetReadDeadline(time.Time{}) == nil
	dup := -1
	var failed error
	err = conn.Control(func(fd uintptr) {
		if failed = unix.SetNonblock(int(fd), true); failed == nil && !polled {
			dup, failed = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0)
		}
	})
	if err = errors.Join(err, failed); err != nil {
		return nil, nil, fmt.Errorf("prepare pipe: %w", err)
	}
	if polled {
		return r, conn, nil
	}
	file := os.NewFile(uintptr(dup), r.Name())
	r.Close() // the duplicate stays
	conn, err = file.SyscallConn()
	return file, conn, err
}

// take returns the writer of a path for one more source of an app. s.mu is held.
func (s *Store) take(app string, t Target) *writer {
	sh := s.writers[t.Path]
	if sh == nil {
		sh = &share{writer: newWriter(t, s.clock, s.log), apps: make(map[string]int), owner: app}
		s.writers[t.Path] = sh
	}
	switch {
	case sh.writer.limits.Load().sameLimits(t):
	case sh.apps[sh.owner] == 0 || sh.owner == app:
		sh.owner = app
		sh.writer.limits.Store(&t)
	case !sh.told[app]:
		if sh.told == nil {
			sh.told = make(map[string]bool)
		}
		sh.told[app] = true
		s.log.Warn("log file is shared with different limits, those of the other app count",
			"file", t.Path, "app", app, "other", sh.owner)
	}
	sh.apps[app]++
	return sh.writer
}

// give takes a writer back from one source. It returns whether that was the
// last one. s.mu is held.
func (s *Store) give(app string, w *writer) (last bool) {
	sh := s.writers[w.path]
	if sh.apps[app]--; sh.apps[app] == 0 {
		delete(sh.apps, app)
	}
	if len(sh.apps) > 0 {
		return false
	}
	delete(s.writers, w.path)
	return true
}

// ended takes note that a source will read and write no more.
func (s *Store) ended(a *source) {
	s.mu.Lock()
	last := s.give(a.App, a.writer)
	delete(s.sources, a)
	if b := a.buffer; b != nil && b.isClosed() && s.buffers[a.App] == b {
		delete(s.buffers, a.App)
	}
	idle := s.closed && len(s.sources) == 0
	s.mu.Unlock()
	if last {
		a.writer.close()
	}
	if idle {
		close(s.idle)
	}
}

// bufferOf returns the buffer of an app. s.mu is held.
func (s *Store) bufferOf(app string) *buffer {
	b := s.buffers[app]
	if b == nil || b.isClosed() {
		b = newBuffer()
		s.buffers[app] = b
	}
	return b
}

// LastLines returns the last n lines of an instance, oldest first, with those
// that it has begun and not ended. It does not wait: what the instance has
// written a moment ago may not have been read yet; Settle waits for that.
func (s *Store) LastLines(app string, instance uint64, n int) []string {
	s.mu.Lock()
	b := s.buffers[app]
	s.mu.Unlock()
	if b == nil || n <= 0 {
		return nil
	}
	return b.lastLines(instance, n)
}

// Settle waits until all that an instance has written before the call has been
// read, so that LastLines holds its last words. It fails when ctx ends first,
// which happens when the disk is slow.
func (s *Store) Settle(ctx context.Context, app string, instance uint64) error {
	for _, a := range s.sourcesOf(func(a *source) bool { return a.App == app && a.Instance == instance }) {
		if err := a.settle(ctx); err != nil {
			return fmt.Errorf("wait for output of %s/%d: %w", app, instance, err)
		}
	}
	return nil
}

// sourcesOf returns the sources that are meant.
func (s *Store) sourcesOf(meant func(*source) bool) []*source {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []*source
	for a := range s.sources {
		if meant(a) {
			found = append(found, a)
		}
	}
	return found
}

// Reopen closes all files and opens their paths anew: somebody has moved the
// files away. It waits for the disk.
func (s *Store) Reopen() {
	for _, w := range s.allWriters() {
		w.reopen()
	}
}

func (s *Store) allWriters() []*writer {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*writer, 0, len(s.writers))
	for _, sh := range s.writers {
		all = append(all, sh.writer)
	}
	return all
}

// Forget gives up what is remembered of an app that was removed, and ends its
// followers: at once, or when its last source has ended. An app that is attached
// again before that is not forgotten.
func (s *Store) Forget(app string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if b := s.buffers[app]; b != nil && b.forget() {
		delete(s.buffers, app)
	}
}
