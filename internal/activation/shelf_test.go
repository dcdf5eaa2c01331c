package activation

import (
	"context"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// fakeStore is a service manager that keeps names in the place of files, and
// drops what is too much without a word, as systemd does.
type fakeStore struct {
	t     *testing.T
	limit int

	mu    sync.Mutex
	names []string
}

// newShelf makes a Keeper with such a store, of which it knows the limit if told.
// The digit that a name begins with is its rank.
func newShelf(t *testing.T, limit int, told bool) (*Keeper, *fakeStore) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	s := &fakeStore{t: t, limit: limit}
	served := make(chan struct{})
	go func() { defer close(served); s.serve(conn) }() // ends with conn
	t.Cleanup(func() { conn.Close(); <-served })
	t.Setenv("NOTIFY_SOCKET", path)
	t.Setenv("FDSTORE", "")
	if told {
		t.Setenv("FDSTORE", strconv.Itoa(limit))
	}
	k := NewKeeper(slog.New(slog.DiscardHandler), NewFDStore(), func(name string) int { return int(name[0]) })
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); k.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	return k, s
}

func (s *fakeStore) serve(conn *net.UnixConn) {
	text, rights := make([]byte, 4096), make([]byte, unix.CmsgSpace(4))
	for {
		n, oobn, _, _, err := conn.ReadMsgUnix(text, rights)
		if err != nil {
			return
		}
		s.take(string(text[:n]))
		messages, err := unix.ParseSocketControlMessage(rights[:oobn])
		if err != nil {
			continue
		}
		for _, m := range messages {
			if fds, err := unix.ParseUnixRights(&m); err == nil {
				for _, fd := range fds {
					unix.Close(fd) // which answers a BARRIER=1
				}
			}
		}
	}
}

func (s *fakeStore) take(text string) {
	_, name, _ := strings.Cut(text, "FDNAME="+keptPrefix)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case strings.HasPrefix(text, "FDSTOREREMOVE=1"):
		s.names = slices.DeleteFunc(s.names, func(other string) bool { return other == name })
	case strings.HasPrefix(text, "FDSTORE=1") && len(s.names) < s.limit:
		s.names = append(s.names, name)
	}
}

// holds fails the test unless these are in the store when all is said.
func (s *fakeStore) holds(k *Keeper, names ...string) {
	s.t.Helper()
	k.Settle(s.t.Context())
	s.mu.Lock()
	defer s.mu.Unlock()
	if got := slices.Sorted(slices.Values(s.names)); !slices.Equal(got, names) {
		s.t.Fatalf("in the store: %q, not %q", got, names)
	}
}

func keepAll(t *testing.T, k *Keeper, names ...string) {
	t.Helper()
	for _, name := range names {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		w.Close()
		err = k.Keep(name, r, nil)
		r.Close()
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestFullStoreHoldsWhatMatters: in whatever order files come and go.
func TestFullStoreHoldsWhatMatters(t *testing.T) {
	k, s := newShelf(t, 3, true)
	keepAll(t, k, "5a", "3a", "4a")
	s.holds(k, "3a", "4a", "5a")
	keepAll(t, k, "1a")
	s.holds(k, "1a", "3a", "4a")
	keepAll(t, k, "4b", "9a")
	s.holds(k, "1a", "3a", "4a")
	keepAll(t, k, "3a") // another file of the name
	s.holds(k, "1a", "3a", "4a")
	k.Drop("9a") // which is not in it
	k.Drop("1a")
	s.holds(k, "3a", "4a", "4b")
	k.Drop("3a")
	k.Drop("4a")
	s.holds(k, "4b", "5a")
}

// TestStoreThatTellsLate: until it is known how much it takes, the store has
// dropped what came last.
func TestStoreThatTellsLate(t *testing.T) {
	k, s := newShelf(t, 2, false)
	keepAll(t, k, "5a", "4a", "1a")
	s.holds(k, "4a", "5a")
	k.SetStoreMax(2)
	s.holds(k, "1a", "4a")
	keepAll(t, k, "2a")
	s.holds(k, "1a", "2a")
}

// TestFilesThatAreNotInTheStore: over an exec more come along than it takes.
func TestFilesThatAreNotInTheStore(t *testing.T) {
	k, s := newShelf(t, 2, true)
	for _, name := range []string{"5a", "4a", "1a"} {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		w.Close()
		k.Adopt(name, r)
	}
	s.holds(k, "1a", "4a")
}
