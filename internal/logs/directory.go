package logs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// maxLinks is how many symbolic links a path may lead over, as in
// path_resolution(7).
const maxLinks = 40

// directoryMode is the mode of directories that are made for log files.
const directoryMode = 0o750

// A directory is held by its descriptor, so that nobody can put another in its
// place between the check and the use.
type directory struct {
	fd   int
	name string
}

// openDirectory opens the directory called name for log files, and makes what
// is missing of it if create is set. It refuses symbolic links that belong to
// another user than root or the daemon's, and a directory that another user
// could write: there, he could have the daemon write into a file of his choice.
func openDirectory(name string, create bool) (*directory, error) {
	name, err := filepath.Abs(name)
	if err != nil {
		return nil, fmt.Errorf("find log directory %q: %w", name, err)
	}
	fd, err := walk(name, create)
	if err != nil {
		return nil, fmt.Errorf("open log directory %q: %w", name, err)
	}
	d := &directory{fd: fd, name: name}
	if err := d.check(); err != nil {
		d.close()
		return nil, err
	}
	return d, nil
}

func (d *directory) close() { unix.Close(d.fd) }

// path names a file in the directory, whatever has become of the directory's
// own name (proc_pid_fd(5)). It is valid until close.
func (d *directory) path(base string) string {
	return fmt.Sprintf("/proc/self/fd/%d/%s", d.fd, base)
}

// explain puts the directory's name back into the text of an error.
func (d *directory) explain(err error) error {
	held := strings.TrimSuffix(d.path(""), "/")
	return errors.New(strings.ReplaceAll(err.Error(), held, d.name))
}

// check refuses a directory that others can write.
func (d *directory) check() error {
	var st unix.Stat_t
	if err := unix.Fstat(d.fd, &st); err != nil {
		return fmt.Errorf("look at log directory %q: %w", d.name, err)
	}
	if !ours(st.Uid) {
		return fmt.Errorf("use log directory %q: it belongs to user %d, who could redirect what is written there; "+
			"give it to root or the daemon's user, or choose another", d.name, st.Uid)
	}
	if !othersCanWrite(&st, d.hasACL) {
		return nil
	}
	return fmt.Errorf("use log directory %q: its mode %v lets other users write there, who could redirect what is written; "+
		"take that right away, or choose a directory below it", d.name, fs.FileMode(st.Mode&0o777))
}

// othersCanWrite reports whether the mode lets anybody but root and the
// daemon's user write. The daemon's own group counts as its user, because many
// systems give each user a group of his own and a umask of 002.
func othersCanWrite(st *unix.Stat_t, hasACL func() bool) bool {
	if st.Mode&unix.S_IWOTH != 0 {
		return true
	}
	if st.Mode&unix.S_IWGRP == 0 {
		return false
	}
	return st.Gid != 0 && st.Gid != uint32(os.Getegid()) || hasACL()
}

// hasACL reports whether the directory has an access control list, of which the
// group's bits of the mode are then only the mask (acl(5)).
func (d *directory) hasACL() bool {
	n, err := unix.Getxattr(d.path(""), "system.posix_acl_access", nil)
	return err == nil && n > 0
}

// ours reports whether a user is one who may do what the daemon can do.
func ours(uid uint32) bool { return uid == 0 || uid == uint32(os.Geteuid()) }

// walk opens an absolute path one name after the other and returns an O_PATH
// descriptor of the directory.
func walk(name string, create bool) (int, error) {
	at, err := openRoot()
	if err != nil {
		return -1, err
	}
	rest := strings.Split(name, "/")
	for links := 0; len(rest) > 0; {
		part := rest[0]
		rest = rest[1:]
		if part == "" || part == "." {
			continue
		}
		child, target, err := enter(at, part, create)
		if err == nil && target != "" {
			if links++; links > maxLinks {
				err = unix.ELOOP
			}
			rest = append(strings.Split(target, "/"), rest...)
			if err == nil && filepath.IsAbs(target) {
				child, err = openRoot()
			}
		}
		if err != nil {
			unix.Close(at)
			return -1, err
		}
		if child >= 0 {
			unix.Close(at)
			at = child
		}
	}
	return at, nil
}

func openRoot() (int, error) {
	return unix.Open("/", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
}

// enter opens the directory called part in the directory at. If part is a
// symbolic link it returns where that leads instead, and no descriptor (-1).
func enter(at int, part string, create bool) (child int, target string, err error) {
	const flags = unix.O_PATH | unix.O_NOFOLLOW | unix.O_CLOEXEC
	child, err = unix.Openat(at, part, flags, 0)
	if err == unix.ENOENT && create {
		if err = unix.Mkdirat(at, part, directoryMode); err != nil && err != unix.EEXIST {
			return -1, "", fmt.Errorf("make %q: %w", part, err)
		}
		child, err = unix.Openat(at, part, flags, 0)
	}
	if err != nil {
		return -1, "", fmt.Errorf("enter %q: %w", part, err)
	}
	var st unix.Stat_t
	if err := unix.Fstat(child, &st); err != nil {
		unix.Close(child)
		return -1, "", fmt.Errorf("look at %q: %w", part, err)
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		return child, "", nil
	case unix.S_IFLNK:
		defer unix.Close(child)
		target, err := readLink(child, part, &st)
		return -1, target, err
	default:
		unix.Close(child)
		return -1, "", fmt.Errorf("enter %q: %w", part, unix.ENOTDIR)
	}
}

// readLink returns where a symbolic link leads that is safe to follow.
func readLink(fd int, part string, st *unix.Stat_t) (string, error) {
	if !ours(st.Uid) {
		return "", fmt.Errorf("follow the symbolic link %q: it belongs to user %d", part, st.Uid)
	}
	target := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(fd, "", target)
	if err != nil {
		return "", fmt.Errorf("read the symbolic link %q: %w", part, err)
	}
	return string(target[:n]), nil
}
