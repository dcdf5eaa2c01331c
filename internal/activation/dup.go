package activation

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Dup returns another descriptor of a file, closed on exec. It does not go
// through File.Fd, which would make the file description blocking for all who
// share it.
func Dup(f *os.File) (*os.File, error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return nil, fmt.Errorf("duplicate %s: %w", f.Name(), err)
	}
	var dup int
	var dupErr error
	if err := raw.Control(func(fd uintptr) { dup, dupErr = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0) }); err != nil {
		return nil, fmt.Errorf("duplicate %s: %w", f.Name(), err)
	}
	if dupErr != nil {
		return nil, fmt.Errorf("duplicate %s: %w", f.Name(), dupErr)
	}
	return os.NewFile(uintptr(dup), f.Name()), nil
}
