package machine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"
)

// path is where programs are looked for.
const path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// Result is what became of a command.
type Result struct {
	Command        string
	Stdout, Stderr string
	// Code is the exit status; -1 if the command was killed or did not end
	// within DeadMan.
	Code int
}

func (r Result) String() string {
	return fmt.Sprintf("%s: exit status %d\n%s%s", r.Command, r.Code, r.Stdout, r.Stderr)
}

// command is a command in the machine, run as root with an environment of its
// own, and in no unit of it.
func (m *Machine) command(ctx context.Context, args ...string) *exec.Cmd {
	m.mu.Lock()
	leader := m.leader
	m.mu.Unlock()
	enter := []string{"-t", strconv.Itoa(leader), "-m", "-u", "-i", "-n", "-p", "-C", "-r", "-w",
		"/usr/bin/env", "-i", "PATH=" + path, "HOME=/root", "LANG=C.UTF-8", "DEBIAN_FRONTEND=noninteractive"}
	cmd := exec.CommandContext(ctx, "nsenter", append(enter, args...)...)
	cmd.WaitDelay = outputGrace
	return cmd
}

// outputGrace bounds the wait for the end of a command's output, which what it
// has left in the background may hold open.
const outputGrace = 500 * time.Millisecond

// Try runs a command in the machine, and returns how that went. Any goroutine
// may call it.
func (m *Machine) Try(args ...string) Result { return m.TryInput("", args...) }

// TryInput is Try with a standard input.
func (m *Machine) TryInput(input string, args ...string) Result {
	ctx, cancel := context.WithTimeout(context.Background(), DeadMan)
	defer cancel()
	cmd := m.command(ctx, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(input), &stdout, &stderr
	err := cmd.Run()
	result := Result{Command: strings.Join(args, " "), Stdout: stdout.String(), Stderr: stderr.String()}
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		result.Code = exit.ExitCode()
	case err != nil && !errors.Is(err, exec.ErrWaitDelay):
		result.Code = -1
		result.Stderr += err.Error() + "\n"
	}
	return result
}

// Run runs a command that has to succeed, and returns its standard output.
func (m *Machine) Run(args ...string) string {
	m.t.Helper()
	result := m.Try(args...)
	if result.Code != 0 {
		m.t.Fatal(result)
	}
	return result.Stdout
}

// Shell runs a line of sh(1) that has to succeed.
func (m *Machine) Shell(line string) string {
	m.t.Helper()
	return m.Run("/bin/sh", "-euc", line)
}

// Background is a command that runs while the test goes on.
type Background struct {
	cmd    *exec.Cmd
	stdout output
	done   chan struct{}
	code   int
}

// Start starts a command that goes on while the test does. It ends with the
// machine at the latest.
func (m *Machine) Start(args ...string) *Background {
	m.t.Helper()
	b := &Background{cmd: m.command(context.Background(), args...), done: make(chan struct{})}
	b.cmd.Stdout, b.cmd.Stderr = &b.stdout, &b.stdout
	if err := b.cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	// Ends with the command, which ends with the machine.
	go func() {
		defer close(b.done)
		_ = b.cmd.Wait() // the state tells
		b.code = b.cmd.ProcessState.ExitCode()
	}()
	return b
}

// Done is closed when the command has ended.
func (b *Background) Done() <-chan struct{} { return b.done }

// Output is all that the command has written so far.
func (b *Background) Output() string { return b.stdout.String() }

// Code is the exit status of a command that is done.
func (b *Background) Code() int {
	<-b.done
	return b.code
}

// output keeps the end of what a process writes. Any goroutine may use it.
type output struct {
	mu   sync.Mutex
	text []byte
}

// maxOutput bounds it, in bytes.
const maxOutput = 1 << 20

var _ io.Writer = (*output)(nil)

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.text = append(o.text, b...)
	if over := len(o.text) - maxOutput; over > 0 {
		o.text = append(o.text[:0], o.text[over:]...)
	}
	return len(b), nil
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return string(o.text)
}
