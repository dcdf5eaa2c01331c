package process

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// selfPID stands for this process where a pid is asked for.
const selfPID = 0

// procPath is /proc/PID/FILE; a pid of selfPID is this process.
func procPath(pid int, file string) string {
	if pid == selfPID {
		return "/proc/self/" + file
	}
	return "/proc/" + strconv.Itoa(pid) + "/" + file
}

// procStat is what proc_pid_stat(5) tells of a process.
type procStat struct {
	pid    int
	comm   string
	state  byte
	parent int
	// group and session are numbered like the processes that made them.
	group, session int
}

func (s procStat) zombie() bool { return s.state == 'Z' || s.state == 'X' }

func readStat(pid int) (procStat, error) {
	text, err := os.ReadFile(procPath(pid, "stat"))
	if err != nil {
		return procStat{}, err
	}
	return parseStat(string(text))
}

// parseStat reads "PID (COMM) STATE PPID PGRP SESSION …"; COMM is any text,
// with brackets and spaces of its own.
func parseStat(text string) (procStat, error) {
	open, end := strings.IndexByte(text, '('), strings.LastIndexByte(text, ')')
	if open < 1 || end < open {
		return procStat{}, fmt.Errorf("parse stat: no command in %q", text)
	}
	fields := strings.Fields(text[end+1:])
	if len(fields) < 4 {
		return procStat{}, fmt.Errorf("parse stat: too short: %q", text)
	}
	s := procStat{comm: text[open+1 : end], state: fields[0][0]}
	numbers := []struct {
		field string
		to    *int
	}{
		{strings.TrimSpace(text[:open]), &s.pid},
		{fields[1], &s.parent}, {fields[2], &s.group}, {fields[3], &s.session},
	}
	for _, n := range numbers {
		value, err := strconv.Atoi(n.field)
		if err != nil {
			return procStat{}, fmt.Errorf("parse stat: %w", err)
		}
		*n.to = value
	}
	return s, nil
}

// vanished reports whether a file of a process could not be read because the
// process has gone.
func vanished(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ESRCH)
}

// exists reports whether a process has this pid, dead or alive.
func exists(pid int) bool {
	_, err := os.Stat(procPath(pid, "stat"))
	return err == nil
}

// hasChildrenFiles: the kernel may have been built without them
// (CONFIG_PROC_CHILDREN).
var hasChildrenFiles = sync.OnceValue(func() bool {
	_, err := os.Stat("/proc/thread-self/children")
	return err == nil
})

// childrenOf lists the children of pid, zombies included. It is complete only if
// none of them is reaped meanwhile (proc_tid_children(5)).
func childrenOf(pid int) ([]int, error) {
	if !hasChildrenFiles() {
		return childrenByParent(pid)
	}
	tasks, err := os.ReadDir(procPath(pid, "task"))
	if err != nil {
		return nil, err
	}
	var children []int
	for _, task := range tasks {
		text, err := os.ReadFile(procPath(pid, "task/"+task.Name()+"/children"))
		if vanished(err) {
			// The thread ended, and another one has its children now. That may
			// be one that was already read.
			return childrenByParent(pid)
		}
		if err != nil {
			return nil, err
		}
		for _, word := range strings.Fields(string(text)) {
			child, err := strconv.Atoi(word)
			if err != nil {
				return nil, fmt.Errorf("parse children of %d: %w", pid, err)
			}
			children = append(children, child)
		}
	}
	return children, nil
}

// childrenByParent is childrenOf by a walk through all processes.
func childrenByParent(pid int) ([]int, error) {
	if pid == selfPID {
		pid = os.Getpid()
	}
	all, err := allProcesses()
	if err != nil {
		return nil, err
	}
	var children []int
	for _, s := range all {
		if s.parent == pid {
			children = append(children, s.pid)
		}
	}
	return children, nil
}

// allProcesses lists what /proc shows. One that ends meanwhile may be missing.
func allProcesses() ([]procStat, error) {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	var all []procStat
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		if s, err := readStat(pid); err == nil {
			all = append(all, s)
		}
	}
	return all, nil
}

// maxEnviron bounds what is read of another process's environment.
const maxEnviron = 1 << 20

func readEnviron(pid int) (string, error) {
	var environ []byte
	err := asOwner(pid, func() error {
		f, err := os.Open(procPath(pid, "environ"))
		if err != nil {
			return err
		}
		defer f.Close()
		environ, err = io.ReadAll(io.LimitReader(f, maxEnviron))
		return err
	})
	return string(environ), err
}

// asOwner calls look, which reads what the kernel shows only to those who could
// trace pid (ptrace(2), "Ptrace access mode checking"), and must stay on its
// goroutine. A hardened daemon is root without CAP_SYS_PTRACE and may not; the
// app's own user may. So, if refused, look is called again with the file system
// uid and gid of the process, which concern this thread only (setfsuid(2)).
func asOwner(pid int, look func() error) error {
	err := look()
	if !errors.Is(err, fs.ErrPermission) || os.Geteuid() != 0 {
		return err
	}
	var owner unix.Stat_t
	if statErr := unix.Stat(procPath(pid, ""), &owner); statErr != nil || owner.Uid == 0 {
		return err
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	// The kernel takes the change for one of privilege and would from then on
	// refuse core dumps of this process.
	if dumpable, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0); err == nil && dumpable == 1 {
		defer unix.Prctl(unix.PR_SET_DUMPABLE, 1, 0, 0, 0)
	}
	// Neither call can fail, both ways, for a real uid of 0 (setfsuid(2)). The
	// group goes first and comes back last: it needs the rights of the user.
	gid, _ := unix.SetfsgidRetGid(int(owner.Gid))
	defer unix.SetfsgidRetGid(gid)
	uid, _ := unix.SetfsuidRetUid(int(owner.Uid))
	defer unix.SetfsuidRetUid(uid)
	return look()
}
