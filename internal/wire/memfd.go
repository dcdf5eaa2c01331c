package wire

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// maxTable bounds what a worker reads as a table.
const maxTable = 64 << 20

// WriteTable puts a table into a sealed memfd (memfd_create(2)): the same file
// can be sent to every worker, and none can change what the others read.
func WriteTable(t *Table) (*os.File, error) {
	body, err := json.Marshal(t)
	if err != nil {
		return nil, fmt.Errorf("encode table %d: %w", t.Revision, err)
	}
	fd, err := unix.MemfdCreate("gracevisor-table", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, fmt.Errorf("make memfd: %w", err)
	}
	f := os.NewFile(uintptr(fd), "memfd:table")
	if _, err := f.Write(body); err != nil {
		f.Close()
		return nil, fmt.Errorf("write table %d: %w", t.Revision, err)
	}
	seals := unix.F_SEAL_SEAL | unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, seals); err != nil {
		f.Close()
		return nil, fmt.Errorf("seal table %d: %w", t.Revision, err)
	}
	return f, nil
}

// ReadTable reads what WriteTable wrote. The file's offset, which all who were
// given it share, is not used.
func ReadTable(f *os.File) (*Table, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("read table: %w", err)
	}
	if info.Size() > maxTable {
		return nil, fmt.Errorf("read table: %d bytes are too many", info.Size())
	}
	body, err := io.ReadAll(io.NewSectionReader(f, 0, info.Size()))
	if err != nil {
		return nil, fmt.Errorf("read table: %w", err)
	}
	t := new(Table)
	if err := json.Unmarshal(body, t); err != nil {
		return nil, fmt.Errorf("read table: %w", err)
	}
	return t, nil
}
