package machine

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// cgroupPrefix begins the name of each machine's cgroup; the pid of the test
// process and a number follow.
const cgroupPrefix = "gvtest-"

// findCgroup returns the folder of this process's own cgroup in the second
// version of the cgroup interface (cgroups(7)), below which machines get theirs.
func findCgroup() (string, error) {
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return "", err
	}
	own, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(mounts)) {
		fields := strings.Fields(line)
		if len(fields) < 3 || fields[2] != "cgroup2" {
			continue
		}
		for line := range strings.Lines(string(own)) {
			if path, ok := strings.CutPrefix(strings.TrimSpace(line), "0::"); ok {
				return filepath.Join(fields[1], path), nil
			}
		}
	}
	return "", errors.New("no cgroup2 file system is mounted")
}

func makeCgroup(path string) (*os.File, error) {
	if err := os.Mkdir(path, 0o755); err != nil {
		return nil, fmt.Errorf("make cgroup: %w", err)
	}
	return os.Open(path)
}

// removeCgroup kills what is left in a cgroup, and removes it with all below.
func removeCgroup(path string) error {
	err := os.WriteFile(filepath.Join(path, "cgroup.kill"), []byte("1"), 0)
	if errors.Is(err, fs.ErrNotExist) { // the group, or the file on Linux before 5.14
		err = nil
	}
	deadline := time.Now().Add(DeadMan)
	for {
		removeErr := removeTree(path)
		if removeErr == nil {
			return err
		}
		// Killed processes leave the group a moment later.
		if !errors.Is(removeErr, unix.EBUSY) || time.Now().After(deadline) {
			return errors.Join(err, fmt.Errorf("remove cgroup: %w", removeErr))
		}
		time.Sleep(poll)
	}
}

// removeTree removes a cgroup that holds no process. Its files cannot be
// removed, only folders can.
func removeTree(path string) error {
	entries, err := os.ReadDir(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if entry.IsDir() {
			if err := removeTree(filepath.Join(path, entry.Name())); err != nil {
				return err
			}
		}
	}
	if err := unix.Rmdir(path); err != nil && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// sweepCgroups removes the groups that killed keepers have left: those of test
// processes that are gone.
func sweepCgroups(parent string) error {
	left, err := filepath.Glob(filepath.Join(parent, cgroupPrefix+"*"))
	if err != nil {
		return err
	}
	var all error
	for _, path := range left {
		owner, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(path), cgroupPrefix), "-")
		pid, err := strconv.Atoi(owner)
		if err != nil || unix.Kill(pid, 0) == nil {
			continue
		}
		all = errors.Join(all, removeCgroup(path))
	}
	return all
}
