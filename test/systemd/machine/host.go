package machine

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// host is what machines of this test process need of the host. It is prepared
// once.
type host struct {
	once        sync.Once
	err         error
	module      string // the folder of go.mod
	cache, root string // see makeRoot
	cgroup      string // the folder of this process's own cgroup
	machines    int    // made so far
	mu          sync.Mutex
}

var local host

// Require skips the test, or lets it fail where CI=true, if machines cannot be
// made on this host.
func Require(t testing.TB) {
	t.Helper()
	local.once.Do(func() { local.err = local.prepare() })
	if local.err == nil {
		return
	}
	reason := fmt.Sprintf("NOT TESTED on a real systemd: %v", local.err)
	if os.Getenv("CI") == "true" {
		t.Fatal(reason)
	}
	fmt.Fprintf(os.Stderr, "%s: %s\n", t.Name(), reason)
	t.Skip(reason)
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
