package activation

import (
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// firstListenFD is SD_LISTEN_FDS_START of sd_listen_fds(3).
const firstListenFD = 3

// passedFiles are the files that the service manager has passed, with their
// names. The variables that tell of them are taken out of the environment. It
// goes by what there is: one that is missing takes none of those behind it along,
// nor their names. The library of systemd's protocols believes what it is told,
// and would close descriptors that Go's runtime has opened in the gap.
func passedFiles(log *slog.Logger) (files []*os.File) {
	promised, err := promisedFDs()
	if err != nil {
		log.Error("cannot take files from the service manager", "error", err)
	}
	names := strings.Split(os.Getenv("LISTEN_FDNAMES"), ":")
	for _, variable := range []string{"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"} {
		os.Unsetenv(variable)
	}
	nameOf := func(i int) string {
		if i < len(names) && names[i] != "" {
			return names[i]
		}
		return "LISTEN_FD_" + strconv.Itoa(firstListenFD+i)
	}
	gap := 0 // where the one begins that may end here
	for i := range min(promised, countUpToLast()) {
		fd := firstListenFD + i
		if !wasPassed(fd) {
			continue
		}
		tellMissing(log, gap, i, nameOf)
		gap = i + 1
		unix.CloseOnExec(fd)
		files = append(files, os.NewFile(uintptr(fd), nameOf(i)))
	}
	tellMissing(log, gap, promised, nameOf)
	return files
}

// tellMissing tells of a gap in what was passed, if it is one.
func tellMissing(log *slog.Logger, from, to int, nameOf func(int) string) {
	switch {
	case from == to-1:
		log.Error("the service manager promises a file that it has not passed; going on without it", "name", nameOf(from), "fd", firstListenFD+from)
	case from < to:
		log.Error("the service manager promises files that it has not passed; going on without them",
			"first", nameOf(from), "last", nameOf(to-1), "fd", firstListenFD+from, "files", to-from)
	}
}

// promisedFDs reads LISTEN_PID and LISTEN_FDS. That they are for another process
// is not wrong: they were inherited by mistake.
func promisedFDs() (int, error) {
	pid, fds := os.Getenv("LISTEN_PID"), os.Getenv("LISTEN_FDS")
	if pid == "" && fds == "" {
		return 0, nil
	}
	if n, err := strconv.Atoi(pid); err != nil {
		return 0, fmt.Errorf("read LISTEN_PID: %q is not a process id", pid)
	} else if n != os.Getpid() {
		return 0, nil
	}
	n, err := strconv.Atoi(fds)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("read LISTEN_FDS: %q is not a number of file descriptors", fds)
	}
	return n, nil
}

// countUpToLast is how many descriptors there are from the first that can be
// promised to the last that was passed: what is promised beyond it is not there,
// however much it is.
func countUpToLast() int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0 // never: without it much else would not work
	}
	last := firstListenFD - 1
	for _, entry := range entries {
		if fd, err := strconv.Atoi(entry.Name()); err == nil && fd > last && wasPassed(fd) {
			last = fd
		}
	}
	return last - firstListenFD + 1
}

// wasPassed reports whether a descriptor is one with which this program was
// executed. Those that it has opened itself, Go's runtime among them, are closed
// on exec.
func wasPassed(fd int) bool {
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
	return err == nil && flags&unix.FD_CLOEXEC == 0
}
