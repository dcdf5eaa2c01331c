package process

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// A Birth tells a process from every other that has or will have its number. It
// may be written down and read by another process.
type Birth struct {
	PID int `json:"pid"`
	// Started is when, in clock ticks since the boot ("starttime" of
	// proc_pid_stat(5)).
	Started string `json:"started"`
	// Boot is the boot in which (/proc/sys/kernel/random/boot_id, random(4)).
	Boot string `json:"boot"`
}

// fieldStarted is the number of that field, counted from the one behind the name.
const fieldStarted = 22 - 3

// BirthOf is that of a living process, or of one that is not reaped.
func BirthOf(pid int) (Birth, error) {
	stat, err := os.ReadFile(procPath(pid, "stat"))
	if err != nil {
		return Birth{}, fmt.Errorf("look at process %d: %w", pid, err)
	}
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return Birth{}, fmt.Errorf("look at process %d: %w", pid, err)
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) <= fieldStarted {
		return Birth{}, fmt.Errorf("look at process %d: %d fields are too few", pid, len(fields))
	}
	return Birth{PID: pid, Started: fields[fieldStarted], Boot: strings.TrimSpace(string(boot))}, nil
}

// Open returns a pidfd of the process. The error is os.ErrProcessDone if it has
// gone, whoever has its number.
func (b Birth) Open() (*os.File, error) {
	pidfd, err := unix.PidfdOpen(b.PID, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil, os.ErrProcessDone
	}
	if err != nil {
		return nil, fmt.Errorf("open process %d: %w", b.PID, err)
	}
	// Looked at after it was opened, the number means what the pidfd does.
	now, err := BirthOf(b.PID)
	if err != nil || now != b {
		unix.Close(pidfd)
		return nil, os.ErrProcessDone
	}
	return pollable(pidfd)
}
