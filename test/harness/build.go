package harness

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
)

// Race says that the binaries are built with the race detector.
const Race = raceEnabled

// built are the binaries of this test process.
type built struct {
	once sync.Once
	dir  string
	err  error
	// keeper removes dir when the test process ends, however it does.
	keeper *keeper
}

var binaries built

// Binary returns the path of a binary of this module: "gracevisord",
// "gracevisorctl" or "testapp". The first call builds them all. It may be
// called from any goroutine.
func Binary(name string) (string, error) {
	binaries.once.Do(binaries.build)
	return filepath.Join(binaries.dir, name), binaries.err
}

func (b *built) build() {
	if b.keeper, b.err = startKeeper(); b.err != nil {
		return
	}
	if b.dir, b.err = makeDir("gv-bin-"); b.err != nil {
		return
	}
	if b.err = b.keeper.removeAtEnd(b.dir); b.err != nil {
		return
	}
	flags := []string{"build", "-trimpath", "-buildvcs=false", "-o", b.dir + "/"}
	b.err = goTool(append(flags, "gracevisor/test/testapp"), "CGO_ENABLED=0")
	cgo := "CGO_ENABLED=0"
	if raceEnabled {
		flags = append(flags, "-race")
		cgo = "CGO_ENABLED=1"
	}
	b.err = errors.Join(b.err, goTool(append(flags, "gracevisor/cmd/gracevisord", "gracevisor/cmd/gracevisorctl"), cgo))
}

// goTool runs the go command in the module that the test belongs to.
func goTool(args []string, env ...string) error {
	cmd := exec.Command("go", args...)
	cmd.Env = append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return nil
}

// end removes what was built, if anything was.
func (b *built) end() error {
	if b.keeper == nil {
		return nil
	}
	return b.keeper.close()
}

// makeDir makes a folder that other users may enter: apps and the worker run
// as such. Its path is short, for the Unix sockets in it (unix(7): 107 bytes).
func makeDir(prefix string) (string, error) {
	dir, err := os.MkdirTemp("", prefix)
	if err != nil {
		return "", fmt.Errorf("make folder: %w", err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		return "", fmt.Errorf("make folder: %w", err)
	}
	return dir, nil
}
