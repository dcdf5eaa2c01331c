package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Roles of the test binary, as its first argument.
const (
	roleApp    = "play-app"
	roleDaemon = "play-daemon"
)

// countedSignal is a real-time signal: those queue up, so that one that is sent
// twice arrives twice (signal(7)).
const (
	countedSignal = syscall.Signal(40)
	endSignal     = syscall.Signal(41)
)

// appMain is an app that a shell script could not be.
func appMain(args []string) int {
	switch args[0] {
	case "count":
		return countSignals(len(args) > 1)
	case "leave-group":
		return leaveGroup()
	case "listen":
		return listen(args[1:])
	}
	return 0
}

// countSignals tells each countedSignal until endSignal comes. It takes them
// from the queue, which needs them blocked in every thread: the mask that a
// program starts with is that of all threads of Go. os/signal would merge them.
func countSignals(blocked bool) int {
	set := unix.Sigset_t{}
	set.Val[0] = 1<<(countedSignal-1) | 1<<(endSignal-1)
	if !blocked {
		runtime.LockOSThread()
		if err := unix.PthreadSigmask(unix.SIG_BLOCK, &set, nil); err != nil {
			return fail(err)
		}
		return fail(syscall.Exec("/proc/self/exe", []string{"app", roleApp, "count", "blocked"}, os.Environ()))
	}
	fmt.Println("ready")
	for {
		sig, _, errno := unix.Syscall6(unix.SYS_RT_SIGTIMEDWAIT, uintptr(unsafe.Pointer(&set)), 0, 0, sigsetSize, 0, 0)
		switch {
		case errno == unix.EINTR:
		case errno != 0:
			return fail(errno)
		case syscall.Signal(sig) == countedSignal:
			fmt.Println("counted")
		default:
			fmt.Println("end")
			return 0
		}
	}
}

// leaveGroup leaves a process in another group of the session, with nothing in
// its environment.
func leaveGroup() int {
	pid, err := syscall.ForkExec("/bin/sleep", []string{"sleep", "1000"}, &syscall.ProcAttr{
		Files: []uintptr{0, 1, 2}, Sys: &syscall.SysProcAttr{Setpgid: true},
	})
	if err != nil {
		return fail(err)
	}
	fmt.Println(pid)
	return 0
}

// listen listens on NETWORK ADDRESS, tells the port and stays.
func listen(args []string) int {
	l, err := net.Listen(args[0], args[1])
	if err != nil {
		return fail(err)
	}
	if addr, ok := l.Addr().(*net.TCPAddr); ok {
		fmt.Println(addr.Port)
	} else {
		fmt.Println(l.Addr())
	}
	_, err = l.Accept()
	return fail(err)
}

// daemonMain is a supervisor: it starts an app as the arguments say.
//
//	start    waits for it
//	ignore   ignores and blocks signals, and waits for it
//	hold     tells its pid and never says go
//	reap     tells its pid and waits for it
//	abandon  tells its pid and never looks again
//	first    is pid 1 of a namespace and starts an app of its own choice
//	as-user  is not root and starts apps as another user and as its own
func daemonMain(args []string) int {
	r := NewReaper(slog.New(slog.DiscardHandler), "")
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	switch args[0] {
	case "first":
		return firstProcess(ctx, r)
	case "as-user":
		return unprivileged(r, args[1])
	case "ignore":
		signal.Ignore(unix.SIGHUP, unix.SIGINT, unix.SIGPIPE, unix.SIGUSR1, unix.SIGTSTP, unix.SIGTTOU)
		// The child inherits the mask of the thread that forks.
		runtime.LockOSThread()
		if err := unix.PthreadSigmask(unix.SIG_BLOCK, &unix.Sigset_t{Val: [16]uint64{1<<(unix.SIGTERM-1) | 1<<(unix.SIGUSR2-1)}}, nil); err != nil {
			return fail(err)
		}
	}
	p, err := r.Start(Spec{Name: "inner/1", Argv: args[1:], Stdout: os.Stdout, Stderr: os.Stderr})
	if err != nil {
		return fail(err)
	}
	if args[0] == "hold" {
		fmt.Println(p.PID)
		return untilStdinEnds()
	}
	if err := errors.Join(p.Go(), p.Launched()); err != nil {
		return fail(err)
	}
	switch args[0] {
	case "abandon":
		fmt.Println(p.PID)
		return untilStdinEnds()
	case "reap":
		fmt.Println(p.PID)
	}
	p.Wait()
	return 0
}

// unprivileged tells what comes of apps that are to run as another user, and as
// the user that this daemon has already.
func unprivileged(r *Reaper, other string) int {
	if os.Geteuid() == 0 {
		const nobody = 65534
		if err := errors.Join(syscall.Setgid(nobody), syscall.Setuid(nobody)); err != nil {
			return fail(err)
		}
	}
	own := ownIdentity()
	for _, try := range []struct{ what, user string }{
		{"other user", other},
		{"own user", own.name},
		{"own number", strconv.Itoa(own.uid)},
	} {
		p, err := r.Start(Spec{Name: "inner/1", Argv: []string{"true"}, User: try.user, Dir: "/"})
		if err != nil {
			return fail(err)
		}
		if err := errors.Join(p.Go(), p.Launched()); err != nil {
			fmt.Printf("%s: %s\n", try.what, err)
		}
		fmt.Printf("%s: %s\n", try.what, p.Wait())
	}
	return 0
}

func untilStdinEnds() int {
	_, err := io.Copy(io.Discard, os.Stdin)
	return fail(err)
}

// firstProcess runs an app that leaves an orphan of no instance behind, and
// tells which zombies remain when there is nothing else left.
func firstProcess(ctx context.Context, r *Reaper) int {
	if os.Getpid() != 1 {
		return fail(fmt.Errorf("pid is %d, not 1", os.Getpid()))
	}
	if err := unix.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return fail(err)
	}
	go r.Run(ctx)
	p, err := r.Start(Spec{Name: "inner/1", Argv: []string{"/bin/sh", "-c",
		`env -i setsid sh -c 'env -i setsid sleep 0.05 & env -i setsid sleep 0.1 &' ; exit 5`}})
	if err != nil {
		return fail(err)
	}
	if err := errors.Join(p.Go(), p.Launched()); err != nil {
		return fail(err)
	}
	exit := p.Wait()
	for {
		children, err := childrenOf(selfPID)
		if err != nil {
			return fail(err)
		}
		if len(children) == 0 {
			break
		}
	}
	fmt.Println(exit)
	return 0
}

func fail(err error) int {
	if err == nil {
		return 0
	}
	fmt.Fprintln(os.Stderr, err)
	return 1
}

// statusField reads a field of /proc/PID/status from its text.
func statusField(status, name string) string {
	for _, line := range strings.Split(status, "\n") {
		if value, ok := strings.CutPrefix(line, name+":"); ok {
			return strings.TrimSpace(value)
		}
	}
	return "no " + name
}

func atoi(text string) int {
	n, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil {
		panic(err)
	}
	return n
}
