package supervisor

import (
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

// signalName is SIGTERM and the like.
func signalName(sig syscall.Signal) string {
	if name := unix.SignalName(sig); name != "" {
		return name
	}
	return fmt.Sprintf("signal %d", int(sig))
}
