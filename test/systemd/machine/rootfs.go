package machine

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// recipe is all that a root file system is made of. A change of it makes a new
// one.
type recipe struct {
	suite    string
	packages []string
	// exclude are not unpacked while the root file system is made. What is
	// installed later comes whole.
	exclude []string
	// masked units take time at boot and are of no use here.
	masked []string
	files  map[string]string
}

var bookworm = recipe{
	suite: "bookworm",
	packages: []string{"systemd", "systemd-sysv", "dbus", "polkitd", "init-system-helpers",
		"procps", "iproute2", "curl", "adduser", "libcap2-bin"},
	exclude: []string{"man", "doc", "locale", "i18n", "info"},
	masked: []string{
		"systemd-logind.service", "systemd-update-utmp.service", "systemd-update-utmp-runlevel.service",
		"systemd-journal-flush.service", "systemd-remount-fs.service", "systemd-resolved.service",
		"systemd-timesyncd.service", "systemd-networkd.service", "systemd-firstboot.service",
		"systemd-user-sessions.service", "dev-hugepages.mount", "dev-mqueue.mount",
		"getty.target", "getty-static.service", "console-getty.service", "remote-fs.target",
		"apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer",
		"e2scrub_reap.service", "fstrim.timer", "systemd-tmpfiles-clean.timer",
		"modprobe@configfs.service", "modprobe@drm.service", "modprobe@efi_pstore.service",
		"modprobe@fuse.service", "modprobe@loop.service", "modprobe@dm_mod.service",
	},
	files: map[string]string{
		// With an id of its own the first boot is as all others are.
		"etc/machine-id": "67726163657669736f7200000000cafe\n",
		"etc/hosts":      "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n",
		// Of the host otherwise; there is no network.
		"etc/hostname":                          "machine\n",
		"etc/resolv.conf":                       "",
		"etc/systemd/journald.conf.d/test.conf": "[Journal]\nStorage=volatile\nRateLimitIntervalSec=0\n",
	},
}

// cacheDir is where root file systems are kept, below the folder of go.mod.
const cacheDir = ".cache/systemd"

// makeRoot returns the cache folder and the name of the root file system in it,
// and makes that if it is missing (half a minute, and a download).
func makeRoot(module string) (cache, name string, err error) {
	cache = filepath.Join(module, cacheDir)
	if err := os.MkdirAll(filepath.Join(cache, mountPoint), 0o755); err != nil {
		return "", "", fmt.Errorf("make cache: %w", err)
	}
	name = bookworm.name()
	// A bare descriptor, which nothing closes: the lock is held for reading as
	// long as this process lives, because it uses a root file system.
	lock, err := unix.Open(filepath.Join(cache, "lock"), unix.O_CREAT|unix.O_RDWR|unix.O_CLOEXEC, 0o644)
	if err != nil {
		return "", "", fmt.Errorf("lock cache: %w", err)
	}
	if err := unix.Flock(lock, unix.LOCK_SH); err != nil {
		return "", "", fmt.Errorf("lock cache: %w", err)
	}
	if _, err := os.Stat(filepath.Join(cache, name)); err == nil {
		return cache, name, nil
	}
	// Nobody uses an older one once this lock is held.
	if err := unix.Flock(lock, unix.LOCK_EX); err != nil {
		return "", "", fmt.Errorf("lock cache: %w", err)
	}
	if err := bookworm.make(cache, name); err != nil {
		return "", "", fmt.Errorf("make root file system: %w", err)
	}
	if err := unix.Flock(lock, unix.LOCK_SH); err != nil {
		return "", "", fmt.Errorf("lock cache: %w", err)
	}
	return cache, name, nil
}

func (r recipe) name() string {
	return fmt.Sprintf("%s-%x", r.suite, sha256.Sum256(fmt.Appendf(nil, "%q", r)))[:24]
}

// make makes the root file system, and removes those of other recipes.
func (r recipe) make(cache, name string) error {
	if _, err := os.Stat(filepath.Join(cache, name)); err == nil {
		return nil // somebody else was first
	}
	others, err := filepath.Glob(filepath.Join(cache, "*-*"))
	if err != nil {
		return err
	}
	for _, other := range others {
		if err := os.RemoveAll(other); err != nil {
			return err
		}
	}
	fmt.Fprintln(os.Stderr, "machine: making the root file system, once")
	partial := filepath.Join(cache, "partial-"+name)
	args := []string{"--quiet", "--variant=apt", "--include=" + strings.Join(r.packages, ",")}
	for _, exclude := range r.exclude {
		args = append(args, "--dpkgopt=path-exclude=/usr/share/"+exclude+"/*")
	}
	out, err := exec.Command("mmdebstrap", append(args, r.suite, partial)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("mmdebstrap: %w\n%s", err, out)
	}
	if err := r.adapt(partial); err != nil {
		return err
	}
	return os.Rename(partial, filepath.Join(cache, name))
}

// adapt changes a new root file system as the recipe says.
func (r recipe) adapt(root string) error {
	excludes, err := filepath.Glob(filepath.Join(root, "etc/dpkg/dpkg.cfg.d/*mmdebstrap"))
	if err != nil {
		return err
	}
	for _, path := range excludes {
		if err := os.Remove(path); err != nil {
			return err
		}
	}
	units := filepath.Join(root, "etc/systemd/system")
	for _, unit := range r.masked {
		if err := symlink("/dev/null", filepath.Join(units, unit)); err != nil {
			return err
		}
	}
	if err := symlink("/usr/lib/systemd/system/multi-user.target", filepath.Join(units, "default.target")); err != nil {
		return err
	}
	for path, text := range r.files {
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// symlink makes a link in the place of whatever is there.
func symlink(target, path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.Symlink(target, path)
}
