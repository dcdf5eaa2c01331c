package process

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// cgroupPatience bounds the wait for a delegated cgroup that has gone.
const cgroupPatience = 5 * time.Second

// MakeLeaf makes the cgroup of an instance and sets its limits. Those that can
// not be set are named in unset, with the reason.
//
// When everything in AppsUnit has died the service manager removes its cgroup,
// and makes another a moment later, in which no controller is enabled. MakeLeaf
// waits for that one, because apps and workers are wanted more than ever then,
// and enables in it what the first one had.
func (c *Cgroups) MakeLeaf(instance string, limits Limits) (leaf *Leaf, unset []string, err error) {
	leaf = &Leaf{filepath.Join(c.root, LeafName(instance))}
	deadline := time.Now().Add(cgroupPatience)
	for pause := firstLook; ; pause = min(2*pause, lastLook) {
		enableErr := c.enableAgain()
		if err = os.Mkdir(leaf.path, 0o755); errors.Is(err, fs.ErrExist) {
			err = nil
		}
		if !isBetweenCgroups(err) && !isBetweenCgroups(enableErr) || time.Now().After(deadline) {
			break
		}
		time.Sleep(pause)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("make cgroup of %s: %w", instance, err)
	}
	for name, text := range limits.files() {
		if err := writeCgroup(leaf.path, name, text); err != nil {
			unset = append(unset, fmt.Sprintf("%s: %v", name, err))
		}
	}
	slices.Sort(unset)
	return leaf, unset, nil
}

// enableAgain enables the controllers that leaves are to have, if they do not. An
// error leaves something for limits to fail with.
func (c *Cgroups) enableAgain() error {
	enabled, err := readCgroup(c.root, "cgroup.subtree_control")
	if err != nil {
		return err
	}
	for _, name := range c.controllers {
		if !slices.Contains(strings.Fields(enabled), name) {
			err = errors.Join(err, writeCgroup(c.root, "cgroup.subtree_control", "+"+name))
		}
	}
	return err
}

// isBetweenCgroups reports whether an error is that of a cgroup which is being
// removed, is not there yet, or still holds the start command of its unit, which
// keeps controllers from being enabled.
func isBetweenCgroups(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENODEV) || errors.Is(err, unix.EBUSY)
}
