package process

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// LaunchRole is the first argument that makes our binary call LaunchMain; the
// second is the instance's name, for people who look at a process list.
const LaunchRole = "launch"

// The launcher's file descriptors; 0 to 2 are the app's.
const (
	orderFD  = 3 // sealed memfd with the order
	goFD     = 4 // read end of the pipe whose byte says go
	statusFD = 5 // write end of the pipe that tells the outcome
)

// The protocol on the status pipe (drawn in the package documentation).
const (
	// statusExec is written just before execve(2). End of file after it means
	// success, since execve closed the pipe; end of file without it means that
	// the launcher died.
	statusExec = 1
	// maxStatus bounds what is written and read; it fits into any pipe.
	maxStatus = 4096
)

// Exit codes of a launcher that did not become an app.
const (
	exitAbandoned  = 0
	exitNotALaunch = 2
	exitFailed     = 125
)

// LaunchMain is the launch role: it turns this process into the app that it was
// ordered to become. It returns an exit code for os.Exit only if that failed
// (which the supervisor has then been told), or if the supervisor went away or
// gave up before it said go (nobody needs to be told). It must be called from
// main before anything has started goroutines or changed signals.
func LaunchMain() int {
	// Credentials and signal mask belong to a thread: the one that execs.
	runtime.LockOSThread()
	if !isOrder(orderFD) || !isPipe(goFD) || !isPipe(statusFD) {
		fmt.Fprintf(os.Stderr, "%s is a role that the daemon runs by itself\n", LaunchRole)
		return exitNotALaunch
	}
	if err := CloseOnExec(orderFD); err != nil {
		report(err)
		return exitFailed
	}
	o, err := readOrder(orderFD)
	if err != nil {
		report(err)
		return exitFailed
	}
	if !awaitGo() {
		return exitAbandoned
	}
	report(o.launch())
	return exitFailed
}

// launch prepares this process and execs the app; it returns only with an
// error. The order of the steps matters: what needs the daemon's rights comes
// before become, what must be judged by the app's rights after it.
func (o *order) launch() error {
	who, err := resolve(o.User)
	if err != nil {
		return err
	}
	dropProtection()
	unix.Umask(o.Umask)
	makeBlocking(0, 1, 2)
	if err := become(who); err != nil {
		return err
	}
	if err := enter(string(o.Dir), who); err != nil {
		return err
	}
	env := environment(o, who)
	path, err := findCommand(string(o.Argv[0]), valueOf(env, "PATH"))
	if err != nil {
		return err
	}
	tell([]byte{statusExec})
	if err := resetSignals(); err != nil {
		return err
	}
	// syscall.Exec also puts the soft RLIMIT_NOFILE back, which Go's runtime
	// has raised in this process; that of the daemon was put back by ForkExec.
	return explainExec(path, syscall.Exec(path, toStrings(o.Argv), env))
}

// enter changes to the working directory; empty stays where the daemon is.
func enter(dir string, who *identity) error {
	if dir == "" {
		return nil
	}
	err := unix.Chdir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("directory %q does not exist", dir)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("directory %q is not open to user %q: %w", dir, who.name, err)
	case err != nil:
		return fmt.Errorf("enter directory %q: %w", dir, err)
	}
	return nil
}

// dropProtection takes from the app the exemption from the OOM killer that a
// daemon has been given. It needs no right to do so. A positive value stays: it
// was meant for everything that runs here.
func dropProtection() {
	const file = "/proc/self/oom_score_adj"
	text, err := os.ReadFile(file)
	if err != nil || len(text) == 0 || text[0] != '-' {
		return
	}
	// A read-only /proc costs the app nothing but this.
	_ = os.WriteFile(file, []byte("0"), 0)
}

// makeBlocking clears O_NONBLOCK, which pipes made by os.Pipe come with: few
// programs expect EAGAIN from their standard output.
func makeBlocking(fds ...int) {
	for _, fd := range fds {
		_ = unix.SetNonblock(fd, false)
	}
}

// CloseOnExec marks every descriptor from first on, so that what is executed next
// gets what it is to have and nothing else, whatever the daemon itself was started
// with.
func CloseOnExec(first int) error {
	err := unix.CloseRange(uint(first), math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC)
	if err == nil {
		return nil
	}
	// Linux before 5.11, or a seccomp filter that does not know the call.
	return closeEachOnExec(first)
}

// closeEachOnExec is CloseOnExec descriptor by descriptor.
func closeEachOnExec(first int) error {
	open, err := filepath.Glob("/proc/self/fd/*")
	if err != nil || len(open) == 0 {
		return errors.New("close descriptors: there is neither close_range nor /proc/self/fd")
	}
	for _, entry := range open {
		if fd, err := strconv.Atoi(filepath.Base(entry)); err == nil && fd >= first {
			unix.CloseOnExec(fd)
		}
	}
	return nil
}

// awaitGo waits for the byte. Whatever else happens on the pipe, above all its
// end because the supervisor died, means that the app must not run.
func awaitGo() bool {
	var buf [1]byte
	for {
		n, err := unix.Read(goFD, buf[:])
		if errors.Is(err, unix.EINTR) {
			continue
		}
		return err == nil && n == 1
	}
}

func report(err error) {
	text := err.Error()
	tell([]byte(text[:min(len(text), maxStatus-1)]))
}

// tell writes to the supervisor. That it has gone meanwhile does not matter:
// after go the app starts all the same, and the next supervisor adopts it.
func tell(message []byte) {
	for {
		if _, err := unix.Write(statusFD, message); !errors.Is(err, unix.EINTR) {
			return
		}
	}
}

func isPipe(fd int) bool {
	var info unix.Stat_t
	return unix.Fstat(fd, &info) == nil && info.Mode&unix.S_IFMT == unix.S_IFIFO
}
