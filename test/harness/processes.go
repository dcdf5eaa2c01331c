package harness

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Process is one line of the process table.
type Process struct {
	PID, Parent int
	// Name is the program's, as the kernel shortens it.
	Name string
	// State is the letter of proc_pid_stat(5): 'Z' is a zombie.
	State byte
}

func (p Process) String() string {
	words, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", p.PID))
	command := strings.TrimSpace(strings.ReplaceAll(string(words), "\x00", " "))
	if err != nil || command == "" {
		command = "no command line"
	}
	return fmt.Sprintf("pid %d (%s, %c, child of %d): %.200s", p.PID, p.Name, p.State, p.Parent, command)
}

// stat is a process's entry of proc_pid_stat(5): the program's name, and the
// fields after it.
type stat struct {
	name   string
	fields []string
}

// field returns a field by its number in the manual page, from 3.
func (s stat) field(number int) string { return s.fields[number-3] }

// The fields that are looked at, by their numbers.
const (
	statState, statParent, statUser, statSystem = 3, 4, 14, 15
	statThreads                                 = 20
)

// readStat reads the entry. The program's name may contain anything, so the
// fields are counted from its last parenthesis.
func readStat(pid int) (stat, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return stat{}, err
	}
	begin, end := strings.IndexByte(string(text), '('), strings.LastIndexByte(string(text), ')')
	if begin < 0 || end < begin {
		return stat{}, fmt.Errorf("read process %d: it has no name", pid)
	}
	s := stat{string(text[begin+1 : end]), strings.Fields(string(text[end+1:]))}
	if len(s.fields) <= statThreads-statState {
		return stat{}, fmt.Errorf("read process %d: only %d fields", pid, len(s.fields))
	}
	return s, nil
}

func readProcess(pid int) (Process, error) {
	s, err := readStat(pid)
	if err != nil {
		return Process{}, err
	}
	parent, err := strconv.Atoi(s.field(statParent))
	if err != nil {
		return Process{}, fmt.Errorf("read process %d: %w", pid, err)
	}
	return Process{PID: pid, Parent: parent, Name: s.name, State: s.field(statState)[0]}, nil
}

// descendants lists the children of root, their children, and so on, each
// after its parent. Processes that come or go meanwhile may be there or not.
func descendants(root int) ([]Process, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	children := make(map[int][]Process)
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		if p, err := readProcess(pid); err == nil { // or else it has just ended
			children[p.Parent] = append(children[p.Parent], p)
		}
	}
	all := slices.Clone(children[root])
	for i := 0; i < len(all); i++ {
		all = append(all, children[all[i].PID]...)
	}
	return all, nil
}

// killAll sends SIGKILL to those of processes that still descend from root. A
// process whose descent is seen after its pidfd was opened is the one that the
// pidfd is for, whatever its number stood for before.
func killAll(processes []Process, root int) error {
	pidfds := make(map[int]int)
	defer func() {
		for _, pidfd := range pidfds {
			unix.Close(pidfd)
		}
	}()
	var failed error
	for _, p := range processes {
		pidfd, err := unix.PidfdOpen(p.PID, 0)
		if err == nil {
			pidfds[p.PID] = pidfd
		} else if !errors.Is(err, unix.ESRCH) {
			failed = errors.Join(failed, fmt.Errorf("kill %d: %w", p.PID, err))
		}
	}
	alive, err := descendants(root)
	if err != nil {
		return errors.Join(failed, err)
	}
	for _, p := range alive {
		pidfd, ok := pidfds[p.PID]
		if !ok {
			continue
		}
		if err := unix.PidfdSendSignal(pidfd, unix.SIGKILL, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
			failed = errors.Join(failed, fmt.Errorf("kill %d: %w", p.PID, err))
		}
	}
	return failed
}

// Usage is what a process holds.
type Usage struct {
	FDs, Threads int
	// Resident is the memory that it has, in bytes.
	Resident int64
	// CPU is the time spent, in clock ticks of 1/100 s (proc_pid_stat(5)).
	CPU int64
}

// UsageOf measures a process. It may be called from any goroutine.
func UsageOf(pid int) (Usage, error) {
	fds, err := os.ReadDir(filepath.Join("/proc", strconv.Itoa(pid), "fd"))
	if err != nil {
		return Usage{}, fmt.Errorf("measure process %d: %w", pid, err)
	}
	s, err := readStat(pid)
	if err != nil {
		return Usage{}, fmt.Errorf("measure process %d: %w", pid, err)
	}
	number := func(field int) int64 {
		n, parseErr := strconv.ParseInt(s.field(field), 10, 64)
		err = errors.Join(err, parseErr)
		return n
	}
	usage := Usage{FDs: len(fds), Threads: int(number(statThreads)), CPU: number(statUser) + number(statSystem)}
	resident, rollupErr := readResident(pid)
	usage.Resident = resident
	return usage, errors.Join(err, rollupErr)
}

// readResident sums up the pages that are in memory (proc_pid_smaps(5)). The
// number in the other files lags behind by up to 64 pages per CPU.
func readResident(pid int) (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return 0, fmt.Errorf("measure process %d: %w", pid, err)
	}
	for line := range strings.Lines(string(text)) {
		var kilobytes int64
		if _, err := fmt.Sscanf(line, "Rss: %d kB", &kilobytes); err == nil {
			return kilobytes << 10, nil
		}
	}
	return 0, fmt.Errorf("measure process %d: no line Rss", pid)
}
