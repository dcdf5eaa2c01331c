package harness

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// OwnBinary gives the Box a copy of the daemon's binary, which tests may
// replace while it runs, and returns its path.
func (b *Box) OwnBinary() string {
	b.t.Helper()
	path, err := Binary("gracevisord")
	if err != nil {
		b.t.Fatal(err)
	}
	b.binary = b.path("gracevisord")
	b.ReplaceBinary(path)
	return b.binary
}

// ReplaceBinary puts another program in the place of the daemon's, as a package
// manager does: by a rename. A path of "" removes it.
func (b *Box) ReplaceBinary(path string) {
	b.t.Helper()
	if path == "" {
		if err := os.Remove(b.binary); err != nil {
			b.t.Fatal(err)
		}
		return
	}
	next := b.binary + ".new"
	if err := copyFile(next, path); err != nil {
		b.t.Fatal(err)
	}
	if err := os.Rename(next, b.binary); err != nil {
		b.t.Fatal(err)
	}
}

func copyFile(to, from string) error {
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer source.Close()
	target, err := os.OpenFile(to, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(target, source)
	if closeErr := target.Close(); err == nil {
		err = closeErr
	}
	return err
}

var others struct {
	mu    sync.Mutex
	built map[string]string
}

// OtherBuild returns the path of a daemon that says it is of another version, and
// is built with tags.
// It may be called from any goroutine.
func OtherBuild(version string, tags ...string) (string, error) {
	path, err := Binary("gracevisord")
	if err != nil {
		return "", err
	}
	others.mu.Lock()
	defer others.mu.Unlock()
	if path := others.built[version]; path != "" {
		return path, nil
	}
	other := filepath.Join(filepath.Dir(path), "gracevisord-"+version)
	args := []string{"build", "-trimpath", "-buildvcs=false", "-tags", strings.Join(tags, ","), "-o", other, "-ldflags", "-X gracevisor/internal/version.Version=" + version}
	cgo := "CGO_ENABLED=0"
	if raceEnabled {
		args, cgo = append(args, "-race"), "CGO_ENABLED=1"
	}
	if err := goTool(append(args, "gracevisor/cmd/gracevisord"), cgo); err != nil {
		return "", err
	}
	if others.built == nil {
		others.built = make(map[string]string)
	}
	others.built[version] = other
	return other, nil
}
