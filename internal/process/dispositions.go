package process

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	lastSignal = 64
	sigIgn     = 1
	// sigsetSize is the kernel's size of a signal set in bytes, not libc's.
	sigsetSize = 8
)

// sigaction is the kernel's struct for rt_sigaction(2). Whatever an
// architecture has behind the handler is zero for SIG_DFL.
type sigaction struct {
	handler uintptr
	rest    [5]uintptr
}

// resetSignals gives the app the signal state of a fresh login: no signal
// ignored, none blocked.
//
// A handler becomes SIG_DFL by execve(2) itself; "ignored" is what would stay.
// os/signal cannot undo that: Reset leaves alone what was ignored when the
// program started (HUP and INT under nohup, TSTP, TTIN and TTOU in a shell's
// background job). The mask is that of the calling thread, which must be the
// one that execs.
func resetSignals() error {
	for signal := 1; signal <= lastSignal; signal++ {
		if signal == int(unix.SIGKILL) || signal == int(unix.SIGSTOP) {
			continue
		}
		var action sigaction
		if err := rtSigaction(signal, nil, &action); err != nil {
			return fmt.Errorf("read disposition of signal %d: %w", signal, err)
		}
		if action.handler != sigIgn {
			continue
		}
		if err := rtSigaction(signal, &sigaction{}, nil); err != nil {
			return fmt.Errorf("reset signal %d: %w", signal, err)
		}
	}
	// Last, so that a signal that was pending meets its default action.
	if err := unix.PthreadSigmask(unix.SIG_SETMASK, &unix.Sigset_t{}, nil); err != nil {
		return fmt.Errorf("clear signal mask: %w", err)
	}
	return nil
}

func rtSigaction(signal int, set, old *sigaction) error {
	_, _, errno := unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(signal),
		uintptr(unsafe.Pointer(set)), uintptr(unsafe.Pointer(old)), sigsetSize, 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}
