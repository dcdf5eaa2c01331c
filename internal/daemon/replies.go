package daemon

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"gracevisor/internal/control"
	"gracevisor/internal/version"
)

// replyPrefix begins the names of control connections on which somebody waits for
// a re-execution. They are handed over by an exec only.
const replyPrefix = "reply/"

// repliesDue are those connections, for the program that is executed next.
func (d *daemon) repliesDue() map[string]*os.File {
	due := make(map[string]*os.File)
	for n, file := range d.doors.server.Outliving() {
		due[replyPrefix+strconv.Itoa(n)] = file
	}
	return due
}

// replies are control connections on which the program before an exec has left
// the answer to its successor.
type replies struct {
	mu    sync.Mutex
	files []*os.File
	began time.Time
}

// takeReplies takes them out of what was handed over.
func takeReplies(kept map[string]*os.File) *replies {
	r := &replies{began: time.Now()}
	for name, file := range kept {
		if strings.HasPrefix(name, replyPrefix) {
			r.files = append(r.files, file)
			delete(kept, name)
		}
	}
	return r
}

// take returns the connections, once.
func (r *replies) take() []*os.File {
	r.mu.Lock()
	defer r.mu.Unlock()
	files := r.files
	r.files = nil
	return files
}

// close hangs up on who has got no answer: it is seen to be cut off.
func (r *replies) close() {
	for _, file := range r.take() {
		file.Close()
	}
}

// conclude answers whoever has asked for the re-execution, once everything is
// taken over.
func (d *daemon) conclude(ctx context.Context, r *replies, from *predecessor) {
	if _, err := d.supervisor.Summary(ctx); err != nil {
		return // replies.close lets them know
	}
	before := "unknown"
	if from != nil && from.state != nil {
		before = from.state.Build
	}
	elapsed := time.Since(r.began)
	for _, file := range r.take() {
		err := control.Conclude(file,
			control.Event{Kind: control.EventStep, Elapsed: elapsed, Message: fmt.Sprintf(
				"goes on: pid %d, version %s (was %s)", os.Getpid(), version.String(), before)},
			control.Event{Kind: control.EventResult, Elapsed: elapsed, Result: control.ResultDone})
		if err != nil {
			d.log.Debug("nobody hears that the daemon was executed anew", slog.Any("error", err)) // its client has left
		}
	}
}
