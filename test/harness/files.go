package harness

import (
	"fmt"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// maxFiles is how many files one message carries (SCM_MAX_FD, unix(7)).
const maxFiles = 253

// rightsOf makes the control message that passes files on.
func rightsOf(files []*os.File) []byte {
	if len(files) == 0 {
		return nil
	}
	fds := make([]int, len(files))
	for i, file := range files {
		fds[i] = int(file.Fd())
	}
	return unix.UnixRights(fds...)
}

// filesOf takes the files out of a control message.
func filesOf(rights []byte) ([]*os.File, error) {
	messages, err := unix.ParseSocketControlMessage(rights)
	if err != nil {
		return nil, fmt.Errorf("take files: %w", err)
	}
	var files []*os.File
	for _, message := range messages {
		fds, err := unix.ParseUnixRights(&message)
		if err != nil {
			continue // something else than files
		}
		for _, fd := range fds {
			files = append(files, os.NewFile(uintptr(fd), "received"))
		}
	}
	return files, nil
}

func closeFiles(files []*os.File) {
	for _, file := range files {
		file.Close()
	}
}

// receive reads a datagram with its files, which are closed on exec.
func receive(conn *net.UnixConn) (text string, files []*os.File, err error) {
	buf, rights := make([]byte, 64<<10), make([]byte, unix.CmsgSpace(4*maxFiles))
	n, nrights, _, _, err := conn.ReadMsgUnix(buf, rights)
	if err != nil {
		return "", nil, err
	}
	files, err = filesOf(rights[:nrights])
	return string(buf[:n]), files, err
}
