package harness

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Service is a service manager for the daemon of a Box, as far as surviving a
// crash takes one: it owns the socket of sd_notify(3), stores the files that
// the daemon gives it (FDSTORE=1), and passes them to the next daemon as
// sd_listen_fds(3) says. It differs from systemd in that the test decides when
// a daemon is started.
//
// Its methods that start, signal or wait belong to the test's goroutine, the
// others may be called from any.
type Service struct {
	box    *Box
	conn   *net.UnixConn
	listen chan struct{} // closed when nothing is received any more

	mu     sync.Mutex
	stored []StoredFile
	limit  int
	told   Told
	// promised are descriptors that daemons are told of and do not get; files
	// bounds how many they may have open, 0: as many as the test.
	promised, files int
	// leaked is a file that daemons inherit by mistake, or "".
	leaked string
	// watchdog is passed on to daemons; 0: none.
	watchdog time.Duration
}

// StoredFile is a file in the store.
type StoredFile struct {
	Name string
	File *os.File
}

// Told is what daemons have said.
type Told struct {
	// Status is the last STATUS=.
	Status string
	// Ready, Reloading and Alive count messages; AliveAt is when the last sign
	// of life came.
	Ready, Reloading, Alive int
	AliveAt                 time.Time
	// Refused counts files that the store did not take.
	Refused int
}

// standardLimit is FileDescriptorStoreMax= unless a test says otherwise.
const standardLimit = 10_000

// Serve makes the Box run its daemons under a Service.
func (b *Box) Serve() *Service {
	b.t.Helper()
	path := b.path("notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		b.t.Fatalf("make service manager: %v", err)
	}
	s := &Service{box: b, conn: conn, listen: make(chan struct{}), limit: standardLimit}
	b.service = s
	b.Setenv("NOTIFY_SOCKET", path)
	go s.receive() // ended by close
	return s
}

// close ends the service manager. The store is emptied first: the apps of a
// daemon that has gone may wait for whoever reads their output.
func (s *Service) close() error {
	err := s.conn.Close()
	<-s.listen
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, stored := range s.stored {
		stored.File.Close()
	}
	s.stored = nil
	return err
}

func (s *Service) receive() {
	defer close(s.listen)
	for {
		text, files, err := receive(s.conn)
		if err != nil {
			if !errors.Is(err, net.ErrClosed) {
				fmt.Fprintln(os.Stderr, "service manager: receive:", err)
			}
			return
		}
		s.take(strings.Split(text, "\n"), files)
	}
}

// take does what a message asks for. Files that it does not store it closes,
// which is what answers a BARRIER=1.
func (s *Service) take(lines []string, files []*os.File) {
	s.mu.Lock()
	defer s.mu.Unlock()
	name := ""
	for _, line := range lines {
		if value, ok := strings.CutPrefix(line, "FDNAME="); ok {
			name = value
		}
	}
	for _, line := range lines {
		key, value, _ := strings.Cut(line, "=")
		switch key {
		case "FDSTORE":
			for _, file := range files {
				s.store(name, file)
			}
			files = nil
		case "FDSTOREREMOVE":
			s.remove(name)
		case "STATUS":
			s.told.Status = value
		case "READY":
			s.told.Ready++
		case "RELOADING":
			s.told.Reloading++
		case "WATCHDOG":
			s.told.Alive++
			s.told.AliveAt = time.Now()
		}
	}
	closeFiles(files)
}

// store keeps a file, as systemd does: a full store takes none, and one that is
// there under whatever name is not taken again. The lock is held.
func (s *Service) store(name string, file *os.File) {
	valid := name != "" && len(name) <= 255 && !strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r > '~' || r == ':' })
	if !valid || len(s.stored) >= s.limit {
		s.told.Refused++
		file.Close()
		return
	}
	for _, other := range s.stored {
		if sameFile(other.File, file) {
			file.Close()
			return
		}
	}
	s.stored = append(s.stored, StoredFile{name, file})
}

// sameFile reports whether two descriptors are of one open file (kcmp(2)).
func sameFile(a, b *os.File) bool {
	const kcmpFile = 0
	pid := uintptr(os.Getpid())
	different, _, errno := syscall.Syscall6(unix.SYS_KCMP, pid, pid, kcmpFile, a.Fd(), b.Fd(), 0)
	return errno == 0 && different == 0
}

// remove closes what is stored under a name. The lock is held.
func (s *Service) remove(name string) {
	s.stored = slices.DeleteFunc(s.stored, func(stored StoredFile) bool {
		if stored.Name != name {
			return false
		}
		stored.File.Close()
		return true
	})
}

// SetLimit bounds the number of files in the store from now on.
func (s *Service) SetLimit(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.limit = n
}

// SetWatchdog makes daemons that are started later send signs of life.
func (s *Service) SetWatchdog(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.watchdog = d
}

// Promise tells daemons that are started later of n descriptors more than they
// get.
func (s *Service) Promise(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.promised = n
}

// Leak lets daemons that are started later inherit an open file that nobody told
// them of.
func (s *Service) Leak(path string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leaked = path
}

// SetFiles bounds the descriptors that daemons which are started later may have
// open (RLIMIT_NOFILE); 0 lifts the bound.
func (s *Service) SetFiles(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.files = n
}

// Told is what daemons have said so far.
func (s *Service) Told() Told {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.told
}

// Names are those of the files in the store, sorted.
func (s *Service) Names() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	names := make([]string, len(s.stored))
	for i, stored := range s.stored {
		names[i] = stored.Name
	}
	slices.Sort(names)
	return names
}

// Edit has f change the store: a test's way to damage it. Files that f leaves
// out are f's to close.
func (s *Service) Edit(f func([]StoredFile) []StoredFile) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stored = f(s.stored)
}

// prepare makes the command line, the environment and the files with which a
// daemon is started. A shell gives LISTEN_PID the number of the process that it
// then becomes.
func (s *Service) prepare(words, env []string) ([]string, []string, []*os.File) {
	s.settle()
	s.mu.Lock()
	defer s.mu.Unlock()
	env = append(env, fmt.Sprintf("FDSTORE=%d", s.limit))
	if s.watchdog > 0 {
		env = append(env, fmt.Sprintf("WATCHDOG_USEC=%d", s.watchdog.Microseconds()))
	}
	if len(s.stored) == 0 {
		return words, env, nil
	}
	var names []string
	var files []*os.File
	for _, stored := range s.stored {
		fd, err := unix.FcntlInt(stored.File.Fd(), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			s.box.t.Fatalf("pass stored files: %v", err)
		}
		names, files = append(names, stored.Name), append(files, os.NewFile(uintptr(fd), stored.Name))
	}
	env = append(env, fmt.Sprintf("LISTEN_FDS=%d", len(files)+s.promised), "LISTEN_FDNAMES="+strings.Join(names, ":"))
	script := `LISTEN_PID=$$; export LISTEN_PID; exec "$@"`
	if s.files > 0 {
		script = fmt.Sprintf("ulimit -n %d; %s", s.files, script)
	}
	if s.leaked != "" {
		script = fmt.Sprintf("exec 99<'%s'; %s", s.leaked, script)
	}
	shell := []string{"/bin/bash", "-c", script, "sh"} // other shells know no descriptor 99
	return append(shell, words...), env, files
}

// settle waits until all that was sent so far is dealt with, also by a daemon that
// has gone: systemd deals with messages before it deals with ends of processes.
func (s *Service) settle() {
	s.box.t.Helper()
	read, write, err := os.Pipe()
	if err != nil {
		s.box.t.Fatal(err)
	}
	defer read.Close()
	_, _, err = s.conn.WriteMsgUnix([]byte("BARRIER=1"), unix.UnixRights(int(write.Fd())), s.conn.LocalAddr().(*net.UnixAddr))
	write.Close()
	if err != nil {
		s.box.t.Fatalf("send to service manager: %v", err)
	}
	_, _ = read.Read(make([]byte, 1)) // ends when the other end is closed
}

// Crash kills the daemon, waits for its end, and starts the next one, which may
// not answer yet when it returns.
func (s *Service) Crash() *Daemon {
	s.box.t.Helper()
	d := s.box.daemon
	d.Signal(syscall.SIGKILL)
	d.Wait()
	return s.Restart()
}

// Signal sends a signal to the daemon that was started last.
func (b *Box) Signal(s syscall.Signal) {
	b.t.Helper()
	b.daemon.Signal(s)
}

// Orphan kills the daemon, and waits until it is gone. What it leaves behind is
// for the next one to deal with.
func (b *Box) Orphan() *Daemon {
	b.t.Helper()
	d := b.daemon
	d.Signal(syscall.SIGKILL)
	d.Wait()
	return d
}

// Wait waits for the end of the daemon that was started last.
func (s *Service) Wait() syscall.WaitStatus {
	s.box.t.Helper()
	return s.box.daemon.Wait()
}

// Restart starts the next daemon, after one has ended. AwaitAnswer waits for
// it.
func (s *Service) Restart() *Daemon {
	s.box.t.Helper()
	return s.box.launch(nil)
}

// AwaitSilence waits until the daemon has given no sign of life for as long as
// the watchdog allows, and then ends it as systemd does: SIGABRT, and SIGCONT
// lest it does not see that.
func (s *Service) AwaitSilence() {
	s.box.t.Helper()
	s.mu.Lock()
	allowed := s.watchdog
	s.mu.Unlock()
	s.box.Await("the daemon to be silent", func() bool { return time.Since(s.Told().AliveAt) > allowed })
	d := s.box.daemon
	d.Signal(syscall.SIGABRT)
	d.Signal(syscall.SIGCONT)
	d.Wait()
}

// AwaitAnswer waits until the last daemon that was started answers on its
// control socket.
func (b *Box) AwaitAnswer() {
	b.t.Helper()
	b.await(b.daemon)
}

// await waits until a daemon answers, and fails the test if it ends instead.
func (b *Box) await(d *Daemon) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), DeadMan)
	defer cancel()
	gone, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	// Ends with this function.
	go func() {
		if _, err := b.keeper.wait(gone, d.PID); err == nil {
			stop(errExited)
		}
	}()
	b.Await("the daemon to answer", func() bool {
		if gone.Err() != nil {
			b.t.Fatalf("the daemon has ended with %s:\n%s", describe(d.Wait()), b.DaemonOutput())
		}
		status, err := b.control.Status(gone)
		return err == nil && status.PID == d.PID
	})
}
