package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// reader reads the files of a configuration into drafts.
type reader struct {
	wd    string
	found findings
	// seen holds the files that were read, by identity: a folder may be
	// included along with a file in it, or by two names.
	seen map[fileID]bool
	main fileID
}

// fileID tells files apart as the kernel does.
type fileID struct{ device, inode uint64 }

func identify(info fs.FileInfo) fileID {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok { // not on Linux
		return fileID{}
	}
	return fileID{uint64(stat.Dev), stat.Ino}
}

// daemon reads the main file. A file that cannot be read or parsed yields an
// empty draft, and faults.
func (r *reader) daemon(file string) *daemonDraft {
	draft := new(daemonDraft)
	root := &node{at: startOf(file)}
	data, id, err := readFile(absolute(r.wd, file))
	if err != nil {
		r.found.add(root.at, "cannot read the configuration: %v", err)
		return draft
	}
	r.main, r.seen[id] = id, true
	n := parse(file, data, &r.found)
	switch {
	case n == nil:
		return draft
	case n.shape == shapeMapping, n.shape == shapeNone:
		root = n
	default:
		r.found.add(n.at, "expected a mapping of keys to values, not %s", n.describe())
		return draft
	}
	draft.settings = read(root, daemonKeys, draft, &r.found)
	return draft
}

// apps reads the apps of the main file, then those of the included files.
func (r *reader) apps(d *daemonDraft) []*appDraft {
	var drafts []*appDraft
	for _, n := range d.apps {
		drafts = append(drafts, r.app(n, d))
	}
	for _, i := range d.include {
		for _, n := range r.include(i) {
			drafts = append(drafts, r.app(n, d))
		}
	}
	return drafts
}

func (r *reader) app(n *node, d *daemonDraft) *appDraft {
	draft := newAppDraft(d)
	draft.settings = read(n, appKeys, draft, &r.found)
	return draft
}

// include returns the apps of an item of apps_include.
func (r *reader) include(i include) []*node {
	info, err := os.Stat(absolute(r.wd, i.path))
	if err != nil {
		r.found.add(i.at, "apps_include: cannot read %q: %v", i.path, reason(err))
		return nil
	}
	if !info.IsDir() {
		if identify(info) == r.main {
			r.found.add(i.at, "apps_include: %q is the configuration itself, expected the file of an app", i.path)
			return nil
		}
		return r.included(i.path, i.at)
	}
	entries, err := os.ReadDir(absolute(r.wd, i.path))
	if err != nil {
		r.found.add(i.at, "apps_include: cannot read the folder %q: %v", i.path, reason(err))
		return nil
	}
	var apps []*node
	for _, e := range entries {
		// As with a shell's *.yaml, hidden files are left out: editors
		// make them.
		if name := e.Name(); strings.HasSuffix(name, ".yaml") && !strings.HasPrefix(name, ".") && !e.IsDir() {
			apps = append(apps, r.included(filepath.Join(i.path, name), i.at)...)
		}
	}
	return apps
}

// included reads a file with one app in it, or with none: a file of comments
// only is an app that somebody has put aside.
func (r *reader) included(file string, at place) []*node {
	data, id, err := readFile(absolute(r.wd, file))
	if err != nil {
		r.found.add(at, "apps_include: cannot read %q: %v", file, err)
		return nil
	}
	if r.seen[id] {
		return nil
	}
	r.seen[id] = true
	n := parse(file, data, &r.found)
	if n == nil || n.shape == shapeNone {
		return nil
	}
	if n.shape != shapeMapping {
		r.found.add(n.at, "expected one app in the file: a mapping with the keys name and command at least, not %s", n.describe())
		return nil
	}
	return []*node{n}
}

// readFile reads a file that is not larger than the parser will take. It opens
// nothing but regular files, and does not wait for the writer of a pipe.
func readFile(path string) ([]byte, fileID, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, fileID{}, reason(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fileID{}, reason(err)
	}
	if !info.Mode().IsRegular() {
		return nil, fileID{}, errors.New("it is not a regular file")
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFileSize+1))
	if err != nil {
		return nil, fileID{}, reason(err)
	}
	return data, identify(info), nil
}

// reason returns an error without the path that its message begins with, which
// is told in the words of the configuration.
func reason(err error) error {
	var withPath *fs.PathError
	if errors.As(err, &withPath) {
		return fmt.Errorf("%w", withPath.Err)
	}
	return err
}

// absolute returns a path of the configuration as the daemon uses it.
func absolute(wd, path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(wd, path)
}
