package worker

import (
	"fmt"
	"syscall"
	"time"

	"github.com/landlock-lsm/go-landlock/landlock"
	"golang.org/x/sys/unix"

	"gracevisor/internal/process"
)

// dropRights makes the process one that can do nothing but use the sockets it
// is given.
func dropRights() error {
	// The time zone is read when it is first needed, which would be too late.
	_ = time.Now().Local().String()
	if syscall.Geteuid() == 0 {
		if err := becomeUnprivileged(); err != nil {
			return err
		}
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("set no_new_privs: %w", err)
	}
	// Without any path that is allowed the process can open no file at all.
	// Kernels without landlock go without.
	if err := landlock.V5.BestEffort().RestrictPaths(); err != nil {
		return fmt.Errorf("restrict file access: %w", err)
	}
	return nil
}

func becomeUnprivileged() error {
	uid, gid, err := process.ProxyAccount()
	if err != nil {
		return err
	}
	if err := syscall.Setgroups([]int{gid}); err != nil {
		return fmt.Errorf("become unprivileged: set groups: %w", err)
	}
	if err := syscall.Setgid(gid); err != nil {
		return fmt.Errorf("become unprivileged: set group: %w", err)
	}
	if err := syscall.Setuid(uid); err != nil {
		return fmt.Errorf("become unprivileged: set user: %w", err)
	}
	return nil
}
