package activation

import (
	"errors"

	"golang.org/x/sys/unix"
)

// maxNotification bounds a message, as PIPE_BUF does in systemd.
const maxNotification = 4096

// controlSize is room for the credentials, which the kernel puts first, and for
// the file descriptor of a barrier (and, by alignment, for one more). What does
// not fit the kernel closes by itself: a message can not use up the descriptors
// of the daemon, whatever is in it.
var controlSize = unix.CmsgSpace(unix.SizeofUcred) + unix.CmsgSpace(4)

// A notification is a message as it came.
type notification struct {
	// text is valid until the next one is received.
	text []byte
	// pid and uid are the sender's, as the kernel knows them; pid is 0 if it
	// is in a PID namespace that is not below ours.
	pid, uid int
	tooLong  bool
}

// receive waits for a message. File descriptors in it are closed before it
// returns: for the one of BARRIER=1 that is the answer, others have no business
// here.
func (n *AppNotify) receive() (m notification, err error) {
	var size, control, flags int
	var failed error
	err = n.raw.Read(func(fd uintptr) bool {
		for {
			size, control, flags, _, failed = unix.Recvmsg(int(fd), n.text, n.control, unix.MSG_CMSG_CLOEXEC|unix.MSG_DONTWAIT)
			if failed != unix.EINTR {
				return failed != unix.EAGAIN
			}
		}
	})
	if err = errors.Join(err, failed); err != nil {
		return m, err
	}
	m.takeControl(n.control[:control])
	m.text = n.text[:size]
	m.tooLong = size > maxNotification || flags&unix.MSG_TRUNC != 0
	return m, nil
}

// takeControl takes the credentials, and closes what was sent along.
func (m *notification) takeControl(control []byte) {
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		return // without credentials it does not count
	}
	for _, message := range messages {
		if who, err := unix.ParseUnixCredentials(&message); err == nil {
			m.pid, m.uid = int(who.Pid), int(who.Uid)
		}
		fds, err := unix.ParseUnixRights(&message)
		if err != nil {
			continue
		}
		for _, fd := range fds {
			unix.Close(fd)
		}
	}
}
