package activation

import (
	"encoding/binary"
	"errors"
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

// The structures of sock_diag(7) for Unix sockets, as offsets: struct
// unix_diag_req, unix_diag_msg and unix_diag_rqlen of linux/unix_diag.h.
const (
	unixRequestSize   = 24
	unixRequestFamily = 0
	unixRequestInode  = 8
	unixRequestShow   = 12
	unixRequestCookie = 16

	unixAnswerSize = 16
	// attributeHeader is the size of a struct nlattr: length and type.
	attributeHeader = 4

	unixShowQueue = 0x10 // UDIAG_SHOW_RQLEN
	unixQueueType = 4    // UNIX_DIAG_RQLEN
)

// unixQueue tells of a listening Unix socket what tcpQueue does of another one.
func unixQueue(fd int) (waiting, backlog int, err error) {
	var stat unix.Stat_t
	if err := unix.Fstat(fd, &stat); err != nil {
		return 0, 0, err
	}
	conn, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return 0, 0, fmt.Errorf("open sock_diag: %w", err)
	}
	defer unix.Close(conn)
	if err := unix.Sendto(conn, unixRequest(uint32(stat.Ino)), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return 0, 0, fmt.Errorf("ask sock_diag: %w", err)
	}
	answer := make([]byte, 4096)
	n, _, err := unix.Recvfrom(conn, answer, unix.MSG_DONTWAIT) // the request has been answered in Sendto
	if err != nil {
		return 0, 0, fmt.Errorf("read sock_diag: %w", err)
	}
	return readUnixQueue(answer[:n])
}

// unixRequest asks for the one socket with this inode number.
func unixRequest(inode uint32) []byte {
	request := make([]byte, unix.SizeofNlMsghdr+unixRequestSize)
	native := binary.NativeEndian
	native.PutUint32(request[0:], uint32(len(request)))
	native.PutUint16(request[4:], unix.SOCK_DIAG_BY_FAMILY)
	native.PutUint16(request[6:], unix.NLM_F_REQUEST)
	body := request[unix.SizeofNlMsghdr:]
	body[unixRequestFamily] = unix.AF_UNIX
	native.PutUint32(body[unixRequestInode:], inode)
	native.PutUint32(body[unixRequestShow:], unixShowQueue)
	for i := range 8 { // no cookie: there is only one socket of a number
		body[unixRequestCookie+i] = 0xff
	}
	return request
}

// readUnixQueue finds the attribute with the lengths: what waits, and what may.
func readUnixQueue(answer []byte) (waiting, backlog int, err error) {
	messages, err := syscall.ParseNetlinkMessage(answer)
	if err != nil {
		return 0, 0, err
	}
	native := binary.NativeEndian
	for _, m := range messages {
		if m.Header.Type == unix.NLMSG_ERROR && len(m.Data) >= 4 {
			return 0, 0, unix.Errno(-int32(native.Uint32(m.Data)))
		}
		if m.Header.Type != unix.SOCK_DIAG_BY_FAMILY || len(m.Data) < unixAnswerSize {
			continue
		}
		for rest := m.Data[unixAnswerSize:]; len(rest) >= attributeHeader; {
			size := int(native.Uint16(rest))
			if size < attributeHeader || size > len(rest) {
				break
			}
			if native.Uint16(rest[2:]) == unixQueueType && size >= attributeHeader+8 {
				return int(native.Uint32(rest[4:])), int(native.Uint32(rest[8:])), nil
			}
			rest = rest[min((size+3)&^3, len(rest)):]
		}
	}
	return 0, 0, errors.New("sock_diag does not tell it")
}
