package process

import (
	"encoding/binary"
	"errors"
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

// The structures of sock_diag(7) for TCP, as offsets: struct inet_diag_req_v2
// and struct inet_diag_msg of linux/inet_diag.h.
const (
	diagRequestSize   = 56
	diagRequestFamily = 0
	diagRequestProto  = 1
	diagRequestStates = 4

	diagAnswerSize  = 72
	diagAnswerPort  = 4
	diagAnswerInode = 68
)

// tcpListenersByNetlink asks the kernel for listening sockets only: the cost
// does not grow with the connections of the machine, of which a proxy has many.
func tcpListenersByNetlink(port int) (map[uint64]bool, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return nil, fmt.Errorf("open sock_diag: %w", err)
	}
	defer unix.Close(fd)
	inodes := make(map[uint64]bool)
	for _, family := range []byte{unix.AF_INET, unix.AF_INET6} {
		if err := unix.Sendto(fd, diagRequest(family), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
			return nil, fmt.Errorf("ask sock_diag: %w", err)
		}
		if err := readDump(fd, port, inodes); err != nil {
			return nil, fmt.Errorf("read sock_diag: %w", err)
		}
	}
	return inodes, nil
}

func diagRequest(family byte) []byte {
	request := make([]byte, unix.SizeofNlMsghdr+diagRequestSize)
	native := binary.NativeEndian
	native.PutUint32(request[0:], uint32(len(request)))
	native.PutUint16(request[4:], unix.SOCK_DIAG_BY_FAMILY)
	native.PutUint16(request[6:], unix.NLM_F_REQUEST|unix.NLM_F_DUMP)
	body := request[unix.SizeofNlMsghdr:]
	body[diagRequestFamily] = family
	body[diagRequestProto] = unix.IPPROTO_TCP
	native.PutUint32(body[diagRequestStates:], 1<<tcpListen)
	return request
}

// readDump reads the answer to its end. The answers of a dump are made while
// they are read, so this waits for nobody.
func readDump(fd, port int, inodes map[uint64]bool) error {
	buf := make([]byte, 32<<10)
	for {
		n, _, err := unix.Recvfrom(fd, buf, 0)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return err
		}
		messages, err := syscall.ParseNetlinkMessage(buf[:n])
		if err != nil {
			return err
		}
		for _, m := range messages {
			done, err := readAnswer(&m, port, inodes)
			if done || err != nil {
				return err
			}
		}
	}
}

func readAnswer(m *syscall.NetlinkMessage, port int, inodes map[uint64]bool) (done bool, err error) {
	switch m.Header.Type {
	case unix.NLMSG_DONE:
		return true, nil
	case unix.NLMSG_ERROR:
		if len(m.Data) < 4 {
			return false, errors.New("error message is too short")
		}
		return false, unix.Errno(-int32(binary.NativeEndian.Uint32(m.Data)))
	}
	if len(m.Data) < diagAnswerSize {
		return false, errors.New("answer is too short")
	}
	if int(binary.BigEndian.Uint16(m.Data[diagAnswerPort:])) == port {
		inodes[uint64(binary.NativeEndian.Uint32(m.Data[diagAnswerInode:]))] = true
	}
	return false, nil
}
