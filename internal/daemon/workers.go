package daemon

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"gracevisor/internal/activation"
	"gracevisor/internal/process"
	"gracevisor/internal/supervisor"
	"gracevisor/internal/wire"
)

// WorkerRole is the word that makes the binary a worker.
const WorkerRole = "worker"

// workerProcess is a worker as the supervisor sees it.
type workerProcess struct {
	*process.Process
	conn    *wire.Conn
	machine *machine
	names   workerNames
}

func (w *workerProcess) ID() int               { return w.PID }
func (w *workerProcess) Conn() supervisor.Conn { return w.conn }
func (w *workerProcess) Kill() error           { return w.Signal(unix.SIGKILL) }

// workerPatience bounds the wait for the end of what a worker has left, which is
// no more than itself until its parent has taken notice of its end.
const workerPatience = 10 * time.Second

// Wait waits as process.Process does, and then lets go of what was kept.
func (w *workerProcess) Wait() process.Exit {
	exit := w.Process.Wait()
	go func() { // ends within workerPatience
		ctx, cancel := context.WithTimeout(context.Background(), workerPatience)
		defer cancel()
		if err := w.Leftovers(ctx); err != nil {
			w.machine.log.Warn("cannot remove what a worker has left", "pid", w.PID, "error", err)
		}
	}()
	for _, name := range []string{w.names.pidfd, w.names.wire, w.names.log} {
		w.machine.keeper.Drop(name)
	}
	w.machine.strike(w.names.owner)
	return exit
}

// workerNames are the names that files of a worker are kept by, and that of the
// owner of its process, which no app can have.
type workerNames struct{ owner, pidfd, wire, log string }

func namesOfWorker(generation uint64) workerNames {
	name := fmt.Sprintf("worker/%d", generation)
	return workerNames{"+" + name, name + "/pidfd", name + "/wire", name + "/log"}
}

// startWorker starts a worker process with its end of the conversation.
func (m *machine) startWorker(generation uint64) (supervisor.WorkerProcess, error) {
	own, theirs, err := wire.Pair()
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	read, write, err := os.Pipe()
	if err != nil {
		own.Close()
		return nil, err
	}
	defer write.Close()
	names := namesOfWorker(generation)
	var p *process.Process
	err = m.inLeaf(names.owner, process.Limits{}, func(leaf *process.Leaf) (err error) {
		p, err = m.reaper.Spawn(process.Child{
			Name:  names.owner,
			Leaf:  leaf,
			Argv:  []string{"gracevisord", WorkerRole},
			Env:   workerEnvironment(),
			Files: []*os.File{nil, nil, write, theirs},
		})
		return err
	})
	if err != nil {
		read.Close()
		own.Close()
		return nil, err
	}
	m.enter(names.owner, p.PID)
	err = errors.Join(m.keep(names.pidfd, p.PIDFD()), m.keep(names.wire, own), m.keep(names.log, read))
	if err != nil {
		m.log.Error("cannot keep worker; a crash of the daemon would end it", "worker", generation, "error", err)
	}
	return m.converse(p, names, generation, own, read)
}

// converse makes a worker of a process and the supervisor's ends. log is nil if
// that was lost.
func (m *machine) converse(p *process.Process, names workerNames, generation uint64, own, log *os.File) (supervisor.WorkerProcess, error) {
	if log != nil {
		go relayLog(m.log.With("worker", generation), log) // ends with the process
	}
	conn, err := wire.NewConn(own)
	if err != nil {
		_ = p.Kill()
		go (&workerProcess{Process: p, machine: m, names: names}).Wait() // ends at once
		return nil, err
	}
	return &workerProcess{Process: p, conn: conn, machine: m, names: names}, nil
}

// adoptWorker takes over a worker that an earlier daemon has started. One that
// can not be talked to or not be watched is let go of: without a conversation it
// drains and leaves.
func (m *machine) adoptWorker(generation uint64, pid int) (supervisor.WorkerProcess, error) {
	names := namesOfWorker(generation)
	p, err := m.adopt(names.pidfd, pid, names.owner)
	if err != nil {
		m.release(names)
		if leaf := m.findLeaf(names.owner); leaf != nil && leaf.Empty() {
			m.disown(names.owner)
		}
		return nil, err
	}
	own, err := m.takeKept(names.wire)
	if err != nil {
		go (&workerProcess{Process: p, machine: m, names: names}).Wait() // ends with the worker
		return nil, err
	}
	log, err := m.takeKept(names.log)
	if err != nil {
		m.log.Error("cannot read on the log of a worker", "worker", generation, "error", err)
	}
	return m.converse(p, names, generation, own, log)
}

// release lets go of all files of a worker.
func (m *machine) release(names workerNames) {
	m.claimed[names.owner] = true
	for _, name := range []string{names.pidfd, names.wire, names.log} {
		if file := m.kept[name]; file != nil {
			delete(m.kept, name)
			m.keeper.Adopt(name, file)
		}
		m.keeper.Drop(name)
	}
}

// takeKept returns another descriptor of a file that was kept, and keeps it on.
func (m *machine) takeKept(name string) (*os.File, error) {
	file := m.kept[name]
	if file == nil {
		return nil, fmt.Errorf("take over %s: it was not kept", name)
	}
	delete(m.kept, name)
	m.keeper.Adopt(name, file)
	return activation.Dup(file)
}

// workerEnvironment is all that a worker gets of the daemon's environment.
func workerEnvironment() []string {
	var env []string
	for _, name := range []string{"TZ", "GOTRACEBACK", "GODEBUG", "GOMAXPROCS", "GORACE"} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}
