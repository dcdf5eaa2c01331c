package supervisor

import (
	"context"
	"os"
	"syscall"

	"gracevisor/internal/activation"
	"gracevisor/internal/config"
	"gracevisor/internal/process"
	"gracevisor/internal/wire"
)

// System is the supervisor's seam to the operating system. Only functions that
// say so may block; those are never called from the goroutine that owns the
// state.
type System struct {
	// Start clones the process of an instance and returns with it waiting for
	// Go. It may block.
	Start func(process.Spec) (Process, error)
	// ProbePort says why a port can not be used, or nil if it is free.
	ProbePort func(port int) error
	// MakeSocketDir makes the folder for the Unix socket of an instance whose
	// app runs as username. It may block.
	MakeSocketDir func(instance, username string) (SocketDir, error)
	// MakeNotify makes the notify socket of an instance whose app runs as
	// username. It may block.
	MakeNotify func(instance, username string) (Notify, error)
	// Usage tells what an instance uses: memory in bytes, CPU time in
	// microseconds; -1 where that is not known. It may block.
	Usage func(instance string) (memory, cpu int64)
	// OpenOutput makes the pipes for the output of an instance.
	OpenOutput func(app *config.App, instance uint64) (Output, error)
	// OpenAccessLog makes the pipe for an app's access log, and returns its
	// write end. Whoever closes that ends the log.
	OpenAccessLog func(app *config.App) (*os.File, error)
	// SettleOutput waits a little until what an instance has written is known
	// to LastLines. It may block.
	SettleOutput func(app string, instance uint64)
	// LastLines returns the last lines that an instance has written.
	LastLines func(app string, instance uint64, n int) []string
	// ForgetOutput forgets the lines of an app that was removed.
	ForgetOutput func(app string)
	// StartWorker starts a worker process. It may block.
	StartWorker func(generation uint64) (WorkerProcess, error)
	// Listen finds or binds the sockets of an app, as Open of activation.Table
	// does. It may block.
	Listen func(ctx context.Context, want activation.Want, held []*activation.Listener) activation.Set
	// ResolveInternal finds the addresses an internal host stands for, as
	// activation.Resolve does. It may block.
	ResolveInternal func(ctx context.Context, host string, port int) ([]wire.Target, error)
	// Save keeps the state for a successor, but not the memory it comes in; nil
	// where that is not possible.
	Save func(state []byte) error
	// Strays lists processes that no stop reaches.
	Strays func() []string
}

// Output is where an instance writes to. The files are closed once the process
// has them; Close ends the reading of what is left in the pipes.
type Output struct {
	Stdout, Stderr *os.File
	Close          func()
}

// Process is the process of an instance; *process.Process is one.
type Process interface {
	// ID is the process id.
	ID() int
	// Go lets the launcher become the app.
	Go() error
	// Launched waits until it has, or returns why it could not.
	Launched() error
	// Wait waits for the end of the main process.
	Wait() process.Exit
	// Leftovers waits until nothing of the instance lives.
	Leftovers(ctx context.Context) error
	Signal(syscall.Signal) error
	Kill() error
	// OwnsListener reports whether the instance listens on a port, and
	// whether a stranger does.
	OwnsListener(port int) (owned, stranger bool, err error)
}

// Conn is an end of the conversation with a worker; *wire.Conn is one.
type Conn interface {
	wire.Sender
	Receive() (wire.Message, []*os.File, error)
	Close() error
}

// SocketDir is a folder for a Unix socket; *process.SocketDir is one.
type SocketDir interface {
	// Path is where the app is to listen.
	Path() string
	// Await waits until the socket is there and open to the proxy.
	Await(context.Context) error
	// Remove removes the folder, which also ends Await.
	Remove() error
}

// WorkerProcess is a process of the data plane.
type WorkerProcess interface {
	ID() int
	// Conn is the supervisor's end of the conversation.
	Conn() Conn
	Wait() process.Exit
	Kill() error
}
