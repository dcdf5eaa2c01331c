package systemd

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"gracevisor/test/systemd/machine"
)

func TestMain(m *testing.M) {
	code := machine.Main(m)
	if err := built.remove(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// Versions of the package. Later ones sort after earlier ones.
const (
	firstVersion = "1.0.0"
	nextVersion  = "1.0.1"
)

// debsEnv names a folder with packages that have been built before.
const debsEnv = "GV_TEST_DEBS"

// binaries are what is built once for all tests of this process.
type binaries struct {
	once sync.Once
	dir  string // of what is built here
	debs string
	err  error
}

var built binaries

// deb returns the path of the package of a version.
func (b *binaries) deb(version string) (string, error) {
	b.once.Do(func() { b.err = b.build() })
	return filepath.Join(b.debs, fmt.Sprintf("gracevisor_%s-1_%s.deb", version, runtime.GOARCH)), b.err
}

// testapp returns the path of the test app.
func (b *binaries) testapp() (string, error) {
	b.once.Do(func() { b.err = b.build() })
	return filepath.Join(b.dir, "testapp"), b.err
}

func (b *binaries) build() error {
	var err error
	if b.dir, err = os.MkdirTemp("", "gv-debs-"); err != nil {
		return err
	}
	err = goTool([]string{"build", "-trimpath", "-buildvcs=false", "-o", b.dir + "/", "gracevisor/test/testapp"}, "CGO_ENABLED=0")
	if err != nil {
		return err
	}
	if b.debs = os.Getenv(debsEnv); b.debs != "" {
		return nil
	}
	b.debs = b.dir
	for _, version := range []string{firstVersion, nextVersion} {
		args := []string{"run", "./packaging/deb/build", "-format=deb", "-arch=" + runtime.GOARCH, "-out=" + b.dir}
		err = errors.Join(err, goTool(args, "VERSION="+version, "SOURCE_DATE_EPOCH=1700000000"))
	}
	return err
}

func (b *binaries) remove() error {
	if b.dir == "" {
		return nil
	}
	return os.RemoveAll(b.dir)
}

// goTool runs the go command in the top directory.
func goTool(args []string, env ...string) error {
	cmd := exec.Command("go", args...)
	cmd.Dir = "../.."
	cmd.Env = append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return nil
}
