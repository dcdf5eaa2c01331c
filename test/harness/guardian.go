package harness

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// guardianEnv makes the test binary the guardian; guardianFD is its end of the
// socketpair, which carries one JSON value per datagram.
const (
	guardianEnv = "GV_TEST_GUARDIAN"
	guardianFD  = 3
	// maxOrder bounds a datagram in bytes; environments are the longest part.
	maxOrder = 1 << 18
)

// order is what the test asks of the guardian. Exactly one field is set.
type order struct {
	Start  *startOrder  `json:",omitempty"`
	Signal *signalOrder `json:",omitempty"`
	Remove *removeOrder `json:",omitempty"`

	// files come beside it, for Start.
	files []*os.File
}

// startOrder starts a process. Its output is appended to a file; files that
// come with the order are 3, 4, … in it.
type startOrder struct {
	Args     []string // the first one is the program's path
	Env      []string
	Dir      string
	Output   string
	UID, GID int
}

type signalOrder struct {
	PID    int
	Signal syscall.Signal
}

// removeOrder lists the folders that the guardian removes when the test has
// gone. A later list takes the place of an earlier one.
type removeOrder struct{ Dirs []string }

// news is what the guardian tells the test: the answer to an order, or the
// exit of a process that it has started.
type news struct {
	// Answer says that this answers an order; Error is why it failed.
	Answer bool   `json:",omitempty"`
	Error  string `json:",omitempty"`
	PID    int
	// Exited says that this is the exit of PID; Status is how.
	Exited bool               `json:",omitempty"`
	Status syscall.WaitStatus `json:",omitempty"`
}

// guardian is the process between the test and what it starts. All belongs to
// the goroutine of guard.
type guardian struct {
	conn    *net.UnixConn
	started map[int]bool // processes that run, by pid
	remove  []string
}

// guard is the guardian's process: it obeys the test until the socket ends,
// and leaves nothing behind.
func guard() error {
	// What the test process has inherited is not for the daemon.
	if err := unix.CloseRange(guardianFD, ^uint(0), unix.CLOSE_RANGE_CLOEXEC); err != nil {
		return fmt.Errorf("close inherited files: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("become subreaper: %w", err)
	}
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGCHLD)
	file := os.NewFile(guardianFD, "test")
	conn, err := net.FileConn(file)
	if err = errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("open socket: %w", err)
	}
	unixConn := conn.(*net.UnixConn) // as a socketpair's end is
	g := &guardian{conn: unixConn, started: make(map[int]bool)}
	orders := make(chan order)
	go readOrders(unixConn, orders) // ends when the test closes its end, or dies
	for {
		select {
		case o, more := <-orders:
			if !more {
				return g.leave(ended)
			}
			g.obey(o)
		case <-ended:
			g.reap()
		}
	}
}

func readOrders(conn *net.UnixConn, orders chan<- order) {
	defer close(orders)
	buf, rights := make([]byte, maxOrder), make([]byte, unix.CmsgSpace(4*maxFiles))
	for {
		n, nrights, _, _, err := conn.ReadMsgUnix(buf, rights)
		if err != nil || n == 0 {
			return
		}
		var o order
		err = json.Unmarshal(buf[:n], &o)
		if err == nil {
			o.files, err = filesOf(rights[:nrights])
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "guardian: read order:", err)
			return
		}
		orders <- o
	}
}

func (g *guardian) obey(o order) {
	answer := news{Answer: true}
	defer closeFiles(o.files)
	var err error
	switch {
	case o.Start != nil:
		answer.PID, err = g.start(*o.Start, o.files)
	case o.Signal != nil && !g.started[o.Signal.PID]:
		err = syscall.ESRCH
	case o.Signal != nil:
		err = syscall.Kill(o.Signal.PID, o.Signal.Signal)
	case o.Remove != nil:
		g.remove = o.Remove.Dirs
	}
	if err != nil {
		answer.Error = err.Error()
	}
	g.tell(answer)
}

func (g *guardian) start(o startOrder, files []*os.File) (int, error) {
	output, err := os.OpenFile(o.Output, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return 0, err
	}
	defer output.Close()
	null, err := os.Open(os.DevNull)
	if err != nil {
		return 0, err
	}
	defer null.Close()
	attr := &syscall.ProcAttr{
		Dir: o.Dir, Env: o.Env,
		Files: []uintptr{null.Fd(), output.Fd(), output.Fd()},
		Sys:   &syscall.SysProcAttr{Setsid: true},
	}
	for _, file := range files {
		attr.Files = append(attr.Files, file.Fd())
	}
	if o.UID != os.Getuid() {
		attr.Sys.Credential = &syscall.Credential{Uid: uint32(o.UID), Gid: uint32(o.GID)}
	}
	pid, err := syscall.ForkExec(o.Args[0], o.Args, attr)
	if err != nil {
		return 0, fmt.Errorf("start %s: %w", o.Args[0], err)
	}
	g.started[pid] = true
	return pid, nil
}

// reap waits for every process that has ended: those that were started here,
// and orphans. Nobody else in this process waits for any (wait(2), -1).
func (g *guardian) reap() {
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil || pid == 0 {
			return
		}
		if g.started[pid] {
			delete(g.started, pid)
			g.tell(news{PID: pid, Exited: true, Status: status})
		}
	}
}

func (g *guardian) tell(n news) {
	text, err := json.Marshal(n)
	if err == nil {
		_, err = g.conn.Write(text)
	}
	if err != nil && !errors.Is(err, syscall.EPIPE) {
		fmt.Fprintln(os.Stderr, "guardian: tell the test:", err)
	}
}

// leave kills all descendants, round after round, for they may have children
// while it does, until there are none; then it removes the folders.
func (g *guardian) leave(ended <-chan os.Signal) error {
	deadline := time.Now().Add(DeadMan)
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for {
		g.reap()
		all, err := descendants(os.Getpid())
		if err != nil {
			return err
		}
		if len(all) == 0 {
			break
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("cannot kill %v", all)
		}
		if err := killAll(all, os.Getpid()); err != nil {
			fmt.Fprintln(os.Stderr, "guardian:", err)
		}
		select {
		case <-ended:
		case <-again.C:
		}
	}
	var err error
	for _, dir := range g.remove {
		err = errors.Join(err, os.RemoveAll(dir))
	}
	return err
}
