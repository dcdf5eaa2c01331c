package machine

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"gracevisor/test/unavailable"
)

// host is what machines of this test process need of the host. It is prepared
// once.
type host struct {
	once        sync.Once
	err         error
	module      string // the folder of go.mod
	cache, root string // see makeRoot
	cgroup      string // the folder of this process's own cgroup
	told        atomic.Bool
	machines    int // made so far
	mu          sync.Mutex
}

var local host

// Require skips the test if machines cannot be made on this host. The first one
// tells why, and fails where CI=true.
func Require(t testing.TB) {
	t.Helper()
	local.once.Do(func() { local.err = local.prepare() })
	if local.err == nil {
		return
	}
	if !local.told.CompareAndSwap(false, true) {
		t.Skip("for the reason that was told before")
	}
	unavailable.Tool(t, fmt.Sprintf("on a real systemd: %v", local.err))
}

// Root is the folder of the root file system that machines have, for a test that
// boots it in another way. It is not to be changed.
func Root(t testing.TB) string {
	t.Helper()
	Require(t)
	return filepath.Join(local.cache, local.root)
}

func (h *host) prepare() error {
	if !mainCalled {
		return errors.New("TestMain does not call machine.Main")
	}
	if os.Geteuid() != 0 {
		return errors.New("it needs root")
	}
	var err error
	if h.module, err = findModule(); err != nil {
		return err
	}
	if err := h.installTools(); err != nil {
		return err
	}
	if h.cgroup, err = findCgroup(); err != nil {
		return err
	}
	if err := sweepCgroups(h.cgroup); err != nil {
		return err
	}
	if err := h.try(); err != nil {
		return fmt.Errorf("this machine does not allow it, as a container without --privileged: %w", err)
	}
	h.cache, h.root, err = makeRoot(h.module)
	return err
}

// installTools installs what the tests need if anything of it is missing.
func (h *host) installTools() error {
	for _, tool := range []string{"systemd-nspawn", "mmdebstrap", "nsenter"} {
		if _, err := exec.LookPath(tool); err == nil {
			continue
		}
		out, err := exec.Command(filepath.Join(h.module, "test/install-deps")).CombinedOutput()
		if err != nil {
			return fmt.Errorf("install %s: %w\n%s", tool, err, out)
		}
	}
	return nil
}

// try does what each machine takes of the host, so that it is told once, and not
// by each test, what is not to be had: a cgroup, and mounts in namespaces.
func (h *host) try() error {
	path := filepath.Join(h.cgroup, fmt.Sprintf("%s%d-0", cgroupPrefix, os.Getpid()))
	group, err := makeCgroup(path)
	if err != nil {
		return err
	}
	defer group.Close()
	cmd := exec.Command("mount", "-t", "tmpfs", "tmpfs", os.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:   syscall.CLONE_NEWNS | syscall.CLONE_NEWPID,
		Unshareflags: syscall.CLONE_NEWNS, // else mounts may be shared with the host
		UseCgroupFD:  true,
		CgroupFD:     int(group.Fd()),
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("mount in namespaces of its own: %w: %s", err, out)
	}
	return errors.Join(err, removeCgroup(path))
}

// next names a machine.
func (h *host) next() spec {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.machines++
	name := fmt.Sprintf("%s%d-%d", cgroupPrefix, os.Getpid(), h.machines)
	return spec{Name: name, Cache: h.cache, Root: h.root, Cgroup: filepath.Join(h.cgroup, name)}
}

// findModule returns the nearest folder above that holds a go.mod.
func findModule() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("no go.mod above the working directory")
		}
		dir = filepath.Dir(dir)
	}
}
