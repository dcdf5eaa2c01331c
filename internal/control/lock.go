package control

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// RunningError says that another daemon has what this one wants.
type RunningError struct {
	// Path is the socket or the lock that it has.
	Path string
	// PID is the other's, or 0 if it cannot be told.
	PID int
}

func (e *RunningError) Error() string {
	if e.PID == 0 {
		return "another gracevisord is running on " + e.Path
	}
	return fmt.Sprintf("another gracevisord is running (pid %d) on %s", e.PID, e.Path)
}

// LockRuntime takes the runtime directory for this daemon alone, or fails with
// a *RunningError. The lock lasts as long as the file is open, here or in a
// process that it was handed to (flock(2)); the file itself stays.
func LockRuntime(dir string) (*os.File, error) {
	path := filepath.Join(dir, lockFile)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the lock: %w", err)
	}
	if err := lock(f); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func lock(f *os.File) error {
	err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return &RunningError{Path: f.Name(), PID: lockHolder(f)}
	}
	if err != nil {
		return fmt.Errorf("lock %s: %w", f.Name(), err)
	}
	if err := f.Truncate(0); err != nil {
		return fmt.Errorf("write the lock: %w", err)
	}
	if _, err := f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0); err != nil {
		return fmt.Errorf("write the lock: %w", err)
	}
	return nil
}

// lockHolder reads who wrote the lock. It may be 0: the holder has only just
// taken it.
func lockHolder(f *os.File) int {
	text, err := io.ReadAll(io.NewSectionReader(f, 0, 32))
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0
	}
	return pid
}
