package proxy

import (
	"bytes"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"gracevisor/internal/wire"
	"gracevisor/test/harness"
)

// An engine is what a trial is made on: the proxy in the test's own process, or
// the worker process of the real binary, which is spoken to as the supervisor
// does.
type engine interface {
	AddFile(name string, f *os.File) error
	Apply(*wire.Table) error
}

// A trial is what happens between a client and the instance of an app of its own.
type trial struct {
	name   string // with the section of the RFC
	change func(*wire.App)
	run    func(*testing.T, *stage)
}

// A stage is where a trial takes place.
type stage struct {
	app   string       // its name
	front string       // where its clients arrive
	back  net.Listener // where its instance listens
	log   *logBuffer   // of the engine, as JSON lines
}

// try makes trials on both engines, all of them on one and the same proxy and at
// the same time.
func try(t *testing.T, trials []trial) {
	t.Run("proxy", func(t *testing.T) {
		log := &logBuffer{}
		p := New(Options{Log: slog.New(slog.NewJSONHandler(log, nil))})
		t.Cleanup(p.Close)
		tryOn(t, p, log, trials)
	})
	t.Run("worker", func(t *testing.T) {
		w := startWorker(t)
		tryOn(t, w, &w.log, trials)
	})
}

func tryOn(t *testing.T, e engine, log *logBuffer, trials []trial) {
	stages := make([]*stage, len(trials))
	table := &wire.Table{Revision: 1}
	for i, trial := range trials {
		s := &stage{app: fmt.Sprintf("app%d", i), back: listenHere(t), log: log}
		stages[i] = s
		front := listenHere(t)
		s.front = front.Addr().String()
		f, err := front.(*net.TCPListener).File()
		if err != nil {
			t.Fatal(err)
		}
		if err := e.AddFile(s.app, f); err != nil { // takes the file over
			t.Fatal(err)
		}
		app := wire.App{Name: s.app, Listeners: []string{s.app}, Mode: "http", Disposition: wire.Serving, Traffic: defaultTraffic(),
			Instances: []wire.Instance{{ID: s.app + "/1", Role: wire.RoleServing, Network: "tcp", Address: s.back.Addr().String()}}}
		if trial.change != nil {
			trial.change(&app)
		}
		table.Apps = append(table.Apps, app)
	}
	if err := e.Apply(table); err != nil {
		t.Fatal(err)
	}
	for i, trial := range trials {
		t.Run(trial.name, func(t *testing.T) {
			t.Parallel()
			trial.run(t, stages[i])
		})
	}
}

// listenHere listens on loopback until the test has ended.
func listenHere(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// dial connects a client.
func (s *stage) dial(t *testing.T) *peer {
	t.Helper()
	c, err := net.Dial("tcp", s.front)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return newPeer(t, c)
}

// A workerProcess is an engine.
type workerProcess struct {
	conn *wire.Conn
	log  logBuffer
}

// startWorker starts a worker, and ends it with the test: with the end of the
// conversation it drains, and it is to leave without a complaint.
func startWorker(t *testing.T) *workerProcess {
	t.Helper()
	return startWorkerWith(t, "unlimited")
}

// startWorkerWith starts a worker that can have so many file descriptors, or
// "unlimited": as many as the test.
func startWorkerWith(t *testing.T, files string) *workerProcess {
	t.Helper()
	binary, err := harness.Binary("gracevisord")
	if err != nil {
		t.Fatal(err)
	}
	ours, theirs, err := wire.Pair()
	if err != nil {
		t.Fatal(err)
	}
	w := &workerProcess{}
	cmd := exec.Command("/bin/sh", "-c", `[ "$1" = unlimited ] || ulimit -n "$1"; exec "$0" worker`, binary, files)
	cmd.Env = []string{"GORACE=atexit_sleep_ms=0 exitcode=66"}
	cmd.ExtraFiles = []*os.File{theirs}
	cmd.Stderr = &w.log
	err = cmd.Start()
	theirs.Close()
	if err != nil {
		ours.Close()
		t.Fatal(err)
	}
	hangs := time.AfterFunc(2*deadMan, func() { cmd.Process.Kill() })
	t.Cleanup(func() {
		defer hangs.Stop()
		ours.Close() // which NewConn has done
		if w.conn != nil {
			w.conn.Close()
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("the worker ended with %v, and said %s", err, w.log.String())
		}
	})
	if w.conn, err = wire.NewConn(ours); err != nil {
		t.Fatal(err)
	}
	if err := w.conn.Send(&wire.Hello{Version: wire.Version, Generation: 1}); err != nil {
		t.Fatal(err)
	}
	if _, err := await[*wire.Ready](w); err != nil {
		t.Fatal(err)
	}
	return w
}

// await waits for a message of a kind; others are of no interest here.
func await[M wire.Message](w *workerProcess) (m M, err error) {
	for {
		got, _, err := w.conn.Receive()
		if err != nil {
			return m, fmt.Errorf("wait for %T: %w; the worker said %s", m, err, w.log.String())
		}
		if m, ok := got.(M); ok {
			return m, nil
		}
	}
}

func (w *workerProcess) AddFile(name string, f *os.File) error {
	defer f.Close()
	return w.conn.Send(&wire.Files{Names: []string{name}}, f)
}

func (w *workerProcess) Apply(table *wire.Table) error {
	memfd, err := wire.WriteTable(table)
	if err != nil {
		return err
	}
	defer memfd.Close()
	if err := w.conn.Send(&wire.TableOrder{Revision: table.Revision}, memfd); err != nil {
		return err
	}
	ack, err := await[*wire.Ack](w)
	switch {
	case err != nil:
		return err
	case ack.Revision != table.Revision || ack.Error != "":
		return fmt.Errorf("table %d: the worker answers %+v", table.Revision, *ack)
	}
	return nil
}

// blamed reports whether the log says that the app broke a rule, which is given
// as "FIELD: REASON", or "REASON" alone.
func (s *stage) blamed(rule string) bool {
	field, reason, ok := strings.Cut(rule, ": ")
	if !ok {
		field, reason = "", rule
	}
	for line := range bytes.Lines([]byte(s.log.String())) {
		if bytes.Contains(line, fmt.Appendf(nil, `"app":%q,"field":%q,"reason":%q`, s.app, field, reason)) {
			return true
		}
	}
	return false
}
