package process

import (
	"fmt"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Exit is how a process ended. The zero value says that it ended, and no more.
type Exit struct {
	// Code is the exit status, 0 to 255, when Signal is 0 and Known.
	Code int
	// Signal is what killed it, or 0.
	Signal syscall.Signal
	// Known is false for a process that is not our child, on a kernel that
	// tells nobody else.
	Known bool
	// CoreDumped: the signal left a core dump.
	CoreDumped bool
	// OutOfMemory: the kernel killed a process of the instance because it ran
	// into its limit, or the machine out of memory. It is known of instances
	// with a cgroup only.
	OutOfMemory bool
}

// Success reports whether the process is known to have exited with status 0.
func (e Exit) Success() bool { return e.Known && e.Code == 0 && e.Signal == 0 }

// String is for people: "exit status 3", "killed by SIGKILL".
func (e Exit) String() string {
	switch {
	case !e.Known:
		return "exit status unknown"
	case e.Signal == 0:
		return fmt.Sprintf("exit status %d", e.Code)
	}
	name := unix.SignalName(e.Signal)
	if name == "" {
		name = fmt.Sprintf("signal %d", int(e.Signal))
	}
	if e.CoreDumped {
		name += " (core dumped)"
	}
	if e.OutOfMemory {
		name += " (out of memory)"
	}
	return "killed by " + name
}

// siginfo is the part of siginfo_t that waitid(2) fills in.
type siginfo struct {
	signo, errno, code int32
	// The union behind them is aligned like a pointer.
	_      [0]uintptr
	pid    int32
	uid    uint32
	status int32
	// The kernel writes 128 bytes.
	_ [128]byte
}

// Values of siginfo.code (waitid(2)).
const (
	cldExited = 1
	cldKilled = 2
	cldDumped = 3
)

// waitid is waitid(2). Without WNOHANG's child the pid stays 0.
func waitid(kind, id, options int) (siginfo, error) {
	var info siginfo
	err := unix.Waitid(kind, id, (*unix.Siginfo)(unsafe.Pointer(&info)), options, nil)
	return info, err
}

func (s *siginfo) exit() Exit {
	switch s.code {
	case cldKilled, cldDumped:
		return Exit{Signal: syscall.Signal(s.status), Known: true, CoreDumped: s.code == cldDumped}
	case cldExited:
		return Exit{Code: int(s.status), Known: true}
	default:
		return Exit{}
	}
}

// How long exitOfStranger waits for its parent to reap it.
const (
	reapPatience = 250 * time.Millisecond
	reapPause    = time.Millisecond
)

// exitOfStranger asks how a process ended that is not our child (any more).
// The kernel keeps that with the pidfd (PIDFD_GET_INFO with PIDFD_INFO_EXIT,
// Linux 6.15), from the moment that its parent has reaped it; a pidfd is
// readable before that. Nothing tells the moment on all of these kernels, so
// the question is repeated for a short while.
func exitOfStranger(pidfd int) Exit {
	for deadline := time.Now().Add(reapPatience); ; time.Sleep(reapPause) {
		info := unix.PidfdInfo{Mask: unix.PIDFD_INFO_EXIT}
		if err := unix.IoctlPidfdInfo(pidfd, &info); err != nil {
			return Exit{}
		}
		if info.Mask&unix.PIDFD_INFO_EXIT != 0 {
			return exitOfStatus(unix.WaitStatus(info.Exit_code))
		}
		if time.Now().After(deadline) {
			return Exit{}
		}
	}
}

func exitOfStatus(status unix.WaitStatus) Exit {
	if status.Signaled() {
		return Exit{Signal: status.Signal(), Known: true, CoreDumped: status.CoreDump()}
	}
	return Exit{Code: status.ExitStatus(), Known: true}
}
