package wire

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"reflect"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestReaderRefuses: whatever is wrong with a datagram, it is refused, and the
// files that came with it are closed.
func TestReaderRefuses(t *testing.T) {
	ping := append([]byte{byte(kindPing)}, `{"number":1}`...)
	for name, c := range map[string]struct {
		datagram []byte
		fds      int
		want     string
	}{
		"kind 0":                {[]byte("\x00{}"), 0, "unknown kind 0"},
		"an unknown kind":       {[]byte{byte(kindTakeOver) + 1, '{', '}'}, 0, "unknown kind"},
		"kind 255, with files":  {[]byte{255, '{', '}'}, 3, "unknown kind 255"},
		"no body":               {[]byte{byte(kindPing)}, 0, "unexpected end"},
		"half a body":           {ping[:len(ping)-3], 0, "unexpected end"},
		"more than a body":      {append(ping[:len(ping):len(ping)], '{'), 0, "invalid character"},
		"a body of another one": {append([]byte{byte(kindPing)}, `{"number":"one"}`...), 0, "cannot unmarshal"},
		"no JSON":               {append([]byte{byte(kindHello)}, "\xff\xfe"...), 0, "invalid character"},
		"a file too many":       {ping, 1, "1 files came with it, not 0"},
		"many files too many":   {ping, MaxFiles, "253 files came with it, not 0"},
		"no file":               {append([]byte{byte(kindTable)}, `{"revision":1}`...), 0, "0 files came with it, not 1"},
		"two files":             {append([]byte{byte(kindTable)}, `{"revision":1}`...), 2, "2 files came with it, not 1"},
		"fewer files than names": {
			append([]byte{byte(kindFiles)}, `{"names":["a","b","c"]}`...), 2, "2 files came with it, not 3"},
		"cut off":              {append([]byte{byte(kindPing)}, strings.Repeat(" ", maxMessage)...), 0, "cut off"},
		"cut off, with a file": {append([]byte{byte(kindTable)}, strings.Repeat(" ", maxMessage)...), 1, "cut off"},
	} {
		t.Run(name, func(t *testing.T) {
			keepsFDs(t)
			reader, raw := halfRaw(t)
			var fds []int
			for range c.fds {
				fd, err := unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0)
				if err != nil {
					t.Fatal(err)
				}
				defer unix.Close(fd)
				fds = append(fds, fd)
			}
			sendRaw(t, raw, c.datagram, fds...)
			before := openFDs(t)
			m, files, err := reader.Receive()
			if err == nil || errors.Is(err, io.EOF) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("received %v, %v; want an error with %q", m, err, c.want)
			}
			if len(files) > 0 {
				t.Errorf("%d files are handed over", len(files))
			}
			if after := openFDs(t); after != before {
				t.Errorf("%d file descriptors are open, %d were before", after, before)
			}
		})
	}
}

// TestEmptyDatagram: it can not be told from the end, and is taken for it, but
// its files are closed.
func TestEmptyDatagram(t *testing.T) {
	for _, n := range []int{0, 5} {
		keepsFDs(t)
		reader, raw := halfRaw(t)
		var fds []int
		for range n {
			fd, err := unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer unix.Close(fd)
			fds = append(fds, fd)
		}
		sendRaw(t, raw, nil, fds...)
		before := openFDs(t)
		if m, _, err := reader.Receive(); err != io.EOF {
			t.Errorf("with %d files: received %v, %v", n, m, err)
		}
		if after := openFDs(t); after != before {
			t.Errorf("with %d files: %d file descriptors are open, %d were before", n, after, before)
		}
	}
}

// TestNoRoomForFiles: at the limit of its descriptors a process gets only some
// of the files, which counts as cut off.
func TestNoRoomForFiles(t *testing.T) {
	keepsFDs(t)
	reader, raw := halfRaw(t)
	body := append([]byte{byte(kindFiles)}, `{"names":["a","b","c"]}`...)
	sendRaw(t, raw, body, 0, 1, 2)
	before := openFDs(t)
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	// The lowest descriptors that are free decide, not how many are open.
	tight := unix.Rlimit{Cur: firstFree(t) + 1, Max: limit.Max}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &tight); err != nil {
		t.Fatal(err)
	}
	_, _, err := reader.Receive()
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if err == nil || !strings.Contains(err.Error(), "cut off") {
		t.Errorf("received %v", err)
	}
	if after := openFDs(t); after != before {
		t.Errorf("%d file descriptors are open, %d were before", after, before)
	}
}

func firstFree(t *testing.T) uint64 {
	t.Helper()
	fd, err := unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	unix.Close(fd)
	return uint64(fd)
}

// TestReaderIsTolerant: fields that it does not know, which a newer build of the
// other side may send, do no harm.
func TestReaderIsTolerant(t *testing.T) {
	reader, raw := halfRaw(t)
	sendRaw(t, raw, append([]byte{byte(kindPing)}, `{"mood":["new"],"number":4}`...))
	if m, _, err := reader.Receive(); err != nil || !reflect.DeepEqual(m, &Ping{Number: 4}) {
		t.Errorf("received %v, %v", m, err)
	}
}

// FuzzDecode: no datagram does harm, and what is understood says the same when
// it is written again.
func FuzzDecode(f *testing.F) {
	for _, m := range everyMessage {
		body, err := json.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(append([]byte{byte(m.kind())}, body...))
	}
	f.Add([]byte{})
	f.Add([]byte{byte(kindFiles), 'n', 'u', 'l', 'l'})
	f.Fuzz(func(t *testing.T, datagram []byte) {
		for files := range 3 {
			m, err := decode(datagram, 0, make([]*os.File, files))
			if err != nil {
				continue
			}
			if m.files() != files || int(datagram[0]) != int(m.kind()) {
				t.Fatalf("%q became a %T with %d files", datagram, m, files)
			}
			body, err := json.Marshal(m)
			if err != nil {
				t.Fatal(err)
			}
			again := newMessage(m.kind())
			if err := json.Unmarshal(body, again); err != nil || !reflect.DeepEqual(again, m) {
				t.Fatalf("%+v is read back as %+v, %v", m, again, err)
			}
		}
	})
}
