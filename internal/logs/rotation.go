package logs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Why lumberjack is left with the renaming, the naming and the opening only:
//
//   - It never rotates by age, and would remove old files only when it opens or
//     rotates one: not while an app is silent.
//   - It refuses to write when a rotation that is due fails. We rather write on
//     in the file there is, and try again later.
//   - It removes files from a goroutine, at a time of its own, by a name that
//     may lead elsewhere by then.

// rotatedFormat is the time that lumberjack puts into the name of a rotated
// file, in UTC.
const rotatedFormat = "2006-01-02T15-04-05.000"

// due reports whether the file is to be rotated before n more bytes are written.
func (f *logFile) due(n int, limits Target) bool {
	if f.rotating == nil || f.size == 0 {
		return false
	}
	if limits.MaxAge > 0 && f.clock().Sub(f.born) >= limits.maxAge() {
		return true
	}
	return limits.MaxSize > 0 && f.size+int64(n) > limits.maxBytes()
}

// rotate moves the file aside and opens a new one. Unless even the opening
// failed the file is open afterwards, with or without error.
func (f *logFile) rotate() error {
	dir, err := openDirectory(filepath.Dir(f.path), true)
	if err != nil {
		return err
	}
	defer dir.close()
	failed := f.moveAside(dir)
	// lumberjack does not open a new file for appending, an existing one it
	// does: so close and open again. Somebody who truncates the file in place
	// relies on it.
	return errors.Join(failed, f.close(), f.openIn(dir))
}

func (f *logFile) moveAside(dir *directory) error {
	name := dir.path(filepath.Base(f.path))
	if info, err := os.Lstat(name); err != nil || !info.Mode().IsRegular() {
		return nil // somebody else has moved it, or put something else there
	}
	f.awaitNewName()
	f.rotating.Filename = name
	err := f.rotating.Rotate()
	f.rotated = time.Now()
	if err != nil {
		return fmt.Errorf("rotate log file %q: %w", f.path, dir.explain(err))
	}
	return nil
}

// awaitNewName waits until the clock gives another name than the last rotated
// file got, which would otherwise be overwritten: at most a millisecond.
func (f *logFile) awaitNewName() {
	for time.Now().UnixMilli() == f.rotated.UnixMilli() {
		time.Sleep(100 * time.Microsecond)
	}
}

// birthOf tells when the file was made: by its birth time; by when the last one
// was rotated, where the file system does not keep birth times; else from now.
func (f *logFile) birthOf(id *fileID, dir *directory) time.Time {
	if id.birth != 0 {
		return time.Unix(0, id.birth)
	}
	if old, err := rotatedFiles(dir, filepath.Base(f.path)); err == nil && len(old) > 0 {
		return old[0].at
	}
	return f.clock()
}

// clean removes rotated files that the limits do not keep.
func (f *logFile) clean(limits Target) error {
	if f.rotating == nil || limits.MaxKept <= 0 && limits.MaxAge <= 0 {
		return nil
	}
	dir, err := openDirectory(filepath.Dir(f.path), false)
	if err != nil {
		return err
	}
	defer dir.close()
	return f.removeOld(dir, limits)
}

func (f *logFile) removeOld(dir *directory, limits Target) error {
	old, err := rotatedFiles(dir, filepath.Base(f.path))
	if err != nil {
		return fmt.Errorf("list rotated files of %q: %w", f.path, dir.explain(err))
	}
	var failed error
	for i, r := range old {
		tooMany := limits.MaxKept > 0 && i >= limits.MaxKept
		tooOld := limits.MaxAge > 0 && time.Since(r.at) >= limits.maxAge() // lumberjack's clock
		if !tooMany && !tooOld {
			continue
		}
		if err := unix.Unlinkat(dir.fd, r.name, 0); err != nil && err != unix.ENOENT && failed == nil {
			failed = fmt.Errorf("remove rotated file %q: %w", r.name, err)
		}
	}
	return failed
}

// rotatedFile is a file that was moved aside at a certain time.
type rotatedFile struct {
	name string
	at   time.Time
}

// rotatedFiles lists what the log file called base was moved aside to, the
// newest first.
func rotatedFiles(dir *directory, base string) ([]rotatedFile, error) {
	entries, err := os.ReadDir(dir.path(""))
	if err != nil {
		return nil, err
	}
	ext := filepath.Ext(base)
	prefix := strings.TrimSuffix(base, ext) + "-"
	var old []rotatedFile
	for _, e := range entries {
		stamp, ok := strings.CutPrefix(e.Name(), prefix)
		if !ok || !e.Type().IsRegular() {
			continue
		}
		if stamp, ok = strings.CutSuffix(stamp, ext); !ok {
			continue
		}
		if at, err := time.Parse(rotatedFormat, stamp); err == nil {
			old = append(old, rotatedFile{e.Name(), at})
		}
	}
	slices.SortFunc(old, func(a, b rotatedFile) int { return b.at.Compare(a.at) })
	return old, nil
}
