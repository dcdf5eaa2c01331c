package process

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// maxOrder bounds what a launcher reads: maxWords of text, which base64 and
// quotes make longer.
const maxOrder = 4 * maxWords

// order is a Spec on its way to the launcher. Its texts are bytes because
// JSON strings would change those that are not UTF-8.
type order struct {
	Name  string
	Argv  [][]byte
	Env   [][]byte
	Dir   []byte
	User  string
	Umask int
}

func newOrder(s *Spec) *order {
	return &order{
		Name:  s.Name,
		Argv:  toBytes(s.Argv),
		Env:   toBytes(s.Env),
		Dir:   []byte(s.Dir),
		User:  s.User,
		Umask: s.Umask,
	}
}

// seals make the memfd immutable; the launcher refuses one without them.
const seals = unix.F_SEAL_SEAL | unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE

// writeOrder puts an order into a sealed memfd (memfd_create(2)).
func writeOrder(o *order) (*os.File, error) {
	body, err := json.Marshal(o)
	if err != nil {
		return nil, fmt.Errorf("encode order: %w", err)
	}
	fd, err := unix.MemfdCreate("gracevisor-order", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, fmt.Errorf("make memfd: %w", err)
	}
	f := os.NewFile(uintptr(fd), "memfd:order")
	if _, err := f.Write(body); err != nil {
		f.Close()
		return nil, fmt.Errorf("write order: %w", err)
	}
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, seals); err != nil {
		f.Close()
		return nil, fmt.Errorf("seal order: %w", err)
	}
	return f, nil
}

// isOrder reports whether fd is a memfd as writeOrder makes them.
func isOrder(fd int) bool {
	have, err := unix.FcntlInt(uintptr(fd), unix.F_GET_SEALS, 0)
	return err == nil && have&seals == seals
}

// readOrder reads what writeOrder wrote.
func readOrder(fd int) (*order, error) {
	var info unix.Stat_t
	if err := unix.Fstat(fd, &info); err != nil {
		return nil, fmt.Errorf("read order: %w", err)
	}
	if info.Size > maxOrder {
		return nil, fmt.Errorf("read order: %d bytes are too many", info.Size)
	}
	// The offset stands where the writer left it, hence a section from 0.
	f := os.NewFile(uintptr(fd), "memfd:order")
	defer f.Close()
	body, err := io.ReadAll(io.NewSectionReader(f, 0, info.Size))
	if err != nil {
		return nil, fmt.Errorf("read order: %w", err)
	}
	o := new(order)
	if err := json.Unmarshal(body, o); err != nil {
		return nil, fmt.Errorf("read order: %w", err)
	}
	if len(o.Argv) == 0 {
		return nil, fmt.Errorf("read order: it has no command")
	}
	return o, nil
}

func toBytes(words []string) [][]byte {
	all := make([][]byte, len(words))
	for i, word := range words {
		all[i] = []byte(word)
	}
	return all
}

func toStrings(words [][]byte) []string {
	all := make([]string, len(words))
	for i, word := range words {
		all[i] = string(word)
	}
	return all
}
