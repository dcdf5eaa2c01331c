package process

import (
	"bufio"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
)

// tcpListeners returns the inodes of the sockets that listen on a TCP port, on
// any address of this network namespace.
func tcpListeners(port int) (map[uint64]bool, error) {
	inodes, err := tcpListenersByNetlink(port)
	if err == nil {
		return inodes, nil
	}
	// A container without the kernel module, or a filter on address families:
	// the text files tell the same, at the price of reading every connection.
	inodes = make(map[uint64]bool)
	for _, file := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		fileErr := scanFile(file, func(line string) {
			if inode, ok := parseTCPListener(line, port); ok {
				inodes[inode] = true
			}
		})
		if errors.Is(fileErr, fs.ErrNotExist) && file == "/proc/net/tcp6" {
			continue
		}
		if fileErr != nil {
			return nil, fmt.Errorf("list listeners: %w", errors.Join(err, fileErr))
		}
	}
	return inodes, nil
}

// tcpListen is the state LISTEN (TCP_LISTEN in the kernel's net/tcp_states.h).
const tcpListen = 10

// parseTCPListener reads a line of proc_pid_net_tcp(5):
// "0: 0100007F:1F90 00000000:0000 0A tx:rx tr:tm retr uid timeout inode …".
func parseTCPListener(line string, port int) (inode uint64, ok bool) {
	fields := strings.Fields(line)
	if len(fields) < 10 || fields[3] != "0A" {
		return 0, false
	}
	_, hexPort, _ := strings.Cut(fields[1], ":")
	number, err := hex.DecodeString(hexPort)
	if err != nil || len(number) != 2 || int(number[0])<<8|int(number[1]) != port {
		return 0, false
	}
	inode, err = strconv.ParseUint(fields[9], 10, 64)
	return inode, err == nil
}

func scanFile(path string, line func(string)) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	lines := bufio.NewReader(f)
	for {
		text, err := lines.ReadString('\n')
		if text != "" {
			line(strings.TrimSuffix(text, "\n"))
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
