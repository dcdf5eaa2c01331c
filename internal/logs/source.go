package logs

import (
	"bytes"
	"errors"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// chunkSize is how much is read at once: what a pipe holds (pipe(7)).
	chunkSize = 64 << 10
	// holdTime is how long the beginning of a line waits for its end, so that
	// sources that share a file are interleaved at line ends.
	holdTime = 200 * time.Millisecond
	// firstRelook is the first of the times that double.
	firstRelook = time.Millisecond
)

// chunks are read buffers. A source has one only while there is something to
// read: many sources are idle most of the time.
var chunks = sync.Pool{New: func() any { return new([chunkSize]byte) }}

// A source reads a pipe in a goroutine of its own and passes on what comes.
type source struct {
	Source
	store  *Store
	writer *writer
	// buffer is nil for what is no part of an app's output.
	buffer *buffer
	// journal is nil unless lines go there as well. It belongs to the
	// goroutine that reads.
	journal *journalOutput
	// begun is the line whose end has not come yet; buffer.mu guards it.
	begun unfinished

	file *os.File
	raw  syscall.RawConn
	// hold is holdTime, but in tests.
	hold time.Duration

	// What follows belongs to the goroutine that reads.

	// consuming: what it reads is no pipe, so that reading takes it away.
	consuming bool
	// chunk holds filled bytes that are not written yet: the beginning of a
	// line, which is still in the pipe. While there is nothing to read they are
	// in carry instead.
	chunk  *[chunkSize]byte
	filled int
	carry  []byte
	// relook is how long it is waited before the pipe is looked at again in which
	// the beginning of a line is left: who fills a pipe that is not empty and
	// then waits for room does not wake its reader (pipe_write of Linux).
	relook time.Duration
	// holdUntil is when they are written though the line has not ended.
	holdUntil time.Time
	// try is the method value of tryRead, made once. Its result is read, err.
	try  func(fd uintptr) bool
	read int
	err  error

	// mu guards what follows, and the deadline of file.
	mu       sync.Mutex
	detached bool
	// waiting are to be closed when all that was in the pipe has been written.
	waiting []chan struct{}

	done chan struct{}
}

// run reads until end of file or until the source is detached.
func (s *source) run() {
	s.begin()
	for s.step() {
	}
	s.writeCarry()
	s.releaseChunk()
	if s.buffer != nil {
		s.buffer.leave(s, s.store.clock())
	}
	if s.journal != nil {
		s.journal.end()
	}
	s.file.Close() // it was only read from
	s.store.ended(s)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.detached = true
	for _, w := range s.waiting {
		close(w)
	}
	s.waiting = nil
	close(s.done)
}

// begin opens the file, so that what is wrong with it is told at once.
func (s *source) begin() {
	s.writer.mu.Lock()
	defer s.writer.mu.Unlock()
	s.writer.prepare()
	if s.buffer != nil {
		s.buffer.join(s, s.writer.file.end())
	}
}

// step waits for something to do and does it. It returns false at the end.
func (s *source) step() bool {
	err := s.raw.Read(s.try)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return s.interrupted()
	}
	if err == nil {
		err = s.err
	}
	if err != nil {
		s.store.log.Warn("reading output failed",
			"app", s.App, "instance", s.Instance, "stream", s.Stream, "error", err)
		return false
	}
	if s.read == 0 {
		return false
	}
	s.got(s.read)
	return true
}

// tryRead is called by the poller's Read, first at once and then whenever the
// pipe has become readable. It returns false if there was nothing to read.
// Only a read that finds nothing may be followed by waiting, because entering
// Read forgets what the poller was told before.
func (s *source) tryRead(fd uintptr) bool {
	s.takeChunk()
	s.look(fd)
	if s.err == unix.EAGAIN {
		s.park()
		return false
	}
	return true
}

// look copies what has come into the chunk. s.read says how much that is, s.err
// is EAGAIN if there is nothing; without it nothing is the end of file.
func (s *source) look(fd uintptr) {
	if s.consuming {
		s.read, s.err = readOnce(fd, s.chunk[s.filled:])
		return
	}
	n, err := peek(fd, s.chunk[:])
	if err == nil && n > 0 && n == s.filled { // no more than before
		gone := hungUp(fd)
		if !gone && s.relook == 0 {
			letWrite()
		}
		n, err = peek(fd, s.chunk[:]) // it may have come just before that
		if err == nil && n == s.filled && !gone {
			err = unix.EAGAIN
		}
	}
	if err == unix.EINVAL {
		s.consuming = true
		s.look(fd)
		return
	}
	s.read, s.err = max(n-s.filled, 0), err
}

// written takes n bytes out of the pipe, now that they are in the file.
func (s *source) written(n int) {
	if s.consuming {
		return
	}
	var inner error
	err := s.raw.Control(func(fd uintptr) { inner = discard(fd, n) })
	if err := errors.Join(err, inner); err != nil {
		s.store.log.Error("output may be written twice",
			"app", s.App, "instance", s.Instance, "stream", s.Stream, "error", err)
	}
}

func readOnce(fd uintptr, p []byte) (int, error) {
	for {
		n, err := unix.Read(int(fd), p)
		if err != unix.EINTR {
			return max(n, 0), err
		}
	}
}

// park prepares for waiting: without a chunk, and no longer than the beginning
// of a line is held.
func (s *source) park() {
	if s.filled > 0 {
		s.carry = bytes.Clone(s.chunk[:s.filled])
	}
	s.releaseChunk()
	if len(s.carry) == 0 {
		return
	}
	at := s.holdUntil
	if !s.consuming {
		s.relook = max(2*s.relook, firstRelook)
		if soon := time.Now().Add(s.relook); soon.Before(at) {
			at = soon
		}
	}
	s.setDeadline(at)
}

// setDeadline sets when waiting is interrupted, unless it is to be at once.
func (s *source) setDeadline(t time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.detached && len(s.waiting) == 0 {
		s.file.SetReadDeadline(t) // fails for what never makes us wait
	}
}

func (s *source) takeChunk() {
	if s.chunk != nil {
		return
	}
	s.chunk = chunks.Get().(*[chunkSize]byte)
	s.filled = copy(s.chunk[:], s.carry)
	s.carry = nil
}

func (s *source) releaseChunk() {
	if s.chunk != nil {
		chunks.Put(s.chunk)
	}
	s.chunk, s.filled = nil, 0
}

// got passes on the lines that n more bytes in the chunk complete, and keeps the
// beginning of the next one.
func (s *source) got(n int) {
	fresh := s.filled
	s.filled += n
	s.relook = 0
	whole := fresh + bytes.LastIndexByte(s.chunk[fresh:s.filled], '\n') + 1
	if whole == fresh {
		whole = 0 // no line end has come
	}
	if whole == 0 && s.filled == chunkSize {
		whole = chunkSize
	}
	if whole > 0 {
		s.deliver(s.chunk[:whole])
		s.written(whole)
		s.filled = copy(s.chunk[:], s.chunk[whole:s.filled])
		s.holdUntil = time.Time{}
	}
	if s.filled > 0 && s.holdUntil.IsZero() {
		s.holdUntil = time.Now().Add(s.hold)
	}
}

// deliver passes p on to all that want it.
func (s *source) deliver(p []byte) {
	s.record(p)
	if s.journal != nil {
		s.journal.push(p)
	}
}

// record writes p, however long that takes, and remembers its lines.
func (s *source) record(p []byte) {
	s.writer.mu.Lock()
	defer s.writer.mu.Unlock()
	at := s.writer.write(p)
	if s.buffer != nil {
		s.buffer.push(s, p, at, s.store.clock())
	}
}

// writeCarry writes the beginning of a line that is held.
func (s *source) writeCarry() {
	s.takeChunk()
	if s.filled > 0 {
		s.deliver(s.chunk[:s.filled])
		s.written(s.filled)
	}
	s.filled, s.holdUntil = 0, time.Time{}
}
