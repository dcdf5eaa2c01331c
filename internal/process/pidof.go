package process

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// PIDOf tells whose a pidfd is, or 0 if that process has ended and was reaped
// ("Pid" in fdinfo, pidfd_open(2)).
func PIDOf(pidfd *os.File) (int, error) {
	var text []byte
	err := withDescriptors([]*os.File{pidfd}, nil, func(fds []uintptr) (err error) {
		text, err = os.ReadFile(fmt.Sprintf("/proc/self/fdinfo/%d", fds[0]))
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("look at pidfd: %w", err)
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, "Pid:"); ok {
			pid, err := strconv.Atoi(strings.TrimSpace(value))
			if err != nil {
				return 0, fmt.Errorf("look at pidfd: %w", err)
			}
			return max(pid, 0), nil
		}
	}
	return 0, fmt.Errorf("look at pidfd: %s is none", pidfd.Name())
}
