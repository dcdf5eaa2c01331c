package logs

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"
)

const (
	// firstTail is how much of the end of a file is read at first.
	firstTail = 64 << 10
	// longestTail is how much of it is read at most.
	longestTail = 4 << 20
)

// An olderFile is a log file with lines that are not remembered any more.
type olderFile struct {
	path   string
	stream string
	// mark is where what is remembered begins.
	mark position
}

// olderLines returns up to n lines before the marks, an equal part from each
// file. A file that cannot be read has none.
func olderLines(ctx context.Context, files []olderFile, n int) []Line {
	var lines []Line
	for i, f := range files {
		if ctx.Err() != nil {
			return nil
		}
		left := len(files) - i
		part := (n - len(lines) + left - 1) / left
		texts, err := f.last(part)
		if err != nil {
			continue
		}
		for _, text := range texts {
			lines = append(lines, Line{Stream: f.stream, Text: text})
		}
	}
	return lines
}

// last returns the last n lines before the mark. There are none if the path has
// another file by now: that was begun after the mark.
func (f *olderFile) last(n int) ([]string, error) {
	file, err := f.open()
	if err != nil {
		return nil, err
	}
	defer file.Close()
	id, size, err := identify(file)
	if err != nil {
		return nil, fmt.Errorf("look at log file %q: %w", f.path, err)
	}
	if *id != *f.mark.file || size < f.mark.offset {
		return nil, nil
	}
	return tail(file, f.mark.offset, n)
}

// open opens the file with the same care as for writing: a symbolic link could
// lead to what only the daemon may read.
func (f *olderFile) open() (*os.File, error) {
	dir, err := openDirectory(filepath.Dir(f.path), false)
	if err != nil {
		return nil, err
	}
	defer dir.close()
	fd, err := unix.Openat(dir.fd, filepath.Base(f.path),
		unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open log file %q: %w", f.path, err)
	}
	return os.NewFile(uintptr(fd), f.path), nil
}

// tail returns the last n lines of the first size bytes of a file, or as many as
// the longest tail holds.
func tail(file io.ReaderAt, size int64, n int) ([]string, error) {
	if n <= 0 || size <= 0 {
		return nil, nil
	}
	for length := int64(firstTail); ; length *= 2 {
		length = min(length, size, longestTail)
		p := make([]byte, length)
		if _, err := file.ReadAt(p, size-length); err != nil {
			return nil, fmt.Errorf("read the end of a log file: %w", err)
		}
		all := length == size
		if !all && length < longestTail && bytes.Count(p, []byte{'\n'}) <= n {
			continue
		}
		if !all {
			p = p[bytes.IndexByte(p, '\n')+1:] // the rest of a line
		}
		return lastOf(p, n), nil
	}
}

// lastOf returns the last n lines of p, which is not empty.
func lastOf(p []byte, n int) []string {
	var lines []string
	p = bytes.TrimSuffix(p, []byte{'\n'})
	for len(lines) < n {
		begin := bytes.LastIndexByte(p, '\n') + 1
		lines = append(lines, cut(p[begin:], len(p)-begin))
		if begin == 0 {
			break
		}
		p = p[:begin-1]
	}
	slices.Reverse(lines)
	return lines
}
