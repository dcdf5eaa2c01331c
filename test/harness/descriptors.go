package harness

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// listening is the state of a listening socket in /proc/net/tcp (proc(5)).
const listening = "0A"

// LastingFDs counts the descriptors of a process but for those of TCP
// connections, which come and go with clients.
func LastingFDs(pid int) (int, error) {
	dir := filepath.Join("/proc", strconv.Itoa(pid))
	entries, err := os.ReadDir(filepath.Join(dir, "fd"))
	if err != nil {
		return 0, fmt.Errorf("count descriptors of process %d: %w", pid, err)
	}
	connections := make(map[string]bool)
	for _, table := range []string{"tcp", "tcp6"} {
		text, err := os.ReadFile(filepath.Join(dir, "net", table))
		if err != nil {
			continue // a kernel without IPv6
		}
		for line := range strings.Lines(string(text)) {
			if fields := strings.Fields(line); len(fields) > 9 && fields[3] != listening {
				connections["socket:["+fields[9]+"]"] = true
			}
		}
	}
	n := 0
	for _, entry := range entries {
		// One that was closed meanwhile does not count either.
		if target, err := os.Readlink(filepath.Join(dir, "fd", entry.Name())); err == nil && !connections[target] {
			n++
		}
	}
	return n, nil
}
