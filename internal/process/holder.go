package process

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

const (
	// HolderRole is the word that makes the binary the start command of
	// AppsUnit: it leaves a process behind that keeps the unit's cgroup.
	HolderRole = "holder"
	// HoldRole is the word for that process.
	HoldRole = "hold"
	// holderLeaf is the cgroup below the unit's that it lives in, so that the
	// unit's own is empty and its controllers can be enabled.
	holderLeaf = "holder"
)

// HolderMain is the start command of AppsUnit (Type=forking): it starts the
// process that holds the cgroup, and returns.
func HolderMain() error {
	mount, err := cgroupMount()
	if err != nil {
		return err
	}
	own, err := ownCgroup()
	if err != nil {
		return err
	}
	leaf := &Leaf{filepath.Join(mount, own, holderLeaf)}
	if err := os.MkdirAll(leaf.path, 0o755); err != nil {
		return fmt.Errorf("make cgroup: %w (Delegate=yes is needed)", err)
	}
	dir, err := leaf.Open()
	if err != nil {
		return err
	}
	defer dir.Close()
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer null.Close()
	_, err = syscall.ForkExec(selfExe, []string{"gracevisord", HoldRole}, &syscall.ProcAttr{
		Dir:   "/",
		Files: []uintptr{null.Fd(), null.Fd(), null.Fd()},
		Sys:   &syscall.SysProcAttr{Setsid: true, UseCgroupFD: true, CgroupFD: int(dir.Fd())},
	})
	if err != nil {
		return fmt.Errorf("start holder: %w", err)
	}
	return nil
}

// HoldMain does nothing until it is ended by a signal.
func HoldMain() {
	for {
		_ = syscall.Pause() // returns when a signal was handled
	}
}
