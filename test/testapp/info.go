package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// inherited is what the process was given by who started it.
type inherited struct {
	// FDs are the open file descriptors and what they are.
	FDs map[int]string `json:"fds"`
	// Status holds lines of /proc/self/status (proc(5)): Umask, SigIgn, ….
	Status map[string]string `json:"status"`
}

// maxFD bounds the search for inherited file descriptors.
const maxFD = 4096

// readInherited must run before anything else opens a file. What Go's runtime
// has opened for itself is told apart by its close-on-exec flag, which nothing
// inherited can have (fcntl(2)).
func readInherited() inherited {
	i := inherited{FDs: make(map[int]string), Status: make(map[string]string)}
	buf := make([]byte, 512)
	for fd := range maxFD {
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
		if err != nil || flags&unix.FD_CLOEXEC != 0 {
			continue
		}
		n, err := syscall.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd), buf)
		i.FDs[fd] = string(buf[:max(n, 0)])
		if err != nil {
			i.FDs[fd] = err.Error()
		}
	}
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		i.Status["error"] = err.Error()
	}
	for line := range strings.Lines(string(status)) {
		if name, value, ok := strings.Cut(line, ":"); ok {
			i.Status[name] = strings.TrimSpace(value)
		}
	}
	return i
}

// info is what /info answers with.
type info struct {
	inherited
	PID    int      `json:"pid"`
	PPID   int      `json:"ppid"`
	PGID   int      `json:"pgid"`
	SID    int      `json:"sid"`
	UID    int      `json:"uid"`
	GID    int      `json:"gid"`
	Groups []int    `json:"groups"`
	Cwd    string   `json:"cwd"`
	Args   []string `json:"args"`
	Env    []string `json:"env"`
	// Limits are the lines of /proc/self/limits by their names.
	Limits      map[string]string `json:"limits"`
	OOMScoreAdj string            `json:"oom_score_adj"`
	Cgroup      string            `json:"cgroup"`
	Errors      []string          `json:"errors,omitempty"`
}

func (a *app) info(w http.ResponseWriter, _ *http.Request) {
	i := info{
		inherited: a.inherited,
		PID:       os.Getpid(), PPID: os.Getppid(), PGID: syscall.Getpgrp(),
		UID: os.Getuid(), GID: os.Getgid(), Args: os.Args, Env: os.Environ(),
	}
	note := func(err error) {
		if err != nil {
			i.Errors = append(i.Errors, err.Error())
		}
	}
	var err error
	i.SID, err = unix.Getsid(0)
	note(err)
	i.Groups, err = os.Getgroups()
	note(err)
	i.Cwd, err = os.Getwd()
	note(err)
	i.Limits, err = limits()
	note(err)
	i.OOMScoreAdj, err = readTrimmed("/proc/self/oom_score_adj")
	note(err)
	i.Cgroup, err = readTrimmed("/proc/self/cgroup")
	note(err)
	w.Header().Set("Content-Type", "application/json")
	note(json.NewEncoder(w).Encode(i))
}

// limits reads the resource limits in a child: Go raises the soft limit of
// open files for itself, and gives children the one that it was started with.
func limits() (map[string]string, error) {
	text, err := exec.Command("cat", "/proc/self/limits").Output()
	if err != nil {
		return nil, fmt.Errorf("read limits: %w", err)
	}
	all := make(map[string]string)
	const nameWidth = 26 // of the table's first column
	for line := range strings.Lines(string(text)) {
		if len(line) > nameWidth {
			all[strings.TrimSpace(line[:nameWidth])] = strings.Join(strings.Fields(line[nameWidth:]), " ")
		}
	}
	return all, nil
}

func readTrimmed(path string) (string, error) {
	text, err := os.ReadFile(path)
	return strings.TrimSpace(string(text)), err
}
