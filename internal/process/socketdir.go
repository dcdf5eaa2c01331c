package process

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// socketName is the name of the socket in its folder, and maxSocketPath how long
// a path may be (unix(7): sun_path holds 108 bytes with the final zero).
const (
	socketName    = "app.sock"
	maxSocketPath = 107
)

// A SocketDir is a folder for the Unix socket that one instance listens on. Only
// the app's user can make anything in it, and only the proxy's group can reach
// it.
type SocketDir struct {
	dir string
	uid int
	// group is what the socket is opened to, or -1 where everything runs as
	// the same user.
	group int
}

// MakeSocketDir makes the folder for an instance ("demo/7") of an app that runs
// as username, below base, which it makes if need be. group is the proxy's; it
// is of no use unless this process is root's. What an earlier instance of that
// name has left is removed.
func MakeSocketDir(base, instance, username string, group int) (*SocketDir, error) {
	who, err := resolve(username)
	if err != nil {
		return nil, fmt.Errorf("make socket folder of %s: %w", instance, err)
	}
	d := &SocketDir{dir: filepath.Join(base, strings.ReplaceAll(instance, "/", ".")), uid: who.uid, group: -1}
	if len(d.Path()) > maxSocketPath {
		return nil, fmt.Errorf("make socket folder of %s: %q is longer than the %d bytes a socket's path may have", instance, d.Path(), maxSocketPath)
	}
	if err := d.make(base, group); err != nil {
		return nil, fmt.Errorf("make socket folder of %s: %w", instance, err)
	}
	return d, nil
}

func (d *SocketDir) make(base string, group int) error {
	if err := os.MkdirAll(base, 0o711); err != nil {
		return err
	}
	if err := os.Chmod(base, 0o711); err != nil { // whatever our umask is
		return err
	}
	if err := os.RemoveAll(d.dir); err != nil {
		return err
	}
	if err := os.Mkdir(d.dir, 0o700); err != nil {
		return err
	}
	if os.Geteuid() != 0 {
		return nil
	}
	d.group = group
	// In this order: as soon as the folder is the app's, only the app's user
	// and root can change its mode.
	if err := os.Chmod(d.dir, 0o710); err != nil {
		return err
	}
	return os.Lchown(d.dir, d.uid, group)
}

// Path is where the app is to listen.
func (d *SocketDir) Path() string { return filepath.Join(d.dir, socketName) }

// Await waits until the app has made its socket, and opens it to the proxy. It
// ends with ctx.
func (d *SocketDir) Await(ctx context.Context) error {
	watch, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return fmt.Errorf("watch %s: %w", d.dir, err)
	}
	events := os.NewFile(uintptr(watch), "inotify")
	defer events.Close()
	if _, err := unix.InotifyAddWatch(watch, d.dir, unix.IN_CREATE|unix.IN_MOVED_TO|unix.IN_DELETE_SELF); err != nil {
		return fmt.Errorf("watch %s: %w", d.dir, err)
	}
	stop := context.AfterFunc(ctx, func() { events.Close() })
	defer stop()
	buffer := make([]byte, unix.SizeofInotifyEvent+unix.NAME_MAX+1)
	for {
		err := d.open()
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if _, err := events.Read(buffer); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return fmt.Errorf("watch %s: %w", d.dir, err)
		}
		if _, err := os.Lstat(d.dir); err != nil {
			return fmt.Errorf("wait for socket: %w", err)
		}
	}
}

// open lets the proxy connect to the socket, which takes the right to write. The
// folder is the app's: what lies there is held by a descriptor and looked at
// before anything is done to it, so that the app can not have us change
// something else through a link.
func (d *SocketDir) open() error {
	fd, err := unix.Open(d.Path(), unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return &fs.PathError{Op: "open", Path: d.Path(), Err: err}
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return &fs.PathError{Op: "stat", Path: d.Path(), Err: err}
	}
	switch {
	case st.Mode&unix.S_IFMT != unix.S_IFSOCK:
		return fmt.Errorf("use %s: it is not a socket", d.Path())
	case int(st.Uid) != d.uid && st.Uid != 0:
		return fmt.Errorf("use %s: it belongs to user %d, not to the app's user %d", d.Path(), st.Uid, d.uid)
	case d.group < 0:
		return nil
	}
	link := fmt.Sprintf("/proc/self/fd/%d", fd)
	if err := os.Chown(link, -1, d.group); err != nil {
		return fmt.Errorf("open %s to the proxy: %w", d.Path(), err)
	}
	if err := os.Chmod(link, 0o660); err != nil {
		return fmt.Errorf("open %s to the proxy: %w", d.Path(), err)
	}
	return nil
}

// Remove removes the folder and what lies in it.
func (d *SocketDir) Remove() error { return os.RemoveAll(d.dir) }

// FindSocketDir is the folder that MakeSocketDir has made for an instance.
func FindSocketDir(base, instance, username string, group int) (*SocketDir, error) {
	who, err := resolve(username)
	if err != nil {
		return nil, fmt.Errorf("find socket folder of %s: %w", instance, err)
	}
	d := &SocketDir{dir: filepath.Join(base, strings.ReplaceAll(instance, "/", ".")), uid: who.uid, group: -1}
	if os.Geteuid() == 0 {
		d.group = group
	}
	return d, nil
}
