package rig

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// CPUTime is the user and system time that a process has used.
func CPUTime(pid int) (time.Duration, error) {
	// clock_getcpuclockid(3) makes the clock's number so: the complement of
	// the pid, and 2 for the scheduler's clock of the whole process.
	const processClock = 2
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|processClock), &t); err != nil {
		return 0, fmt.Errorf("read CPU time of process %d: %w", pid, err)
	}
	return time.Duration(t.Nano()), nil
}

// Memory is what a process holds, in bytes.
type Memory struct {
	// Resident counts every page that is there, Proportional shares those
	// that other processes map, too (proc_pid_smaps(5)).
	Resident, Proportional int64
}

// MemoryOf reads what a process holds. It needs the right to trace it.
func MemoryOf(pid int) (Memory, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return Memory{}, fmt.Errorf("read memory of process: %w", err)
	}
	var m Memory
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		switch fields[0] {
		case "Rss:":
			m.Resident, err = kilobytes(fields[1])
		case "Pss:":
			m.Proportional, err = kilobytes(fields[1])
		}
		if err != nil {
			return Memory{}, fmt.Errorf("read memory of process %d: %w", pid, err)
		}
	}
	return m, nil
}

func kilobytes(text string) (int64, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	return n << 10, err
}

// Children lists the children of a process's main thread.
func Children(pid int) ([]int, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		return nil, fmt.Errorf("list children: %w", err)
	}
	var all []int
	for _, word := range strings.Fields(string(text)) {
		child, err := strconv.Atoi(word)
		if err != nil {
			return nil, fmt.Errorf("list children of %d: %w", pid, err)
		}
		all = append(all, child)
	}
	return all, nil
}

// Monotonic is the time since the machine's start (clock_gettime(2),
// CLOCK_MONOTONIC), which all processes share.
func Monotonic() (time.Duration, error) {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t); err != nil {
		return 0, fmt.Errorf("read clock: %w", err)
	}
	return time.Duration(t.Nano()), nil
}
