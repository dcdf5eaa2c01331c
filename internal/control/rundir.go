package control

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// Names of files in the runtime directory.
const (
	SocketFile = "control.sock"
	TokenFile  = "rpc.token"
	lockFile   = "gracevisord.lock"
)

// TokenDraft matches the names (path.Match) under which a token is written before
// it is put into its place. Whoever holds the lock may remove such a file: it was
// left by a daemon that was killed meanwhile.
const TokenDraft = "." + TokenFile + "-*"

// systemRuntimeDirectory is that of a daemon run by root.
const systemRuntimeDirectory = "/run/gracevisor"

// RuntimeDirectory is where a daemon of this process's user has its runtime
// files: $RUNTIME_DIRECTORY (set by systemd, systemd.exec(5)); else
// /run/gracevisor for root; else gracevisor below $XDG_RUNTIME_DIR; else
// /tmp/gracevisor-UID. It need not exist: see PrepareRuntimeDirectory.
func RuntimeDirectory() string { return runtimeDirectory(os.Getenv, os.Geteuid()) }

func runtimeDirectory(getenv func(string) string, uid int) string {
	if dir := givenDirectory(getenv("RUNTIME_DIRECTORY")); dir != "" {
		return dir
	}
	if uid == 0 {
		return systemRuntimeDirectory
	}
	if base := getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(base) {
		return filepath.Join(base, "gracevisor")
	}
	return fallbackDirectory(uid)
}

// givenDirectory picks ours from the value of $RUNTIME_DIRECTORY, in which
// systemd joins the directories of a unit with colons.
func givenDirectory(value string) string {
	var first string
	for dir := range strings.SplitSeq(value, ":") {
		if !filepath.IsAbs(dir) {
			continue
		}
		if filepath.Base(dir) == "gracevisor" {
			return filepath.Clean(dir)
		}
		if first == "" {
			first = filepath.Clean(dir)
		}
	}
	return first
}

func fallbackDirectory(uid int) string { return "/tmp/gracevisor-" + strconv.Itoa(uid) }

// DefaultSocket is where a control program finds the daemon: control.sock in
// $RUNTIME_DIRECTORY; for root in /run/gracevisor; for others in their own
// runtime directory if there is one, else in /run/gracevisor.
func DefaultSocket() string { return defaultSocket(os.Getenv, os.Geteuid()) }

func defaultSocket(getenv func(string) string, uid int) string {
	dir := runtimeDirectory(getenv, uid)
	path := filepath.Join(dir, SocketFile)
	if uid == 0 || givenDirectory(getenv("RUNTIME_DIRECTORY")) != "" {
		return path
	}
	// Anybody can make a directory of our name in /tmp, and a daemon's socket
	// in it: it counts only if it is ours.
	if _, err := os.Lstat(path); err == nil && checkDirectory(dir, uid) == nil {
		return path
	}
	return filepath.Join(systemRuntimeDirectory, SocketFile)
}

// PrepareRuntimeDirectory makes dir if it does not exist, for everybody to
// enter if we are root and for us alone if not, and makes sure that nobody else
// can put files into it.
func PrepareRuntimeDirectory(dir string) error {
	uid := os.Geteuid()
	mode := os.FileMode(0o700)
	if uid == 0 {
		mode = 0o755
	}
	if err := os.MkdirAll(dir, mode); err != nil {
		return fmt.Errorf("make the runtime directory: %w", err)
	}
	return checkDirectory(dir, uid)
}

// checkDirectory says whether dir is a directory that only uid, or root, can
// write to. The one in /tmp must be closed to all others: it is named by a rule
// that everybody knows.
func checkDirectory(dir string, uid int) error {
	info, err := os.Lstat(dir)
	if err != nil {
		return fmt.Errorf("check the runtime directory: %w", err)
	}
	if !info.IsDir() {
		return fmt.Errorf("check the runtime directory: %s is no directory", dir)
	}
	owner := int(info.Sys().(*syscall.Stat_t).Uid)
	perm := info.Mode().Perm()
	switch {
	case owner != uid && owner != 0:
		return fmt.Errorf("check the runtime directory: %s belongs to uid %d", dir, owner)
	case perm&0o002 != 0:
		return fmt.Errorf("check the runtime directory: everybody can write to %s", dir)
	case dir == fallbackDirectory(uid) && (owner != uid || perm&0o077 != 0):
		return fmt.Errorf("check the runtime directory: %s is open to others (mode %04o, want 0700)", dir, perm)
	}
	return nil
}
