package process

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// AppsUnit is the unit in whose delegated cgroup instances and workers live. It
// is not the daemon's own: with processes left in one and controllers enabled,
// the kernel lets no new main process into it (no internal processes, cgroups(7)).
const AppsUnit = "gracevisor-apps.service"

// Cgroups is a part of the cgroup tree (cgroups(7), version 2) that was
// delegated to us. It may be used by any goroutine.
type Cgroups struct {
	root string
	// controllers are those that could be enabled for its leaves.
	controllers []string
}

// FindCgroups finds the cgroup of AppsUnit beside this process's own. The error
// says why there is none; then process groups have to do.
func FindCgroups() (*Cgroups, error) {
	mount, err := cgroupMount()
	if err != nil {
		return nil, err
	}
	own, err := ownCgroup()
	if err != nil {
		return nil, err
	}
	return OpenCgroups(filepath.Join(mount, filepath.Dir(own), AppsUnit))
}

// OpenCgroups takes a cgroup over, whose processes are all in cgroups below it,
// and enables for its leaves what controllers it has.
func OpenCgroups(root string) (*Cgroups, error) {
	if err := unix.Access(filepath.Join(root, "cgroup.procs"), unix.W_OK); err != nil {
		return nil, fmt.Errorf("use cgroup %s: %w", root, err)
	}
	available, err := readCgroup(root, "cgroup.controllers")
	if err != nil {
		return nil, err
	}
	c := &Cgroups{root: root}
	for _, name := range []string{"memory", "cpu", "pids", "io"} {
		if !slices.Contains(strings.Fields(available), name) {
			continue
		}
		if err := writeCgroup(root, "cgroup.subtree_control", "+"+name); err == nil {
			c.controllers = append(c.controllers, name)
		}
	}
	return c, nil
}

// Root is the folder of the delegated cgroup.
func (c *Cgroups) Root() string { return c.root }

// Controllers are those that leaves have.
func (c *Cgroups) Controllers() []string { return c.controllers }

// Limits bound what an instance may use. 0 means no limit.
type Limits struct {
	// MemoryMax and MemoryHigh in bytes.
	MemoryMax, MemoryHigh int64
	// CPUMax in thousandths of a CPU.
	CPUMax  int
	PidsMax int
	// IOWeight is 1 to 10000.
	IOWeight int
}

// cpuPeriod is the period of cpu.max in microseconds, the kernel's own default.
const cpuPeriod = 100_000

// files are the settings by file, without those that are not wanted.
func (l Limits) files() map[string]string {
	files := make(map[string]string)
	set := func(name string, value int64, text string) {
		if value != 0 {
			files[name] = text
		}
	}
	set("memory.max", l.MemoryMax, strconv.FormatInt(l.MemoryMax, 10))
	set("memory.high", l.MemoryHigh, strconv.FormatInt(l.MemoryHigh, 10))
	set("cpu.max", int64(l.CPUMax), fmt.Sprintf("%d %d", l.CPUMax*cpuPeriod/1000, cpuPeriod))
	set("pids.max", int64(l.PidsMax), strconv.Itoa(l.PidsMax))
	set("io.weight", int64(l.IOWeight), fmt.Sprintf("default %d", l.IOWeight))
	return files
}

// A Leaf is the cgroup of one instance.
type Leaf struct{ path string }

// leafPrefix begins the names of leaves.
const leafPrefix = "app-"

// LeafName is the name of an instance's leaf: "demo/7" is "app-demo-7".
func LeafName(instance string) string { return leafPrefix + strings.ReplaceAll(instance, "/", "-") }

// FindLeaf is the cgroup of an instance that was made earlier, or nil.
func (c *Cgroups) FindLeaf(instance string) *Leaf {
	leaf := &Leaf{filepath.Join(c.root, LeafName(instance))}
	if _, err := os.Stat(leaf.path); err != nil {
		return nil
	}
	return leaf
}

// leafPatience bounds the wait for a leaf that was killed to be empty.
const leafPatience = time.Second

// EndLeaves ends whatever is in leaves of which none of the instances knows, and
// removes them. Nobody may make a leaf meanwhile.
func (c *Cgroups) EndLeaves(known func(leaf string) bool) (ended []string, err error) {
	entries, err := os.ReadDir(c.root)
	if err != nil {
		return nil, fmt.Errorf("look for cgroups: %w", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), leafPatience)
	defer cancel()
	for _, entry := range entries {
		if !entry.IsDir() || !strings.HasPrefix(entry.Name(), leafPrefix) || known(entry.Name()) {
			continue
		}
		leaf := &Leaf{filepath.Join(c.root, entry.Name())}
		ended = append(ended, entry.Name())
		err = errors.Join(err, leaf.End(ctx))
	}
	return ended, err
}

// End kills what is in the leaf, and removes it once it is empty.
func (l *Leaf) End(ctx context.Context) error {
	return errors.Join(l.Kill(), l.AwaitEmpty(ctx), l.Remove())
}

// Open opens the leaf's folder, for SysProcAttr.CgroupFD.
func (l *Leaf) Open() (*os.File, error) {
	fd, err := unix.Open(l.path, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: l.path, Err: err}
	}
	return os.NewFile(uintptr(fd), l.path), nil
}

// PIDs are the processes in the leaf.
func (l *Leaf) PIDs() ([]int, error) {
	text, err := readCgroup(l.path, "cgroup.procs")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, field := range strings.Fields(text) {
		if pid, err := strconv.Atoi(field); err == nil && pid > 0 {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

// Kill kills all that is in the leaf, whatever it forks meanwhile. A leaf that
// is no more there is dead.
func (l *Leaf) Kill() error {
	err := writeCgroup(l.path, "cgroup.kill", "1")
	if errors.Is(err, fs.ErrNotExist) {
		if _, statErr := os.Stat(l.path); errors.Is(statErr, fs.ErrNotExist) {
			return nil
		}
	}
	return err
}

// Empty reports whether no process is in the leaf.
func (l *Leaf) Empty() bool {
	text, err := readCgroup(l.path, "cgroup.events")
	if errors.Is(err, fs.ErrNotExist) {
		return true
	}
	return err == nil && cgroupValue(text, "populated") == 0
}

// AwaitEmpty waits until no process is in the leaf, or ctx ends.
func (l *Leaf) AwaitEmpty(ctx context.Context) error {
	watch, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return fmt.Errorf("watch cgroup %s: %w", l.path, err)
	}
	events := os.NewFile(uintptr(watch), "inotify")
	defer events.Close()
	_, err = unix.InotifyAddWatch(watch, filepath.Join(l.path, "cgroup.events"), unix.IN_MODIFY|unix.IN_DELETE_SELF)
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("watch cgroup %s: %w", l.path, err)
	}
	stop := context.AfterFunc(ctx, func() { events.Close() })
	defer stop()
	buffer := make([]byte, unix.SizeofInotifyEvent+unix.NAME_MAX+1)
	for pause := firstLook; !l.Empty(); pause = min(2*pause, lastLook) {
		// Seen on Linux 6.18: now and then a cgroup that becomes empty just after
		// it was watched is not announced.
		_ = events.SetReadDeadline(time.Now().Add(pause))
		_, err := events.Read(buffer)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil && !errors.Is(err, os.ErrDeadlineExceeded):
			return fmt.Errorf("watch cgroup %s: %w", l.path, err)
		}
	}
	return nil
}

// Usage is what an instance uses.
type Usage struct {
	// Memory in bytes and CPU in microseconds; -1 where no controller tells.
	Memory, CPU int64
	// OOMKills is how many of its processes the kernel has killed for want of
	// memory.
	OOMKills int64
}

// Usage tells what the leaf uses.
func (l *Leaf) Usage() Usage {
	u := Usage{Memory: -1, CPU: -1}
	if text, err := readCgroup(l.path, "memory.current"); err == nil {
		if n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64); err == nil {
			u.Memory = n
		}
	}
	if text, err := readCgroup(l.path, "cpu.stat"); err == nil {
		u.CPU = cgroupValue(text, "usage_usec")
	}
	if text, err := readCgroup(l.path, "memory.events"); err == nil {
		u.OOMKills = max(cgroupValue(text, "oom_kill"), 0)
	}
	return u
}

// Remove removes the leaf, which has to be empty, and what was made below it.
func (l *Leaf) Remove() error {
	below, err := os.ReadDir(l.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, entry := range below {
		if entry.IsDir() {
			if err := (&Leaf{filepath.Join(l.path, entry.Name())}).Remove(); err != nil {
				return err
			}
		}
	}
	if err := os.Remove(l.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove cgroup: %w", err)
	}
	return nil
}

// cgroupValue is the number behind a key in a flat keyed file, or -1.
func cgroupValue(text, key string) int64 {
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		if name != key {
			continue
		}
		if n, err := strconv.ParseInt(value, 10, 64); err == nil {
			return n
		}
	}
	return -1
}

func readCgroup(dir, name string) (string, error) {
	text, err := os.ReadFile(filepath.Join(dir, name))
	return string(text), err
}

func writeCgroup(dir, name, text string) error {
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

// cgroupMount is where cgroup version 2 is mounted; beside version 1 that is
// /sys/fs/cgroup/unified.
func cgroupMount() (string, error) {
	for _, dir := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified"} {
		var st unix.Statfs_t
		if unix.Statfs(dir, &st) == nil && st.Type == unix.CGROUP2_SUPER_MAGIC {
			return dir, nil
		}
	}
	return "", errors.New("find cgroups: version 2 is not mounted")
}

// ownCgroup is the cgroup of this process, relative to the mount.
func ownCgroup() (string, error) {
	text, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(text)) {
		if path, ok := strings.CutPrefix(strings.TrimSpace(line), "0::"); ok {
			return path, nil
		}
	}
	return "", errors.New("find cgroups: this process is in none of version 2")
}
