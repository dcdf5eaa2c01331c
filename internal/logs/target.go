package logs

import "time"

// A Target is a log file and how it is rotated. Targets can be compared.
type Target struct {
	// Path of the file; a relative one is taken from the working directory.
	// Its directory is made if it is missing. What is not a regular file (a
	// device, a named pipe, a symbolic link) is written, but never rotated.
	Path string
	// MaxSize in megabytes, before the file is rotated; 0 means no limit.
	MaxSize int
	// MaxKept is the number of rotated files kept; 0 keeps all.
	MaxKept int
	// MaxAge in days, after which the file is rotated and rotated ones are
	// removed; 0 means no limit.
	MaxAge int
	// Journal says that lines go to systemd's journal as well, but those of an
	// access log. It is no matter of the file, which others may share: each
	// source has its own.
	Journal bool
}

// sameLimits reports whether both are rotated in the same way.
func (t Target) sameLimits(o Target) bool {
	return t.MaxSize == o.MaxSize && t.MaxKept == o.MaxKept && t.MaxAge == o.MaxAge
}

// maxBytes is MaxSize in bytes.
func (t Target) maxBytes() int64 { return int64(t.MaxSize) << 20 }

// maxAge is MaxAge as a duration.
func (t Target) maxAge() time.Duration { return time.Duration(t.MaxAge) * 24 * time.Hour }

// The streams of a Source and of a Line.
const (
	StreamStdout = "stdout"
	StreamStderr = "stderr"
	// StreamAccess is an access log: it goes to its file only, and is no part
	// of what an app has said.
	StreamAccess = "access"
	// StreamNotice marks a Line that no app wrote: it tells a follower how
	// many lines it has missed.
	StreamNotice = "notice"
)

// A Source says who writes into a pipe.
type Source struct {
	App      string
	Instance uint64
	// Stream is StreamStdout, StreamStderr or StreamAccess.
	Stream string
}

// A Line is a line of output without its line feed, otherwise as it was
// written: it may hold any bytes. A very long one is cut, with a mark.
type Line struct {
	// Time is when the line was read from the pipe, or zero if it was found in
	// a file.
	Time time.Time
	// Instance wrote it; 0 if it was found in a file.
	Instance uint64
	// Stream it came from; empty if it was found in a file that several
	// streams share.
	Stream string
	Text   string
}
