package harness

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// keeper is the test's side of a guardian. Its methods may be called from any
// goroutine.
type keeper struct {
	cmd  *exec.Cmd
	conn *net.UnixConn

	asking  sync.Mutex // held from an order to its answer
	answers chan news  // closed when the guardian has gone

	mu     sync.Mutex
	exited map[int]syscall.WaitStatus
	more   chan struct{} // closed, and replaced, at each exit
}

// startKeeper starts a guardian; close ends it.
func startKeeper() (*keeper, error) {
	if !mainCalled {
		return nil, errors.New("start guardian: TestMain does not call harness.Main")
	}
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("start guardian: %w", err)
	}
	ours, theirs := os.NewFile(uintptr(fds[0]), "guardian"), os.NewFile(uintptr(fds[1]), "test")
	defer ours.Close()
	defer theirs.Close()
	conn, err := net.FileConn(ours)
	if err != nil {
		return nil, fmt.Errorf("start guardian: %w", err)
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), guardianEnv+"=1", "GORACE=atexit_sleep_ms=0")
	cmd.Stderr = os.Stderr
	cmd.ExtraFiles = []*os.File{theirs}
	// What ends the test from a terminal must not end its guardian.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start guardian: %w", err), conn.Close())
	}
	k := &keeper{
		cmd: cmd, conn: conn.(*net.UnixConn), // as a socketpair's end is
		answers: make(chan news, 1),
		exited:  make(map[int]syscall.WaitStatus), more: make(chan struct{}),
	}
	go k.listen() // ends when the guardian has gone, or close is called
	return k, nil
}

func (k *keeper) listen() {
	defer close(k.answers)
	buf := make([]byte, maxOrder)
	for {
		n, err := k.conn.Read(buf)
		if err != nil || n == 0 {
			return
		}
		var told news
		if err := json.Unmarshal(buf[:n], &told); err != nil {
			fmt.Fprintln(os.Stderr, "harness: read news of the guardian:", err)
			return
		}
		k.note(told)
		if told.Answer {
			k.answers <- told
		}
	}
}

// note keeps an exit, or forgets that of an earlier process with the same pid
// as one that has been started.
func (k *keeper) note(told news) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !told.Exited {
		delete(k.exited, told.PID)
		return
	}
	k.exited[told.PID] = told.Status
	close(k.more)
	k.more = make(chan struct{})
}

func (k *keeper) ask(o order) (news, error) {
	k.asking.Lock()
	defer k.asking.Unlock()
	text, err := json.Marshal(o)
	if err != nil {
		return news{}, fmt.Errorf("ask guardian: %w", err)
	}
	if _, _, err := k.conn.WriteMsgUnix(text, rightsOf(o.files), nil); err != nil {
		return news{}, fmt.Errorf("ask guardian: %w", err)
	}
	answer, ok := <-k.answers
	switch {
	case !ok:
		return news{}, errors.New("ask guardian: it has gone")
	case answer.Error != "":
		return news{}, fmt.Errorf("ask guardian: %s", answer.Error)
	}
	return answer, nil
}

// start starts a process with files, and returns its pid.
func (k *keeper) start(o startOrder, files ...*os.File) (int, error) {
	answer, err := k.ask(order{Start: &o, files: files})
	return answer.PID, err
}

// signal sends a signal to a process that start has started and that has not
// been reaped, and to no other.
func (k *keeper) signal(pid int, s syscall.Signal) error {
	_, err := k.ask(order{Signal: &signalOrder{pid, s}})
	return err
}

// removeAtEnd names folders that go when the keeper is closed or the test
// process dies, in place of those that were named before.
func (k *keeper) removeAtEnd(dirs ...string) error {
	_, err := k.ask(order{Remove: &removeOrder{dirs}})
	return err
}

// wait returns how the process has exited, as soon as it has.
func (k *keeper) wait(ctx context.Context, pid int) (syscall.WaitStatus, error) {
	for {
		k.mu.Lock()
		status, ok := k.exited[pid]
		more := k.more
		k.mu.Unlock()
		if ok {
			return status, nil
		}
		select {
		case <-more:
		case <-ctx.Done():
			return 0, fmt.Errorf("wait for the exit of pid %d: %w", pid, context.Cause(ctx))
		}
	}
}

// pid is the guardian's: all that it has started descends from it.
func (k *keeper) pid() int { return k.cmd.Process.Pid }

// close ends the guardian and everything below it.
func (k *keeper) close() error {
	// Only the writing end: listen goes on until the guardian has gone, so
	// that the guardian's last news do not fail.
	err := k.conn.CloseWrite()
	for range k.answers { // until listen has ended
	}
	return errors.Join(err, k.cmd.Wait(), k.conn.Close())
}
