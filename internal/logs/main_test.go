package logs

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// patience is how long a test waits for what must come; it only bounds a test
// that has failed.
const patience = 2 * time.Minute

// TestMain fails if the tests leave a goroutine behind, but for those of
// lumberjack that wait for the next file.
func TestMain(m *testing.M) {
	code := m.Run()
	if left := strangers(); left != "" && code == 0 {
		fmt.Fprintf(os.Stderr, "goroutines left behind:\n%s\n", left)
		code = 1
	}
	os.Exit(code)
}

// strangers returns the stacks of goroutines that should have ended. It gives
// them time to do so.
func strangers() string {
	end := time.Now().Add(patience)
	for {
		var left []string
		stacks := make([]byte, 1<<20)
		stacks = stacks[:runtime.Stack(stacks, true)]
		for _, g := range strings.Split(string(stacks), "\n\n")[1:] {
			if !strings.Contains(g, "lumberjack") && strings.Contains(g, "gracevisor") {
				left = append(left, g)
			}
		}
		if len(left) == 0 || time.Now().After(end) {
			return strings.Join(left, "\n\n")
		}
		time.Sleep(time.Millisecond)
	}
}

// eventually waits until ok is true.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s did not come to pass", what)
		}
	}
}

// within returns a context that ends with the test, or when it has hung.
func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A logbook is a place for log lines, which tests look at.
type logbook struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logbook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logbook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// count is how many lines hold all of the texts.
func (l *logbook) count(texts ...string) int {
	n := 0
	for line := range strings.Lines(l.String()) {
		all := true
		for _, text := range texts {
			all = all && strings.Contains(line, text)
		}
		if all {
			n++
		}
	}
	return n
}

// A fixture is a Store in a folder of its own, with a clock that can be put
// forward.
type fixture struct {
	*Store
	t       *testing.T
	folder  string
	logbook logbook

	mu    sync.Mutex
	ahead time.Duration
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{t: t, folder: t.TempDir()}
	f.start()
	return f
}

// start begins with a new Store, as another daemon would.
func (f *fixture) start() {
	store := NewStore(slog.New(slog.NewTextHandler(&f.logbook, nil)))
	store.clock = func() time.Time {
		f.mu.Lock()
		defer f.mu.Unlock()
		return time.Now().Add(f.ahead)
	}
	f.Store = store
	f.t.Cleanup(func() { f.stop(store) })
}

// stop ends a Store at once.
func (f *fixture) stop(store *Store) {
	f.t.Helper()
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	if err := store.Close(ended); err != nil {
		f.t.Error(err)
	}
}

func (f *fixture) forward(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ahead += d
}

func (f *fixture) path(name string) string { return filepath.Join(f.folder, name) }

func (f *fixture) read(name string) string {
	f.t.Helper()
	text, err := os.ReadFile(f.path(name))
	must(f.t, err)
	return string(text)
}

// writer returns the writer of a path.
func (f *fixture) writer(path string) *writer {
	f.Store.mu.Lock()
	defer f.Store.mu.Unlock()
	return f.writers[path].writer
}

// rotated returns the names that a log file was moved aside to, oldest first.
func (f *fixture) rotated(name string) []string {
	f.t.Helper()
	ext := filepath.Ext(name)
	names, err := filepath.Glob(f.path(strings.TrimSuffix(name, ext) + "-*" + ext))
	must(f.t, err)
	for i := range names {
		names[i] = filepath.Base(names[i])
	}
	return names
}

// An app is the writing end of an attached pipe.
type app struct {
	*Attachment
	f   *fixture
	src Source
	out *os.File
}

// app attaches a pipe to a file of the fixture's folder, with limits if given.
func (f *fixture) app(src Source, t Target) *app {
	f.t.Helper()
	if !filepath.IsAbs(t.Path) {
		t.Path = f.path(t.Path)
	}
	r, w, err := os.Pipe()
	must(f.t, err)
	f.t.Cleanup(func() { w.Close() })
	return &app{f.Attach(src, r, t), f, src, w}
}

func stdout(app string, instance uint64) Source { return Source{app, instance, StreamStdout} }

// say writes a text, and waits until it has been read.
func (a *app) say(text string) {
	a.f.t.Helper()
	a.write(text)
	a.settle()
}

func (a *app) write(text string) {
	a.f.t.Helper()
	_, err := io.WriteString(a.out, text)
	must(a.f.t, err)
}

func (a *app) settle() {
	a.f.t.Helper()
	must(a.f.t, a.f.Settle(within(a.f.t), a.src.App, a.src.Instance))
}

// end closes the pipe, and waits until all has been read.
func (a *app) end() {
	a.f.t.Helper()
	must(a.f.t, a.out.Close())
	a.gone()
}

func (a *app) gone() {
	a.f.t.Helper()
	select {
	case <-a.Done():
	case <-time.After(patience):
		a.f.t.Fatal("the source does not end")
	}
}

// unread is how many bytes are in a pipe.
func unread(t *testing.T, pipe *os.File) int {
	t.Helper()
	conn, err := pipe.SyscallConn()
	must(t, err)
	n := 0
	must(t, conn.Control(func(fd uintptr) { n, err = unix.IoctlGetInt(int(fd), unix.TIOCINQ) }))
	must(t, err)
	return n
}

// descriptors is how many files this process has open.
func descriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	must(t, err)
	return len(entries)
}
