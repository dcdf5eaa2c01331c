package process

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// findCommand turns the first word of a command into the path to execute. It
// runs in the launcher, already as the app's user and in the app's directory.
func findCommand(word, path string) (string, error) {
	if strings.Contains(word, "/") {
		return word, executable(word)
	}
	var refused error
	for _, dir := range filepath.SplitList(path) {
		candidate := filepath.Join(dir, word)
		err := executable(candidate)
		if err == nil {
			return candidate, nil
		}
		// A file that may not be run does not end the search, but is told
		// rather than "not found".
		if _, statErr := os.Stat(candidate); refused == nil && statErr == nil {
			refused = err
		}
	}
	if refused != nil {
		return "", refused
	}
	return "", fmt.Errorf("command %q not found in PATH %q", word, path)
}

// executable tells why path cannot be executed, or nil.
func executable(path string) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("command %q does not exist", path)
	case err != nil:
		return fmt.Errorf("command %q: %w", path, err)
	case info.IsDir():
		return fmt.Errorf("command %q is a directory", path)
	}
	// access(2) asks for the real user; become has set all of them alike.
	if err := unix.Access(path, unix.X_OK); err != nil {
		return fmt.Errorf("command %q is not executable: %w", path, err)
	}
	return nil
}

// explainExec says what the bare error of execve(2) means for a file that is
// there and executable.
func explainExec(path string, err error) error {
	hint := ""
	switch {
	case errors.Is(err, unix.ENOEXEC):
		hint = ` (no "#!" line, or made for another machine?)`
	case errors.Is(err, unix.ENOENT):
		hint = ` (the interpreter of its "#!" line, or its dynamic loader, does not exist)`
	case errors.Is(err, unix.EACCES):
		hint = " (is it on a file system mounted noexec, or may its interpreter not be executed?)"
	case errors.Is(err, unix.E2BIG):
		hint = " (command and environment together)"
	case errors.Is(err, unix.ETXTBSY):
		hint = " (somebody is still writing it)"
	case errors.Is(err, unix.EAGAIN):
		hint = " (the user has too many processes)"
	}
	return fmt.Errorf("execute %q: %w%s", path, err, hint)
}
