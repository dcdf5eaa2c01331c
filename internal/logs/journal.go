package logs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

const (
	// journalSocket is where journald takes entries
	// (systemd-journald.service(8)).
	journalSocket = "/run/systemd/journal/socket"
	// journalPatience is how long journald may take nothing before it counts as
	// not being there.
	journalPatience = 5 * time.Second
	// journalPause is how long nothing is sent after it was not there.
	journalPause = time.Second
)

// errJournalAway is what sending says in the pause.
var errJournalAway = errors.New("the journal was not there a moment ago")

// A journal is the way to systemd's journal, in its native protocol
// (https://systemd.io/JOURNAL_NATIVE_PROTOCOL/). It is connected when it is
// first used, and anew when journald has made its socket anew.
//
// The sending is not left to go-systemd: its journal.Send waits for a journald
// that is busy without bound, so that its callers would pile up if it hangs.
type journal struct {
	path string
	log  *slog.Logger
	// patience and pause are those above, but in tests.
	patience, pause time.Duration

	// sending is held while an entry is sent, and journald waited for.
	sending sync.Mutex

	mu   sync.Mutex
	conn *net.UnixConn
	// failing means that journald was not there, and that it was told; nothing
	// is tried before retryAt.
	failing bool
	retryAt time.Time
	closed  bool
	feeds   map[*feed]struct{}
}

// newJournal returns a journal that tells its failures to log.
func newJournal(path string, log *slog.Logger) *journal {
	return &journal{
		path: path, log: log, patience: journalPatience, pause: journalPause,
		feeds: make(map[*feed]struct{}),
	}
}

// send sends one entry. It waits, but not without bound, while journald has too
// much to do; close interrupts that.
func (j *journal) send(entry []byte) error {
	j.sending.Lock()
	defer j.sending.Unlock()
	var stale *net.UnixConn
	for {
		conn, err := j.connection(stale)
		if err != nil {
			return err
		}
		if err = conn.SetWriteDeadline(time.Now().Add(j.patience)); err == nil {
			_, err = conn.Write(entry)
		}
		switch {
		case err == nil, errors.Is(err, syscall.EMSGSIZE), errors.Is(err, syscall.ENOBUFS):
			j.works()
			return err
		case stale != nil, errors.Is(err, os.ErrDeadlineExceeded):
			return j.fail(err)
		}
		stale = conn // once: journald may have a new socket
	}
}

// connection returns the connection, a new one if there is none or only one that
// is stale.
func (j *journal) connection(stale *net.UnixConn) (*net.UnixConn, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	switch {
	case j.closed:
		return nil, errClosed
	case j.failing && time.Now().Before(j.retryAt):
		return nil, errJournalAway
	case j.conn != nil && j.conn != stale:
		return j.conn, nil
	case j.conn != nil:
		j.conn.Close() // whatever it says, it does not lead anywhere
		j.conn = nil
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: j.path, Net: "unixgram"})
	if err != nil {
		return nil, j.failed(err)
	}
	j.conn = conn
	return conn, nil
}

// works takes note that journald is there.
func (j *journal) works() {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.failing {
		j.failing = false
		j.log.Warn("sending to the journal works again")
	}
}

func (j *journal) fail(err error) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.failed(err)
}

// failed tells the first failure. j.mu is held.
func (j *journal) failed(err error) error {
	if j.closed {
		return errClosed
	}
	if !j.failing {
		j.log.Error("sending to the journal failed, lines will be missing there", "error", err)
	}
	j.failing, j.retryAt = true, time.Now().Add(j.pause)
	return fmt.Errorf("send to the journal: %w", err)
}

// close ends all feeds, waits until ctx ends for what they have not sent yet, and
// closes the connection; what is not sent then is lost.
func (j *journal) close(ctx context.Context) {
	j.mu.Lock()
	feeds := make([]*feed, 0, len(j.feeds))
	for f := range j.feeds {
		feeds = append(feeds, f)
	}
	j.mu.Unlock()
	for _, f := range feeds {
		_ = f.queue.close(ctx) // each of them tells what it has lost
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.closed = true
	if j.conn != nil {
		j.conn.Close() // it was only written to
		j.conn = nil
	}
}
