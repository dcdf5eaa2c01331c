package logs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	systemd "github.com/coreos/go-systemd/v22/journal"
	"golang.org/x/term"
)

// A DaemonLog is the daemon's own log: a file, rotated like those of the apps,
// and, in the foreground, standard error.
type DaemonLog struct {
	// writer is another one once the log has moved, see MoveDaemonLog, during
	// which moving is held.
	writer atomic.Pointer[writer]
	moving sync.Mutex
	queues []*queue
	// journal is nil unless the log goes there.
	journal *journal
}

// NewDaemonLog opens the daemon's log and returns a logger for it. Lines go to
// the file as slog writes text, and to foreground, unless that is nil, in a
// shorter form; with colours if it is a terminal and NO_COLOR is not set. If
// foreground is standard error and leads to systemd's journal, they go there as
// entries with fields instead (journal_handler.go), as far as it can be reached.
//
// A line that is logged waits for nobody: it is written a moment later. If
// writing cannot keep up lines are dropped, and their number is logged. If the
// file cannot be written, that is told once, in foreground or else on standard
// error, and everything else works.
//
// The goroutines that write, one for each of the two, end with Close.
func NewDaemonLog(t Target, foreground io.Writer, level slog.Leveler) (*slog.Logger, *DaemonLog) {
	j, err := journalBehind(foreground, journalSocket)
	log, d := newDaemonLog(t, foreground, level, j)
	if err != nil {
		log.Warn("log lines have no fields in the journal", "error", err)
	}
	return log, d
}

func newDaemonLog(t Target, foreground io.Writer, level slog.Leveler, j *journal) (*slog.Logger, *DaemonLog) {
	if path, err := filepath.Abs(t.Path); err == nil {
		t.Path = path
	}
	d := &DaemonLog{journal: j}
	var screen slog.Handler
	switch {
	case j != nil:
		screen = newJournalHandler(level, d.feed())
	case foreground != nil:
		screen = newCompactHandler(d.queue(func(p []byte) {
			_, _ = foreground.Write(p) // there is nowhere left to tell it
		}), level, isColorful(foreground))
	default:
		screen = newCompactHandler(os.Stderr, level, isColorful(os.Stderr))
	}
	w := newWriter(t, time.Now, slog.New(screen))
	w.mu.Lock()
	w.prepare() // here, so that what is wrong is told before anything else
	w.mu.Unlock()
	d.writer.Store(w)
	handlers := []slog.Handler{slog.NewTextHandler(d.queue(d.append), &slog.HandlerOptions{Level: level})}
	if foreground != nil {
		handlers = append(handlers, screen)
	}
	return slog.New(slog.NewMultiHandler(handlers...)), d
}

// queue starts a queue of lines of text. Where some were dropped, a line says so.
func (d *DaemonLog) queue(write func([]byte)) *queue {
	q := newQueue(func(lines []byte, dropped int) {
		if dropped > 0 {
			lines = fmt.Appendf(lines, "time=%s level=WARN msg=%q lines=%d\n", time.Now().Format(timeFormat), linesDropped, dropped)
		}
		write(lines)
	}, nil)
	d.queues = append(d.queues, q)
	return q
}

const linesDropped = "log lines dropped, writing was too slow"

// feed starts the way to the journal, and returns what takes entries.
func (d *DaemonLog) feed() (add func(entry []byte)) {
	f := d.journal.newFeed(
		func(missing int) []byte {
			entry := beginDaemonEntry(systemd.PriWarning)
			return appendField(entry, fieldMessage, fmt.Sprintf("%s  lines=%d", linesDropped, missing))
		},
		func(int) {}, // all lines are in the file
	)
	d.queues = append(d.queues, f.queue)
	return f.add
}

func (d *DaemonLog) append(p []byte) {
	for {
		w := d.writer.Load()
		w.mu.Lock()
		retired := w.retired
		if !retired {
			w.write(p)
		}
		w.mu.Unlock()
		if !retired {
			return
		}
	}
}

// Reopen opens the log's path anew, where somebody may have moved the file away.
// It waits for the disk. If the log has been handed to a Store, that one's
// Reopen does it.
func (d *DaemonLog) Reopen() { d.writer.Load().reopen() }

// Flush waits until all that was logged has been written, or ctx ends.
func (d *DaemonLog) Flush(ctx context.Context) error {
	var failed error
	for _, q := range d.queues {
		failed = errors.Join(failed, q.flush(ctx))
	}
	return failed
}

// Close writes what was logged and closes the file. What is logged after that
// goes nowhere. When ctx ends before all is written it gives up, and leaves the
// file to the end of the process.
func (d *DaemonLog) Close(ctx context.Context) error {
	var failed error
	for _, q := range d.queues {
		failed = errors.Join(failed, q.close(ctx))
	}
	if d.journal != nil {
		d.journal.close(ctx)
	}
	if failed == nil {
		d.writer.Load().close()
	}
	return failed
}

// ShareDaemonLog makes the Store look after the daemon's log too: its Reopen and
// the rotation by age, and that an app whose log file is the same shares it.
// It is called before the first Attach. The log stays open when the Store closes.
func (s *Store) ShareDaemonLog(d *DaemonLog) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := d.writer.Load()
	s.writers[w.path] = &share{writer: w, apps: map[string]int{daemonShare: 1}, owner: daemonShare}
	s.startMaintaining()
}

// daemonShare stands for the daemon's log among the apps: no app has this name.
const daemonShare = ""

// isColorful reports whether colours can be written to w.
func isColorful(w io.Writer) bool {
	file, ok := w.(*os.File)
	if !ok || os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" {
		return false
	}
	conn, err := file.SyscallConn()
	if err != nil {
		return false
	}
	terminal := false
	err = conn.Control(func(fd uintptr) { terminal = term.IsTerminal(int(fd)) })
	return err == nil && terminal
}
