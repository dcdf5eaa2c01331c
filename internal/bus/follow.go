package bus

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/godbus/dbus/v5"

	"gracevisor/internal/control"
)

const (
	// comeBackTime is how long the daemon may be away, as in a restart.
	comeBackTime = 30 * time.Second
	// lastWord is how long the end of a job that has gone may still be on its
	// way.
	lastWord = 2 * time.Second
)

var (
	// errGone says that the daemon has left the bus and not come back.
	errGone = errors.New("the daemon has left the bus")
	// errUntold says that a job is over and the daemon does not say how.
	errUntold = errors.New("the daemon, which was replaced meanwhile, does not tell how a job has ended")
)

// listen has the signals of the daemon sent to us.
func (c *Client) listen(ctx context.Context) error {
	for _, rule := range []string{
		fmt.Sprintf("type='signal',sender='%s',path_namespace='%s'", Name, root),
		matchRule(Name),
	} {
		if err := c.conn.BusObject().CallWithContext(ctx, busName+".AddMatch", 0, rule).Err; err != nil {
			return c.errorOf(ctx, err)
		}
	}
	return c.manage(ctx, "Subscribe", nil)
}

// Do starts an operation and calls each with the result for each app. The steps
// in between the bus does not tell. Jobs that outlive the daemon are waited for.
func (c *Client) Do(ctx context.Context, req control.Request, each func(control.Event)) error {
	if err := c.listen(ctx); err != nil {
		return err
	}
	began := time.Now()
	jobs, err := c.begin(ctx, req)
	if err != nil {
		return err
	}
	w := newWaiting(c, began, jobs, each)
	if req.Verb == control.VerbKill {
		for _, app := range req.Apps {
			w.result(ctx, app, control.ResultDone)
		}
	}
	for path, app := range jobs {
		each(control.Event{
			Kind: control.EventStep, App: app, Elapsed: time.Since(began),
			Message: "job " + strings.TrimPrefix(string(path), string(jobFolder)+"/"),
		})
	}
	return w.run(ctx)
}

// waiting is for the end of jobs.
type waiting struct {
	client *Client
	began  time.Time
	jobs   map[dbus.ObjectPath]string
	each   func(control.Event)
	// patience runs while the daemon is away, or owes us a last word.
	patience *time.Timer
	// owed are the jobs that have gone without a word. While there are any the
	// daemon is back.
	owed map[dbus.ObjectPath]bool
	// untold: a job has ended, nobody knows how.
	untold bool
}

// newWaiting makes one whose patience does not run.
func newWaiting(client *Client, began time.Time, jobs map[dbus.ObjectPath]string, each func(control.Event)) *waiting {
	w := &waiting{
		client: client, began: began, jobs: jobs, each: each,
		patience: time.NewTimer(comeBackTime), owed: make(map[dbus.ObjectPath]bool),
	}
	w.patience.Stop()
	return w
}

func (w *waiting) run(ctx context.Context) error {
	defer w.patience.Stop()
	for len(w.jobs) > 0 {
		select {
		case s, ok := <-w.client.signals:
			if !ok {
				return &control.LostError{Err: errLost}
			}
			if err := w.take(ctx, s); err != nil {
				return err
			}
		case <-w.patience.C:
			if len(w.owed) == 0 {
				return &control.LostError{Err: errGone}
			}
			w.giveUpOwed()
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	if w.untold {
		return &control.LostError{Err: errUntold}
	}
	return nil
}

// giveUpOwed waits no longer for the end of jobs that have gone, but goes on
// waiting for the others.
func (w *waiting) giveUpOwed() {
	for path := range w.owed {
		delete(w.jobs, path)
	}
	clear(w.owed)
	w.untold = true
}

func (w *waiting) take(ctx context.Context, s *dbus.Signal) error {
	switch s.Name {
	case managerInterface + ".JobRemoved":
		var id uint32
		var path dbus.ObjectPath
		var app, result string
		if err := dbus.Store(s.Body, &id, &path, &app, &result); err != nil {
			return &control.LostError{Err: err}
		}
		if _, ours := w.jobs[path]; ours {
			w.result(ctx, app, control.Result(result))
			delete(w.jobs, path)
			delete(w.owed, path)
			if len(w.owed) == 0 {
				w.patience.Stop()
			}
		}
	case busName + ".NameOwnerChanged":
		if len(s.Body) == 3 && s.Body[0] == Name {
			if s.Body[2] == "" {
				w.wentAway()
				return nil
			}
			return w.cameBack(ctx)
		}
	}
	return nil
}

func (w *waiting) wentAway() {
	clear(w.owed)
	w.patience.Reset(comeBackTime)
}

// cameBack goes on with a daemon that has the name again: it is told that we
// listen, and asked for the jobs, of which it tells the end, or has told it. One
// that does not answer has gone again, and the bus will say when it is back.
func (w *waiting) cameBack(ctx context.Context) error {
	w.patience.Stop()
	clear(w.owed)
	err := w.client.manage(ctx, "Subscribe", nil)
	var jobs []control.Job
	if err == nil {
		jobs, err = w.client.Jobs(ctx)
	}
	if _, gone := errors.AsType[*control.UnreachableError](err); gone {
		w.wentAway()
		return nil
	}
	if err != nil {
		return err
	}
	living := make(map[dbus.ObjectPath]bool)
	for _, j := range jobs {
		living[jobPath(j.ID)] = true
	}
	for path := range w.jobs {
		if !living[path] {
			w.owed[path] = true
			w.patience.Reset(lastWord)
		}
	}
	return nil
}

// result passes on how a job has ended, with the reason where it failed.
func (w *waiting) result(ctx context.Context, app string, result control.Result) {
	event := control.Event{Kind: control.EventResult, App: app, Elapsed: time.Since(w.began), Result: result}
	if result == control.ResultFailed || result == control.ResultTimeout {
		event.Error = w.client.reasonFor(ctx, app)
	}
	w.each(event)
}

// reasonFor is the last error of an app, or of all that have one.
func (c *Client) reasonFor(ctx context.Context, app string) string {
	var apps []string
	if app != "" {
		apps = []string{app}
	}
	status, err := c.Status(ctx, apps...)
	if err != nil {
		return ""
	}
	var reasons []string
	for _, a := range status.Apps {
		switch {
		case a.LastError == "":
		case app != "":
			return a.LastError
		default:
			reasons = append(reasons, a.Name+": "+a.LastError)
		}
	}
	return strings.Join(reasons, "; ")
}

// Monitor calls each with what happens, until ctx ends or the bus does. A daemon
// that is replaced is listened to again.
func (c *Client) Monitor(ctx context.Context, each func(control.Notice)) error {
	if err := c.listen(ctx); err != nil {
		return err
	}
	for {
		select {
		case s, ok := <-c.signals:
			if !ok {
				return &control.LostError{Err: errLost}
			}
			if s.Name == busName+".NameOwnerChanged" && len(s.Body) == 3 && s.Body[0] == Name && s.Body[2] != "" {
				err := c.manage(ctx, "Subscribe", nil)
				// One that has gone again the bus announces again.
				if _, gone := errors.AsType[*control.UnreachableError](err); err != nil && !gone {
					return err
				}
			}
			if n, ok := noticeOf(s); ok {
				each(n)
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// noticeOf makes a notice of a signal.
func noticeOf(s *dbus.Signal) (control.Notice, bool) {
	n := control.Notice{Time: time.Now()}
	var path dbus.ObjectPath
	var err error
	switch s.Name {
	case managerInterface + ".JobNew":
		n.Kind, n.Job = control.NoticeJobNew, new(control.Job)
		err = dbus.Store(s.Body, &n.Job.ID, &path, &n.Job.App)
	case managerInterface + ".JobRemoved":
		n.Kind, n.Job = control.NoticeJobRemoved, new(control.Job)
		err = dbus.Store(s.Body, &n.Job.ID, &path, &n.Job.App, (*string)(&n.Result))
	case managerInterface + ".AppNew":
		n.Kind = control.NoticeAppNew
		err = dbus.Store(s.Body, &n.App, &path)
	case managerInterface + ".AppRemoved":
		n.Kind = control.NoticeAppRemoved
		err = dbus.Store(s.Body, &n.App, &path)
	case managerInterface + ".Reloading":
		n.Kind, n.Reloading = control.NoticeReloading, new(bool)
		err = dbus.Store(s.Body, n.Reloading)
	case propertiesChange:
		return changeOf(s)
	default:
		return n, false
	}
	return n, err == nil
}

func changeOf(s *dbus.Signal) (control.Notice, bool) {
	n := control.Notice{Time: time.Now()}
	var name string
	var changed properties
	var stale []string
	if err := dbus.Store(s.Body, &name, &changed, &stale); err != nil {
		return n, false
	}
	switch name {
	case appInterface:
		o, ok := objectAt(s.Path)
		state := appOf(changed)
		state.Name = o.app
		n.Kind, n.App, n.State = control.NoticeAppChanged, o.app, &state
		return n, ok
	case managerInterface:
		var worker workerValue
		var apps, failed uint32
		take(changed, "Worker", &worker)
		take(changed, "NApps", &apps)
		take(changed, "NFailedApps", &failed)
		n.Kind = control.NoticeDaemonChanged
		n.Daemon = &control.DaemonState{Worker: worker.Generation, WorkerPID: int(worker.PID), Apps: int(apps), Failed: int(failed)}
		return n, true
	}
	return n, false
}
