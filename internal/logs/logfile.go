package logs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
	"gopkg.in/natefinch/lumberjack.v2"
)

// fileMode is the mode of log files that are made.
const fileMode = 0o640

// fileID tells a file from every other that has or had the same path.
type fileID struct {
	dev   uint64
	inode uint64
	// birth in nanoseconds since 1970; inode numbers are used again.
	birth int64
}

// A position is a place in a log file. Without a file it is nowhere.
type position struct {
	file   *fileID
	offset int64
}

// plus is the position n bytes further on.
func (p position) plus(n int) position {
	if p.file == nil {
		return p
	}
	return position{p.file, p.offset + int64(n)}
}

// A logFile is an open log file, or one that can be opened. It has no lock.
type logFile struct {
	path  string
	clock func() time.Time

	// out is nil while the file is closed.
	out io.WriteCloser
	// rotating is out, if the file can be rotated.
	rotating *lumberjack.Logger
	// id is nil if the file is no regular one.
	id   *fileID
	size int64
	// born is when the file was made.
	born time.Time
	// rotated is when it was last rotated by this process.
	rotated time.Time
}

func (f *logFile) isOpen() bool { return f.out != nil }

// open opens the file for appending, and makes it and its directory if they are
// missing.
func (f *logFile) open() error {
	dir, err := openDirectory(filepath.Dir(f.path), true)
	if err != nil {
		return err
	}
	defer dir.close()
	return f.openIn(dir)
}

func (f *logFile) openIn(dir *directory) error {
	base := filepath.Base(f.path)
	file, rotatable, err := openAppend(dir, base)
	if err != nil {
		return fmt.Errorf("open log file %q: %w", f.path, err)
	}
	if !rotatable {
		f.out, f.rotating, f.id, f.size = file, nil, nil, 0
		return nil
	}
	defer file.Close()
	if err := f.identify(file, dir); err != nil {
		return err
	}
	logger := takeLogger(dir.path(base))
	// lumberjack opens its file when it is first written to.
	if _, err := logger.Write(nil); err != nil {
		giveLogger(logger)
		return fmt.Errorf("open log file %q: %w", f.path, dir.explain(err))
	}
	f.out, f.rotating = logger, logger
	return nil
}

// openAppend opens or makes a file. What is not a regular file of its own name
// is not rotatable: renaming /dev/null would be felt by everybody. Nobody
// else can write the directory, so what is found here does not change.
func openAppend(dir *directory, base string) (file *os.File, rotatable bool, err error) {
	// Without O_NONBLOCK a named pipe that nobody reads would be waited for;
	// without O_NOCTTY a terminal could become the daemon's own.
	const flags = unix.O_WRONLY | unix.O_APPEND | unix.O_CREAT | unix.O_CLOEXEC | unix.O_NONBLOCK | unix.O_NOCTTY
	link := false
	fd, err := unix.Openat(dir.fd, base, flags|unix.O_NOFOLLOW, fileMode)
	if err == unix.ELOOP {
		link = true
		fd, err = unix.Openat(dir.fd, base, flags, fileMode)
	}
	if err != nil {
		return nil, false, err
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		unix.Close(fd)
		return nil, false, err
	}
	regular := st.Mode&unix.S_IFMT == unix.S_IFREG
	return os.NewFile(uintptr(fd), base), regular && !link, nil
}

// identify takes note of which file it is, how long, and how old.
func (f *logFile) identify(file *os.File, dir *directory) error {
	id, size, err := identify(file)
	if err != nil {
		return fmt.Errorf("look at log file %q: %w", f.path, err)
	}
	f.id, f.size, f.born = id, size, f.birthOf(id, dir)
	return nil
}

// identify tells which file it is and how long.
func identify(file *os.File) (id *fileID, size int64, err error) {
	conn, err := file.SyscallConn()
	if err != nil {
		return nil, 0, err
	}
	var stx unix.Statx_t
	var failed error
	err = conn.Control(func(fd uintptr) {
		failed = unix.Statx(int(fd), "", unix.AT_EMPTY_PATH, unix.STATX_BASIC_STATS|unix.STATX_BTIME, &stx)
	})
	if err == nil {
		err = failed
	}
	if err != nil {
		return nil, 0, err
	}
	id = &fileID{dev: unix.Mkdev(stx.Dev_major, stx.Dev_minor), inode: stx.Ino}
	if stx.Mask&unix.STATX_BTIME != 0 {
		id.birth = time.Unix(stx.Btime.Sec, int64(stx.Btime.Nsec)).UnixNano()
	}
	return id, int64(stx.Size), nil
}

// write appends to the open file.
func (f *logFile) write(p []byte) (int, error) {
	if f.size == 0 {
		f.born = f.clock() // an empty file does not age
	}
	n, err := f.out.Write(p)
	f.size += int64(n)
	if err != nil {
		return n, fmt.Errorf("write log file %q: %w", f.path, cause(err))
	}
	return n, nil
}

// cause leaves out the name under which the file was opened, which leads nowhere
// any more.
func cause(err error) error {
	if named := (*fs.PathError)(nil); errors.As(err, &named) {
		return named.Err
	}
	return err
}

// close closes the file if it is open.
func (f *logFile) close() error {
	if f.out == nil {
		return nil
	}
	err := f.out.Close()
	if f.rotating != nil {
		giveLogger(f.rotating)
	}
	f.out, f.rotating = nil, nil
	if err != nil {
		return fmt.Errorf("close log file %q: %w", f.path, cause(err))
	}
	return nil
}

// end is the position after the last byte.
func (f *logFile) end() position {
	if f.out == nil || f.id == nil {
		return position{}
	}
	return position{f.id, f.size}
}
