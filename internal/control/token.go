package control

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Bounds of a token's length. One that we make has 26 characters of base 32,
// which are 130 bits.
const (
	minToken = 26
	maxToken = 256
)

// LoadToken returns the token of the TCP door that stands in the file rpc.token
// of dir. It makes one if there is none, or none that can be relied on: it has
// to belong to us and be open to nobody but group. So a token outlives the
// daemon, and control programs keep theirs.
func LoadToken(dir, group string) (string, error) {
	path := filepath.Join(dir, TokenFile)
	gid := groupOfFiles(group)
	if token, err := readOwnToken(path, gid); err == nil {
		return token, nil
	}
	token := rand.Text()
	if err := writeToken(path, gid, token); err != nil {
		return "", fmt.Errorf("write the rpc token: %w", err)
	}
	return token, nil
}

// ReadToken reads a token from a file, for a client.
func ReadToken(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("read the rpc token: %w", err)
	}
	defer f.Close()
	return readToken(f)
}

func readToken(f *os.File) (string, error) {
	text, err := io.ReadAll(io.LimitReader(f, 4<<10))
	if err != nil {
		return "", fmt.Errorf("read the rpc token: %w", err)
	}
	token := strings.TrimSpace(string(text))
	if err := checkToken(token); err != nil {
		return "", fmt.Errorf("read %s: %w", f.Name(), err)
	}
	return token, nil
}

// checkToken allows what RFC 6750, 2.1, allows in a bearer token. Errors do not
// show it.
func checkToken(token string) error {
	if len(token) < minToken || len(token) > maxToken {
		return fmt.Errorf("a token has %d to %d characters, not %d", minToken, maxToken, len(token))
	}
	for _, c := range token {
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		if !letter && !strings.ContainsRune("-._~+/=", c) {
			return errors.New("a token has letters, digits and -._~+/= only")
		}
	}
	return nil
}

// readOwnToken reads a token that nobody else can have written or read.
func readOwnToken(path string, gid int) (string, error) {
	// O_NONBLOCK: whatever lies there, opening it must not hang.
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	stat := info.Sys().(*syscall.Stat_t)
	perm := info.Mode().Perm()
	switch {
	case !info.Mode().IsRegular():
		return "", errors.New("the token is no regular file")
	case int(stat.Uid) != os.Geteuid():
		return "", fmt.Errorf("the token belongs to uid %d", stat.Uid)
	case perm&^0o640 != 0, perm&0o040 != 0 && int(stat.Gid) != gid:
		return "", fmt.Errorf("the token is open to others (mode %04o, group %d)", perm, stat.Gid)
	}
	return readToken(f)
}

// writeToken replaces the file in one step.
func writeToken(path string, gid int, token string) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), TokenDraft)
	if err != nil {
		return err
	}
	defer func() {
		f.Close()
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	if err := f.Chown(-1, gid); err != nil {
		return err
	}
	if err := f.Chmod(0o640); err != nil {
		return err
	}
	if _, err := f.WriteString(token + "\n"); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
