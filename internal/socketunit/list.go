package socketunit

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// ListFile is the name of a saved list.
const ListFile = "listen.last"

// ListDraft matches the names (path.Match) under which a list is written before
// it is put into its place.
const ListDraft = "." + ListFile + ".*"

const (
	heading = "# What gracevisor.socket listens on if gracevisor.yaml is broken at the next boot.\n"
	// longestList bounds what Load reads: 65535 ports of a few addresses are
	// far more than there can be.
	longestList = 4 << 20
)

// Save writes a list into the directory dir, which exists, in the place of the
// one that was there. It is a file that only its owner may write to.
func Save(dir string, addresses []string) error {
	text := []byte(heading)
	for _, address := range addresses {
		text = append(append(text, address...), '\n')
	}
	path := filepath.Join(dir, ListFile)
	if old, err := read(path); err == nil && bytes.Equal(old, text) {
		return nil // spares the disk: nothing has changed at most times
	}
	if err := replace(path, text); err != nil {
		return fmt.Errorf("save the list of addresses: %w", err)
	}
	return nil
}

// replace puts a file into the place of another one in one step.
func replace(path string, text []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ListDraft)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err == nil {
		err = f.Chmod(0o644)
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}

// Load reads the list in the directory dir. One with a line that is no address
// is refused as a whole: it is not what Save has written.
func Load(dir string) ([]string, error) {
	text, err := read(filepath.Join(dir, ListFile))
	if err != nil {
		return nil, fmt.Errorf("read the list of addresses: %w", err)
	}
	var addresses []string
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		line := lines.Text()
		if strings.HasPrefix(line, "#") {
			continue
		}
		if !valid(line) {
			return nil, fmt.Errorf("read the list of addresses: %.120q is no address", line)
		}
		addresses = append(addresses, line)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read the list of addresses: %w", err)
	}
	return addresses, nil
}

// read returns what is in a regular file.
func read(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > longestList {
		return nil, fmt.Errorf("%s is not a file that was written here", path)
	}
	return io.ReadAll(io.LimitReader(f, longestList))
}
