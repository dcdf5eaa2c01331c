package daemon

import (
	"fmt"

	"golang.org/x/sys/unix"

	"gracevisor/internal/process"
)

// What a daemon needs of descriptors to take over: each file that was kept, two
// more of it on the way to whoever uses it, and some for itself.
const (
	descriptorsPerFile = 3
	descriptorsOfOwn   = 64
)

// firstOther is the first descriptor behind those that every program has.
const firstOther = 3

// checkDescriptors sees to it that what we were given besides the files that were
// kept, which is nobody's, goes to nobody, and that there may be enough.
func checkDescriptors(kept int, executed bool) error {
	if err := process.CloseOnExec(firstOther); err != nil {
		return err
	}
	return enoughDescriptors(kept, executed)
}

// enoughDescriptors refuses to take over if the limit does not let this daemon
// have as many descriptors as that takes: to take over half would end the other
// half, while without us apps and workers go on. After an exec the limit is as it
// was, and there is no way back.
func enoughDescriptors(kept int, executed bool) error {
	if kept == 0 || executed {
		return nil
	}
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("read limit of file descriptors: %w", err)
	}
	// The runtime has raised the soft limit to the hard one.
	if need := uint64(descriptorsPerFile*kept + descriptorsOfOwn); limit.Max < need {
		return fmt.Errorf("take over %d files: %d file descriptors are needed, and the limit is %d: raise LimitNOFILE= (or ulimit -n); apps and proxy go on meanwhile",
			kept, need, limit.Max)
	}
	return nil
}
