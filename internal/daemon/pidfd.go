package daemon

import (
	"context"
	"errors"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

func isPidfd(name string) bool { return strings.HasSuffix(name, "/pidfd") }

func killPidfd(pidfd *os.File) error { return signalPidfd(pidfd, unix.SIGKILL) }

// signalPidfd signals the process group of a session leader by its pidfd.
func signalPidfd(pidfd *os.File, sig unix.Signal) error {
	raw, err := pidfd.SyscallConn()
	if err != nil {
		return err
	}
	var sent error
	err = raw.Control(func(fd uintptr) {
		sent = unix.PidfdSendSignal(int(fd), sig, nil, unix.PIDFD_SIGNAL_PROCESS_GROUP)
		if errors.Is(sent, unix.EINVAL) { // before Linux 6.9
			sent = unix.PidfdSendSignal(int(fd), sig, nil, 0)
		}
	})
	if errors.Is(sent, unix.ESRCH) {
		return os.ErrProcessDone
	}
	return errors.Join(err, sent)
}

// awaitPidfd waits until a process has ended, and reports whether it has.
func awaitPidfd(ctx context.Context, pidfd *os.File, limit time.Duration) (ended bool) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	ticker := time.NewTicker(salvageLook)
	defer ticker.Stop()
	for {
		if err := signalPidfd(pidfd, 0); errors.Is(err, os.ErrProcessDone) {
			return true
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return false
		}
	}
}
