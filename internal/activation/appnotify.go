package activation

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// maxNotifyPath is how long the path of a Unix socket may be (unix(7):
	// sun_path holds 108 bytes with the final zero).
	maxNotifyPath = 107
	// notifyBurst is how many messages an instance may send in a notifyWindow.
	// Beyond it, it waits: the kernel's queue is short, and sd_notify(3) blocks.
	notifyBurst  = 100
	notifyWindow = time.Second
)

// An AppNotify is the socket to which one instance tells its state, as a service
// tells its to systemd (sd_notify(3)). Its path is the NOTIFY_SOCKET of the
// instance.
//
// Only processes of the app's user (and root's) can open it, and only what comes
// from a process of the instance counts; the kernel says which process that is.
// No file descriptor that is sent stays open, and whatever is sent, an instance
// costs the daemon no more than notifyBurst messages in a second.
type AppNotify struct {
	path     string
	instance string
	log      *slog.Logger
	file     *os.File
	raw      syscall.RawConn
	// burst and window are those above, but in tests.
	burst  int
	window time.Duration

	closing sync.Once
	closed  chan struct{}

	// What follows belongs to the goroutine of Run.

	text, control []byte
	// told is what has been logged.
	told map[string]bool
	// handled messages came in the window that began at since.
	handled int
	since   time.Time
}

// NewAppNotify makes the socket of an instance ("demo/7") whose processes run as
// uid and gid, in dir, which is made if only it is missing. A socket that an
// earlier daemon had there for the instance is replaced, so that an instance
// which outlives a daemon finds the next one under the same name. Nothing is
// received until Run is called.
func NewAppNotify(dir, instance string, uid, gid int, log *slog.Logger) (*AppNotify, error) {
	n := &AppNotify{
		path:     filepath.Join(dir, strings.ReplaceAll(instance, "/", ".")+".notify"),
		instance: instance,
		log:      log,
		burst:    notifyBurst,
		window:   notifyWindow,
		closed:   make(chan struct{}),
		text:     make([]byte, maxNotification+1),
		control:  make([]byte, controlSize),
		told:     make(map[string]bool),
	}
	if len(n.path) > maxNotifyPath {
		return nil, fmt.Errorf("make notify socket of %s: %q is longer than the %d bytes a socket's path may have", instance, n.path, maxNotifyPath)
	}
	if err := makeNotifyDir(dir); err != nil {
		return nil, fmt.Errorf("make notify socket of %s: %w", instance, err)
	}
	if err := n.bind(uid, gid); err != nil {
		return nil, fmt.Errorf("make notify socket of %s: %w", instance, err)
	}
	return n, nil
}

// makeNotifyDir makes a folder in which nobody but its owner can make or list
// anything, and where everybody finds what he knows the name of. The umask of
// the daemon does not count.
func makeNotifyDir(dir string) error {
	const mode = 0o711
	err := os.Mkdir(dir, mode)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err == nil {
		err = os.Chmod(dir, mode)
	}
	return err
}

func (n *AppNotify) bind(uid, gid int) error {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("make socket: %w", err)
	}
	n.file = os.NewFile(uintptr(fd), "notify:"+n.instance)
	if err := n.bindFD(fd, uid, gid); err != nil {
		n.file.Close()
		return err
	}
	n.raw, err = n.file.SyscallConn()
	return err
}

func (n *AppNotify) bindFD(fd, uid, gid int) error {
	// Before there is a name: no message is without its sender's credentials,
	// and nobody else can open the socket even for a moment (bind takes over
	// the mode of the socket itself).
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PASSCRED, 1); err != nil {
		return fmt.Errorf("ask for credentials: %w", err)
	}
	if err := unix.Fchmod(fd, 0o600); err != nil {
		return fmt.Errorf("close it to others: %w", err)
	}
	if err := os.Remove(n.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: n.path}); err != nil {
		return fmt.Errorf("bind %s: %w", n.path, err)
	}
	if uid == os.Geteuid() {
		return nil
	}
	if err := os.Lchown(n.path, uid, gid); err != nil {
		return errors.Join(err, os.Remove(n.path))
	}
	return nil
}

// Path is what the instance gets as NOTIFY_SOCKET.
func (n *AppNotify) Path() string { return n.path }

// Run receives until Close, and calls deliver for each message that says
// something, in order; what follows is not read, nor a barrier acknowledged,
// before deliver has returned. owns tells whether a process belongs to the
// instance. It is called once.
func (n *AppNotify) Run(owns func(pid int) bool, deliver func(AppEvent)) {
	for {
		message, err := n.receive()
		switch {
		case err != nil && n.isClosed():
			return
		case err != nil:
			n.tell("cannot receive what an instance notifies", "", "error", err)
		case message.pid <= 0 || !owns(message.pid):
			n.tell("ignoring a notification of a process that is not the instance's", "", "pid", message.pid, "uid", message.uid)
		case message.tooLong:
			n.tell("ignoring a notification that is too long", "", "pid", message.pid)
		default:
			n.take(message, deliver)
		}
		if !n.pace() {
			return
		}
	}
}

// take delivers what an instance has to say.
func (n *AppNotify) take(message notification, deliver func(AppEvent)) {
	event, refused := parseNotification(message.text)
	for _, name := range refused {
		n.tell("ignoring a notification that only the daemon may make", name, "assignment", name, "pid", message.pid)
	}
	if event != (AppEvent{}) {
		event.PID = message.pid
		deliver(event)
	}
}

// pace waits if the instance has sent too much. It returns false when the socket
// is closed meanwhile.
func (n *AppNotify) pace() bool {
	if n.handled == 0 {
		n.since = time.Now()
	}
	if n.handled++; n.handled < n.burst {
		return true
	}
	n.handled = 0
	wait := time.NewTimer(time.Until(n.since.Add(n.window)))
	defer wait.Stop()
	select {
	case <-wait.C:
		return true
	case <-n.closed:
		return false
	}
}

func (n *AppNotify) isClosed() bool {
	select {
	case <-n.closed:
		return true
	default:
		return false
	}
}

// tell logs something, the first time that it happens, for each detail.
func (n *AppNotify) tell(what, detail string, args ...any) {
	if key := what + detail; !n.told[key] {
		n.told[key] = true
		n.log.Warn(what, append([]any{"instance", n.instance}, args...)...)
	}
}

// Close makes Run return, which it does not wait for, and removes the socket.
func (n *AppNotify) Close() error {
	var err error
	n.closing.Do(func() {
		close(n.closed)
		if err = os.Remove(n.path); errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		err = errors.Join(err, n.file.Close())
	})
	return err
}
