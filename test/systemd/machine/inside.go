package machine

import (
	"fmt"
	"os"
	"os/exec"

	"golang.org/x/sys/unix"
)

// mount is one call of mount(2).
type mount struct {
	source, target, kind string
	flags                uintptr
	data                 string
}

// rebootStatus is the exit status of systemd-nspawn --keep-unit after which it
// is to be started again.
const rebootStatus = 133

// enter is the first process of the machine's namespaces: it mounts what the
// machine needs, and boots it, until it powers off.
func (s spec) enter() error {
	if err := s.mount(); err != nil {
		return err
	}
	for {
		cmd := exec.Command("systemd-nspawn", s.nspawnArgs()...)
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		err := cmd.Run()
		if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != rebootStatus {
			return err
		}
	}
}

func (s spec) mount() error {
	// Relative paths: whatever is in the checkout's own cannot break the
	// options of the overlay.
	if err := os.Chdir(s.Cache); err != nil {
		return err
	}
	if err := mountAll(mount{"", "/", "", unix.MS_REC | unix.MS_PRIVATE, ""},
		mount{"tmpfs", mountPoint, "tmpfs", 0, "mode=755,size=768m"}); err != nil {
		return err
	}
	for _, dir := range []string{"upper", "work", "root"} {
		if err := os.Mkdir(mountPoint+"/"+dir, 0o755); err != nil {
			return err
		}
	}
	return mountAll(mount{"overlay", mountPoint + "/root", "overlay", 0,
		fmt.Sprintf("lowerdir=%s,upperdir=%[2]s/upper,workdir=%[2]s/work", s.Root, mountPoint)},
		mount{"proc", "/proc", "proc", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC, ""},
		mount{"cgroup2", "/sys/fs/cgroup", "cgroup2", 0, ""},
		mount{"tmpfs", "/run", "tmpfs", 0, "mode=755"})
}

func (s spec) nspawnArgs() []string {
	args := []string{"--quiet", "--directory=" + mountPoint + "/root", "--boot",
		"--register=no", "--keep-unit", "--machine=" + s.Name, "--link-journal=no",
		"--console=pipe", "--private-network", "--resolv-conf=off", "--timezone=off"}
	// The worker gives up the file system with these.
	for _, call := range []string{"create_ruleset", "add_rule", "restrict_self"} {
		args = append(args, "--system-call-filter=landlock_"+call)
	}
	return args
}

// mountPoint is a folder in the cache.
const mountPoint = "mnt"

func mountAll(mounts ...mount) error {
	for _, m := range mounts {
		if err := unix.Mount(m.source, m.target, m.kind, m.flags, m.data); err != nil {
			return fmt.Errorf("mount %s: %w", m.target, err)
		}
	}
	return nil
}
