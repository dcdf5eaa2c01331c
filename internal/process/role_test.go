package process

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"

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
	case "limits":
		// Read before anything can be changed by asking Go: /proc tells.
		text, err := os.ReadFile("/proc/self/limits")
		if err != nil {
			return fail(err)
		}
		os.Stdout.Write(text)
	case "count":
		return countSignals()
	case "listen":
		return listen(args[1:])
	}
	return 0
}

func countSignals() int {
	got := make(chan os.Signal, 100)
	signal.Notify(got, countedSignal, endSignal)
	fmt.Println("ready")
	for sig := range got {
		if sig == endSignal {
			break
		}
		fmt.Println("counted")
	}
	fmt.Println("end")
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

// daemonMain is a supervisor: it starts an app as the arguments say and tells
// its pid. "start" waits for it, "hold" never says go, "abandon" never reaps,
// "first" is pid 1 of a namespace.
func daemonMain(args []string) int {
	r := NewReaper(slog.New(slog.DiscardHandler), "")
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	if args[0] == "first" {
		return firstProcess(ctx, r)
	}
	p, err := r.Start(Spec{Name: "inner/1", Argv: args[1:], Stdout: os.Stdout, Stderr: os.Stderr})
	if err != nil {
		return fail(err)
	}
	if args[0] == "hold" {
		fmt.Println(p.PID)
		select {}
	}
	if err := p.Go(); err != nil {
		return fail(err)
	}
	if err := p.Launched(); err != nil {
		return fail(err)
	}
	if args[0] == "abandon" {
		fmt.Println(p.PID)
		// The app's end is not looked at before this daemon is told to go.
		_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
		return 0
	}
	p.Wait()
	return 0
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
	if err := p.Go(); err != nil {
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
