package handoff

import (
	"errors"
	"io"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// pair is the two ends.
func pair(t *testing.T) (a, b *Conn) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	var conns [2]*Conn
	for i, fd := range fds {
		if conns[i], err = NewConn(os.NewFile(uintptr(fd), "end")); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conns[i].Close() })
	}
	return conns[0], conns[1]
}

// files makes n descriptors, which are closed with the test.
func files(t *testing.T, n int) (list []int) {
	t.Helper()
	for range n {
		fd, err := unix.MemfdCreate("test", unix.MFD_CLOEXEC)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { unix.Close(fd) })
		list = append(list, fd)
	}
	return list
}

func openFiles(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// TestOffer: what is offered arrives as it is, with its descriptors.
func TestOffer(t *testing.T) {
	a, b := pair(t)
	want := []*Connection{
		{Kind: HTTP, App: "demo", Listener: "127.0.0.1:80", Peer: "[::1]:4711", Served: true, Left: time.Minute,
			Up: Direction{Data: []byte("GET /")}, Files: files(t, 1)},
		{Kind: Waiting, App: "line", Files: files(t, 1)},
		{Kind: Tunnel, App: "demo", Instance: "demo/7", Upgraded: true,
			Up:   Direction{Over: true},
			Down: Direction{Piped: 9, ReadLeft: time.Second, WriteLeft: time.Hour, Data: []byte("rest")}, Files: files(t, 3)},
	}
	var batch Batch
	for _, c := range want {
		if err := batch.Add(c); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.Offer(7, &batch); err != nil {
		t.Fatal(err)
	}
	said, err := b.Receive()
	o, ok := said.(*Offer)
	if !ok || o.Number != 7 || len(o.Connections) != len(want) {
		t.Fatalf("got %T %+v, %v", said, said, err)
	}
	for i, got := range o.Connections {
		if len(got.Files) != len(want[i].Files) {
			t.Errorf("%d: %d files", i, len(got.Files))
		}
		for k, fd := range got.Files {
			if !same(t, fd, want[i].Files[k]) {
				t.Errorf("%d: file %d is another", i, k)
			}
		}
		closeAll(got.Files)
		got.Files = want[i].Files
		if !reflect.DeepEqual(got, want[i]) {
			t.Errorf("%d: got %+v, want %+v", i, got, want[i])
		}
	}
}

func same(t *testing.T, a, b int) bool {
	t.Helper()
	var s, r unix.Stat_t
	if err := errors.Join(unix.Fstat(a, &s), unix.Fstat(b, &r)); err != nil {
		t.Fatal(err)
	}
	return s.Ino == r.Ino && s.Dev == r.Dev
}

// TestWords: the short messages, and the end after them.
func TestWords(t *testing.T) {
	a, b := pair(t)
	for _, err := range []error{a.Answer(Answer{3, []int{1, 5}}), a.Commit(4), a.Withdraw(5), a.Close()} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []any{&Answer{3, []int{1, 5}}, &Commit{4}, &Withdraw{5}} {
		if got, err := b.Receive(); !reflect.DeepEqual(got, want) {
			t.Errorf("got %T %+v, %v", got, got, err)
		}
	}
	if got, err := b.Receive(); err != io.EOF {
		t.Errorf("got %v, %v", got, err)
	}
	if err := b.Commit(1); !errors.Is(err, unix.EPIPE) {
		t.Errorf("got %v", err)
	}
}

// TestLastWord: what the other side has said last counts, also if it has ended
// without having read all that was said to it.
func TestLastWord(t *testing.T) {
	a, b := pair(t)
	for _, err := range []error{b.Answer(Answer{Number: 1}), a.Withdraw(1), a.Close()} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if got, err := b.Receive(); !reflect.DeepEqual(got, &Withdraw{1}) {
		t.Errorf("got %T %+v, %v", got, got, err)
	}
	if got, err := b.Receive(); err != io.EOF {
		t.Errorf("got %v, %v", got, err)
	}
}

// TestBounds: a batch takes no more than a message can carry, and that arrives.
func TestBounds(t *testing.T) {
	big := strings.Repeat("x", MaxData)
	for name, c := range map[string]struct {
		data  string
		files int
		most  int
	}{
		"many":             {"", 1, maxBatch},
		"descriptors":      {"", 2, MaxFiles / 2},
		"bytes":            {strings.Repeat("x", 16<<10), 1, 7},
		"as big as it may": {big, 1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := pair(t)
			h := &Connection{Kind: HTTP, App: "demo", Files: files(t, c.files)}
			if c.files == 2 {
				h.Kind, h.Instance = Tunnel, "demo/1"
			}
			h.Up.Data = []byte(c.data)
			var batch Batch
			for batch.Add(h) == nil {
			}
			if batch.Len() != c.most {
				t.Errorf("it takes %d", batch.Len())
			}
			before := openFiles(t)
			if err := a.Offer(1, &batch); err != nil {
				t.Fatal(err)
			}
			said, err := b.Receive()
			o, ok := said.(*Offer)
			if !ok || len(o.Connections) != c.most {
				t.Fatalf("got %T, %v", said, err)
			}
			if n := openFiles(t) - before; n != c.most*c.files {
				t.Errorf("%d descriptors came", n)
			}
			for _, got := range o.Connections {
				if string(got.Up.Data) != c.data {
					t.Error("other bytes came")
				}
				closeAll(got.Files)
			}
		})
	}
}

// TestWhatIsNotUnderstood is refused connection by connection, and no descriptor
// of it stays open.
func TestWhatIsNotUnderstood(t *testing.T) {
	fds := files(t, 4)
	for name, c := range map[string]struct {
		h       *Connection
		version uint16
	}{
		"another version":   {&Connection{Kind: HTTP, Files: fds[:1]}, Version + 1},
		"an older version":  {&Connection{Kind: HTTP, Files: fds[:1]}, 0},
		"another kind":      {&Connection{Kind: "quic", Files: fds[:1]}, Version},
		"too many files":    {&Connection{Kind: HTTP, Files: fds[:2]}, Version},
		"too few files":     {&Connection{Kind: Tunnel, Files: fds[:1]}, Version},
		"no file":           {&Connection{Kind: HTTP}, Version},
		"a pipe is missing": {&Connection{Kind: Tunnel, Up: Direction{Piped: 1}, Files: fds[:2]}, Version},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := pair(t)
			a.SpeakVersion(c.version)
			var batch Batch
			fine := &Connection{Kind: HTTP, Files: fds[3:]}
			for _, h := range []*Connection{fine, c.h, fine} {
				if err := batch.Add(h); err != nil {
					t.Fatal(err)
				}
			}
			before := openFiles(t)
			if err := a.Offer(1, &batch); err != nil {
				t.Fatal(err)
			}
			said, err := b.Receive()
			o, ok := said.(*Offer)
			if !ok || len(o.Connections) != 3 || o.Connections[1] != nil {
				t.Fatalf("got %T %+v, %v", said, said, err)
			}
			known := o.Connections[0] != nil && o.Connections[2] != nil
			if known != (c.version == Version) {
				t.Errorf("got %+v", o.Connections)
			}
			for _, h := range o.Connections {
				if h != nil {
					closeAll(h.Files)
				}
			}
			if n := openFiles(t); n != before {
				t.Errorf("%d descriptors stay open", n-before)
			}
		})
	}
}

// TestBroken: a message that is cut, or of no kind, ends the conversation, and
// nothing stays open.
func TestBroken(t *testing.T) {
	fds := files(t, 3)
	var batch Batch
	if err := batch.Add(&Connection{Kind: HTTP, App: "demo", Files: fds[:1]}); err != nil {
		t.Fatal(err)
	}
	whole := batch.encode(Version, 1)
	for name, c := range map[string]struct {
		text  []byte
		files []int
	}{
		"no kind":               {[]byte("x"), nil},
		"cut head":              {whole[:5], fds[:1]},
		"cut in a connection":   {whole[:len(whole)-1], fds[:1]},
		"a connection too few":  {whole[:offerHead], fds[:1]},
		"more bytes":            {append(whole[:len(whole):len(whole)], 'x'), fds[:1]},
		"more descriptors":      {whole, fds},
		"no descriptors":        {whole, nil},
		"an answer that is not": {[]byte("Ax"), nil},
		"a commit too long":     {[]byte("C123456"), nil},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := pair(t)
			before := openFiles(t)
			if err := a.send(c.text, c.files); err != nil {
				t.Fatal(err)
			}
			if said, err := b.Receive(); err == nil || err == io.EOF {
				t.Errorf("got %T %+v, %v", said, said, err)
			}
			if n := openFiles(t); n != before {
				t.Errorf("%d descriptors stay open", n-before)
			}
		})
	}
}

// TestNoDescriptorsLeft: a receiver that can not have the descriptors refuses all
// of the offer, and goes on.
func TestNoDescriptorsLeft(t *testing.T) {
	a, b := pair(t)
	fds := files(t, 50)
	var batch Batch
	for _, fd := range fds {
		if err := batch.Add(&Connection{Kind: HTTP, Files: []int{fd}}); err != nil {
			t.Fatal(err)
		}
	}
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if err := a.Offer(1, &batch); err != nil {
		t.Fatal(err)
	}
	low := limit
	low.Cur = uint64(fds[len(fds)-1] + 10)
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &low); err != nil {
		t.Fatal(err)
	}
	said, err := b.Receive()
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	o, ok := said.(*Offer)
	if !ok || len(o.Connections) != 50 {
		t.Fatalf("got %T %+v, %v", said, said, err)
	}
	for i, c := range o.Connections {
		if c != nil {
			t.Errorf("%d is not refused", i)
		}
	}
}
