package daemon

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"gracevisor/internal/activation"
	"gracevisor/internal/config"
	"gracevisor/internal/logs"
	"gracevisor/internal/process"
	"gracevisor/internal/supervisor"
	"gracevisor/internal/wire"
)

// newSystem gives the supervisor the real machine.
func newSystem(log *slog.Logger, store *logs.Store, reaper *process.Reaper, sockets *activation.Table, runtimeDir string) supervisor.System {
	out := &outputs{store: store}
	socketBase := filepath.Join(runtimeDir, "apps")
	return supervisor.System{
		Start: func(spec process.Spec) (supervisor.Process, error) {
			p, err := reaper.Start(spec)
			if err != nil {
				return nil, err
			}
			return instanceProcess{p}, nil
		},
		ProbePort: process.ProbePort,
		MakeSocketDir: func(instance, username string) (supervisor.SocketDir, error) {
			return process.MakeSocketDir(socketBase, instance, username, workerGroup())
		},
		OpenOutput:      out.open,
		OpenAccessLog:   out.openAccessLog,
		SettleOutput:    out.settle,
		LastLines:       store.LastLines,
		ForgetOutput:    store.Forget,
		StartWorker:     func(generation uint64) (supervisor.WorkerProcess, error) { return startWorker(log, reaper, generation) },
		Listen:          sockets.Open,
		ResolveInternal: resolveInternal,
		Strays:          func() []string { return unreachable(log, reaper) },
	}
}

// workerGroup is the group of the worker process, or -1 if it keeps ours.
func workerGroup() int {
	if os.Geteuid() != 0 {
		return -1
	}
	_, gid, err := process.ProxyAccount()
	if err != nil {
		return -1 // the worker will say so
	}
	return gid
}

// unreachable lists the processes that no stop reaches, because nobody knows
// which instance they belong to.
func unreachable(log *slog.Logger, reaper *process.Reaper) (told []string) {
	strays, err := reaper.Strays()
	if err != nil {
		log.Warn("cannot look for processes that left their instance", "error", err)
	}
	for _, stray := range strays {
		if stray.Instance == "" {
			told = append(told, fmt.Sprintf("pid %d (%s): %s", stray.PID, stray.Comm, stray.Why))
		}
	}
	return told
}

// instanceProcess is a process as the supervisor sees it.
type instanceProcess struct{ *process.Process }

func (p instanceProcess) ID() int { return p.PID }

// resolveInternal finds the addresses at which an instance may be reached.
func resolveInternal(ctx context.Context, host string, port int) ([]wire.Target, error) {
	addresses, err := activation.Resolve(ctx, host, port)
	if err != nil {
		return nil, err
	}
	targets := make([]wire.Target, len(addresses))
	for i, address := range addresses {
		targets[i] = wire.Target{Network: "tcp", Address: address.String()}
	}
	return targets, nil
}

// outputs makes the pipes that apps write into.
type outputs struct{ store *logs.Store }

func (o *outputs) open(app *config.App, instance uint64) (supervisor.Output, error) {
	stdout, closeStdout, err := o.pipe(logs.Source{App: app.Name, Instance: instance, Stream: logs.StreamStdout}, app.Stdout)
	if err != nil {
		return supervisor.Output{}, err
	}
	stderr, closeStderr, err := o.pipe(logs.Source{App: app.Name, Instance: instance, Stream: logs.StreamStderr}, app.Stderr)
	if err != nil {
		stdout.Close()
		closeStdout()
		return supervisor.Output{}, err
	}
	return supervisor.Output{Stdout: stdout, Stderr: stderr, Close: func() {
		closeStdout()
		closeStderr()
	}}, nil
}

func (o *outputs) openAccessLog(app *config.App) (*os.File, error) {
	write, _, err := o.pipe(logs.Source{App: app.Name, Stream: logs.StreamAccess}, app.Traffic.AccessLogFile)
	return write, err
}

// settleTime bounds the wait for an instance's last words. Others may hold its
// pipes open, so their end is no sign.
const settleTime = 200 * time.Millisecond

func (o *outputs) settle(app string, instance uint64) {
	ctx, cancel := context.WithTimeout(context.Background(), settleTime)
	defer cancel()
	_ = o.store.Settle(ctx, app, instance) // late words are only not told
}

// pipe makes a pipe whose read end goes into a log file.
func (o *outputs) pipe(src logs.Source, file config.LogFile) (write *os.File, detach func(), err error) {
	read, write, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	attachment := o.store.Attach(src, read, targetOf(file))
	return write, attachment.Detach, nil
}

// targetOf translates the configuration of a log file.
func targetOf(file config.LogFile) logs.Target {
	return logs.Target{Path: file.Path, MaxSize: file.MaxSize, MaxKept: file.MaxKept, MaxAge: file.MaxAge}
}

// startWorker starts a worker process with its end of the conversation.
func startWorker(log *slog.Logger, reaper *process.Reaper, generation uint64) (supervisor.WorkerProcess, error) {
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
	conn, err := wire.NewConn(own)
	if err != nil {
		read.Close()
		return nil, err
	}
	p, err := reaper.Spawn(process.Child{
		Name:  "worker",
		Argv:  []string{"gracevisord", WorkerRole},
		Env:   workerEnvironment(),
		Files: []*os.File{nil, nil, write, theirs},
	})
	if err != nil {
		read.Close()
		conn.Close()
		return nil, err
	}
	go relayLog(log.With("worker", generation), read) // ends with the process
	return &workerProcess{Process: p, conn: conn}, nil
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

// WorkerRole is the word that makes the binary a worker.
const WorkerRole = "worker"

// workerProcess is a worker as the supervisor sees it.
type workerProcess struct {
	*process.Process
	conn *wire.Conn
}

func (w *workerProcess) ID() int               { return w.PID }
func (w *workerProcess) Conn() supervisor.Conn { return w.conn }
func (w *workerProcess) Kill() error           { return w.Signal(unix.SIGKILL) }
