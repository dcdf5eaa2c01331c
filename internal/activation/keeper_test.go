package activation

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func newTestKeeper() *Keeper { return NewKeeper(slog.New(slog.DiscardHandler), nil, nil) }

func newPipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		r.Close()
		w.Close()
	})
	return r, w
}

// handoverRole makes the test binary the program before an exec, or the one
// after it.
const handoverRole = "GV_TEST_HANDOVER"

// TestHandover: what a program hands over the next one finds by its name, and
// closed on exec again. Names may be many and long.
func TestHandover(t *testing.T) {
	switch os.Getenv(handoverRole) {
	case "before":
		handOver(t)
	case "after":
		takeOver(t)
	default:
		child := exec.Command("/proc/self/exe", "-test.run=^TestHandover$")
		child.Env = append(os.Environ(), handoverRole+"=before")
		if out, err := child.CombinedOutput(); err != nil {
			t.Errorf("%v:\n%s", err, out)
		}
	}
}

const handedOver = 300

func handoverName(n int) string { return fmt.Sprintf("app/%s/%d", strings.Repeat("x", 500), n) }

func handOver(t *testing.T) {
	k := newTestKeeper()
	r, w := newPipe(t)
	for n := range handedOver {
		if err := k.Keep(handoverName(n), r, nil); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.WriteString("hello"); err != nil {
		t.Fatal(err)
	}
	syscall.ForkLock.Lock()
	defer syscall.ForkLock.Unlock()
	variable, _, err := k.PrepareExec(nil)
	if err != nil {
		t.Fatal(err)
	}
	os.Setenv(handoverRole, "after")
	t.Fatal(syscall.Exec("/proc/self/exe", os.Args, append(os.Environ(), variable)))
}

func takeOver(t *testing.T) {
	if !Executed() {
		t.Error("it does not show that a program was executed")
	}
	files, err := TakeHandover()
	if err != nil {
		t.Fatal(err)
	}
	if Executed() {
		t.Error("the variable is still there")
	}
	for n := range handedOver {
		file := files[handoverName(n)]
		if file == nil {
			t.Fatalf("file %d is missing", n)
		}
		if flags := flagsOf(t, file); flags&unix.FD_CLOEXEC == 0 {
			t.Fatalf("file %d stays open on exec", n)
		}
	}
	if len(files) != handedOver {
		t.Errorf("%d files", len(files))
	}
	text := make([]byte, 5)
	if _, err := io.ReadFull(files[handoverName(7)], text); err != nil || string(text) != "hello" {
		t.Errorf("read %q, %v", text, err)
	}
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	if len(open) > handedOver+20 {
		t.Errorf("%d descriptors are open", len(open))
	}
}

func flagsOf(t *testing.T, file *os.File) int {
	t.Helper()
	raw, err := file.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var flags int
	var inner error
	if err := raw.Control(func(fd uintptr) { flags, inner = unix.FcntlInt(fd, unix.F_GETFD, 0) }); err != nil {
		t.Fatal(err)
	}
	if inner != nil {
		t.Fatal(inner)
	}
	return flags
}

// TestHandoverThatFails: after an exec that came to nothing no child inherits
// what was to be handed over.
func TestHandoverThatFails(t *testing.T) {
	k := newTestKeeper()
	r, _ := newPipe(t)
	if err := k.Keep("a", r, nil); err != nil {
		t.Fatal(err)
	}
	defer k.Drop("a")
	syscall.ForkLock.Lock()
	_, undo, err := k.PrepareExec(nil)
	if err == nil {
		undo()
	}
	syscall.ForkLock.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	if flags := flagsOf(t, k.files["a"]); flags&unix.FD_CLOEXEC == 0 {
		t.Error("it stays open on exec")
	}
}

// TestHandoverOfNonsense: what was not written by a keeper is refused, and
// nothing crashes.
func TestHandoverOfNonsense(t *testing.T) {
	for _, value := range []string{"x", "-1", "2", "99999999999999999999"} {
		t.Setenv(handoverVariable, value)
		if files, err := TakeHandover(); err == nil || len(files) > 0 {
			t.Errorf("%q gives %v, %v", value, files, err)
		}
	}
}

// TestKeepReplaces: a name stands for the last file that was kept under it, and
// the one before is closed.
func TestKeepReplaces(t *testing.T) {
	k := newTestKeeper()
	first, firstWrite := newPipe(t)
	second, _ := newPipe(t)
	if err := k.Keep("a", first, nil); err != nil {
		t.Fatal(err)
	}
	if err := k.Keep("a", second, nil); err != nil {
		t.Fatal(err)
	}
	defer k.Drop("a")
	first.Close()
	if _, err := firstWrite.Write([]byte("x")); err == nil {
		t.Error("somebody still has the first one")
	}
	if got := k.Names(); !slices.Equal(got, []string{"a"}) {
		t.Errorf("names: %v", got)
	}
}

// TestListenersOfAPredecessor: a listener that was kept comes back with what is
// known of it, is found by who wants its address, and is closed if nobody does.
func TestListenersOfAPredecessor(t *testing.T) {
	bound, err := Bind(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	if err := bound.describe(); err != nil {
		t.Fatal(err)
	}
	port := int(bound.Address.Port())
	table := &Table{log: slog.New(slog.DiscardHandler)}
	keep := func(name string) {
		dup, err := Dup(bound.File)
		if err != nil {
			t.Fatal(err)
		}
		source, fdName, ok := parseKeptName(name)
		if !ok {
			t.Fatalf("%q is not the name of a listener", name)
		}
		table.takeKept(name, dup, source, fdName)
	}
	fromSystemd := &Listener{Address: bound.Address, Source: SourceSystemd, FDName: "my/web"}
	keep(fromSystemd.KeptName())
	keep(bound.KeptName()) // the same address: taken once
	spare := table.Spare()
	if len(spare) != 1 || spare[0].Source != SourceSystemd || spare[0].FDName != "my/web" {
		t.Fatalf("spare: %+v", spare)
	}
	if set := table.Open(context.Background(), Want{App: "other", Host: "127.0.0.1", Port: port}, nil); set.Err != nil || set.Listeners[0] != spare[0] {
		t.Errorf("opened %+v", set)
	}
	if len(table.Spare()) > 0 {
		t.Error("it is still spare")
	}
	table.SettleUnclaimed()

	table = &Table{log: slog.New(slog.DiscardHandler)}
	keep(bound.KeptName())
	table.SettleUnclaimed()
	if len(table.Spare()) > 0 {
		t.Error("a listener is left that nobody wants")
	}
	if err := spare[0].File.Close(); err != nil {
		t.Fatal(err)
	}
	if err := bound.File.Close(); err != nil {
		t.Fatal(err)
	}
}
